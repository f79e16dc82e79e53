import Foundation
import Kit
import Web

/// A timeline as programs get it.
struct TimelineView: Encodable, Sendable {
  struct Entry: Encodable, Sendable {
    struct Object: Encodable, Sendable {
      let id: String
      let type: String
      let name: String
    }
    let id: String
    let tenant: String
    let tenantName: String
    let verb: String
    let sentence: String
    let object: Object
    let success: Bool?
    let score: Double?
    let timestamp: String
    let stored: String
  }

  let entries: [Entry]
  /// What to send as `before` to go on; absent at the end.
  let next: String?

  static let shape: Shape = .object([
    (
      "entries",
      .array(
        .object([
          ("id", .uuid), ("tenant", .string), ("tenantName", .string), ("verb", .string), ("sentence", .string),
          ("object", .object([("id", .string), ("type", .string), ("name", .string)])), ("success?", .boolean),
          ("score?", .number), ("timestamp", .instant), ("stored", .instant),
        ]))
    ),
    ("next?", .string),
  ])

  init(_ timeline: Timeline, visit: Visit) {
    entries = timeline.entries.map { entry in
      let name = visit.cities.site(entry.tenant)?.name(visit.language) ?? entry.tenant
      let sentence = TimelineSentence(entry, tenant: name, catalogue: visit.catalogue, language: visit.language)
      return Entry(
        id: entry.id.text, tenant: entry.tenant, tenantName: name, verb: entry.verb, sentence: sentence.text,
        object: .init(id: entry.object, type: entry.objectType, name: sentence.object), success: entry.success,
        score: entry.score, timestamp: entry.timestamp.statementText, stored: entry.stored.statementText)
    }
    next = timeline.next?.description
  }
}

extension TimelineEntry {
  /// The values of an entry in the page's template.
  func model(_ visit: Visit) -> [String: any Sendable] {
    let site = visit.cities.site(tenant)
    let name = site?.name(visit.language) ?? tenant
    let sentence = TimelineSentence(self, tenant: name, catalogue: visit.catalogue, language: visit.language)
    return [
      "site": tenant, "siteName": name, "siteURL": site?.origin.url() ?? "", "siteIsOpen": site != nil,
      "before": sentence.before, "object": sentence.object, "after": sentence.after,
      // A link leads to origins of the city only, whatever a statement says.
      "objectURL": object, "objectIsOpen": site.map { object.hasPrefix($0.origin.url()) } ?? false,
      "time": timestamp.rfc3339, "ago": visit.format.ago(timestamp, now: visit.now),
      "moment": visit.format.dateTime(timestamp), "isRight": success == true, "isWrong": success == false,
      // All or nothing is what the sentence says already.
      "hasScore": score.map { success == nil || ($0 > 0 && $0 < 1) } ?? false,
      "score": score.map { visit.text("records.score", ["percent": "\(Int(($0 * 100).rounded()))"]) } ?? "",
    ]
  }
}

extension CityMap {
  /// The site a record names.
  func site(_ id: String) -> Site? { all.first { $0.id == id } }
}
