import Foundation
import HTTPTypes
import Kit
import Web

/// The city's first page, and the pages that belong to no service of their own.
struct Portal: Sendable {
  /// Tenants that are announced and not open yet.
  let announced: Set<String>

  static let routes = [
    Endpoint<Portal>.get(
      "/",
      .init(
        operation: Operation(
          "listServices", "All services of the city.",
          output: .object([
            ("name", .string),
            (
              "services",
              .array(
                .object([
                  ("id", .string), ("kind", .string), ("name", .string), ("summary", .string), ("url", .string),
                  ("open", .boolean),
                ]))
            ),
          ])))
    ) { portal, visit in portal.home(visit) },
    Endpoint<Portal>.get("/problems/{slug}") { portal, visit in try portal.problem(visit) },
    Endpoint<Portal>.get("/design") { _, visit in
      guard visit.cities.isDevelopment else { throw Problem(.notFound) }
      return .page(Page("city.design", title: visit.text("city.design.title"), ["charts": designCharts(visit)]))
    },
  ]

  private struct Services: Encodable {
    struct Service: Encodable {
      let id: String
      let kind: String
      let name: String
      let summary: String
      let url: String
      let open: Bool
    }
    let name: String
    let services: [Service]
  }

  private func home(_ visit: Visit) -> Answer {
    let services = visit.cities.listed.map { site in
      Services.Service(
        id: site.id, kind: site.kind, name: site.name(visit.language), summary: site.summary(visit.language),
        url: site.origin.url(), open: !announced.contains(site.id))
    }
    var groups: [[String: any Sendable]] = []
    for kind in ["town", "prep", "kculture"] {
      let tiles = visit.cities.listed.filter { $0.kind == kind }.map { site -> [String: any Sendable] in
        [
          "id": site.id, "mark": site.look.mark, "name": site.name(visit.language), "summary": site.summary(visit.language),
          "url": site.origin.url(), "soon": announced.contains(site.id),
        ]
      }
      if !tiles.isEmpty {
        groups.append(["id": "kind-\(kind)", "title": visit.text("city.home.\(kind)"), "tiles": tiles])
      }
    }
    return .page(
      Page(
        "city.home", title: visit.text("city.home.title"),
        ["groups": groups, "count": visit.format.number(Int64(services.count))]),
      json: Services(name: visit.site.name(visit.language), services: services))
  }

  /// What a problem's `type` leads to (RFC 9457 §3.1.1).
  private func problem(_ visit: Visit) throws(Problem) -> Answer {
    guard let slug = visit.parameter("slug"), visit.catalogue.has("web.problem.\(slug).title") else {
      throw Problem(.notFound)
    }
    return .page(Page("city.problem-type", title: visit.text("web.problem.\(slug).title"), ["slug": slug]))
  }

  /// The pages of a tenant that is announced: every path says the same.
  static let announcedRoutes = [
    SiteRouter.Route(
      Endpoint<Portal>.get("/") { _, visit in
        .page(
          Page("city.announced", title: visit.site.name(visit.language), ["summary": visit.site.summary(visit.language)]),
          json: ["name": visit.site.name(visit.language), "state": "announced"])
      })
  ]
}
