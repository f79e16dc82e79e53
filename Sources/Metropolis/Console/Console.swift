import Foundation
import HTTPTypes
import Identity
import Jobs
import Kit
import Web

/// The console's own pages: whom it welcomes, how the city does, who may do what.
///
/// Finance and the tenants' pages come from the services that know: the composition root adds their routes to the same site.
struct Console: Sendable {
  let identity: IdentityService
  let observer: CityObserver
  let flags: LiveFlags
  /// Of the configuration there is now, whatever their state.
  let stanzas: [CityConfiguration.Stanza]

  var tenants: [String] { stanzas.map(\.id.text) }

  /// Its owner is the console of the configuration there is when a request comes.
  static let routes = (homeEndpoints + cityEndpoints + flagEndpoints + staffEndpoints).map { SiteRouter.Route($0) }

  /// Only who runs the city.
  static let cityOperator = EndpointRules.Access.role("operator@\(StaffPost.city)")

  // MARK: First page

  static let homeEndpoints: [Endpoint<Console>] = [
    .get(
      "/",
      .init(
        access: .signedIn,
        operation: Operation(
          "consolePosts", "Your posts in the city.",
          output: .object([("name", .string), ("posts", .array(HomeView.postShape))]), problems: [.forbidden]))
    ) { console, visit in try console.home(visit) }
  ]

  struct HomeView: Encodable, Sendable {
    struct Post: Encodable, Sendable {
      let role: String
      let place: String
      let name: String
      let url: String
    }
    let name: String
    let posts: [Post]

    static let postShape: Shape = .object([
      ("role", .choice(StaffPost.Role.allCases.map(\.rawValue))), ("place", .string), ("name", .string), ("url", .string),
    ])
  }

  /// Where a post's work is done.
  static func path(of post: StaffPost) -> String {
    switch post.role {
    case .finance: "/finance"
    case .operator: post.isOfCity ? "/city" : "/tenants/\(post.place)"
    }
  }

  static func placeName(_ place: String, _ visit: Visit) -> String {
    let site = place == StaffPost.city ? visit.cities.city : visit.cities.tenants.first { $0.id == place }
    return site?.name(visit.language) ?? place
  }

  private func home(_ visit: Visit) throws(Problem) -> Answer {
    let session = try visit.requireSession()
    let posts = session.roles.compactMap { StaffPost($0) }.sorted()
    guard !posts.isEmpty else {
      if visit.wantsJSON { throw Problem(.forbidden) }
      return .page(
        Page(
          "city.console-closed", title: visit.text("city.console.closed.title"),
          ["lead": visit.text("city.console.closed.lead", ["name": session.displayName])]), status: .forbidden)
    }
    let view = HomeView(
      name: session.displayName,
      posts: posts.map {
        .init(
          role: $0.role.rawValue, place: $0.place, name: Console.placeName($0.place, visit),
          url: visit.site.origin.url(Console.path(of: $0)))
      })
    return .page(json: view) {
      func card(_ post: StaffPost) -> [String: any Sendable] {
        let site = post.isOfCity ? visit.cities.city : visit.cities.tenants.first { $0.id == post.place }
        let kind = post.isOfCity ? (post.role == .finance ? "finance" : "city") : "tenant"
        let name = Console.placeName(post.place, visit)
        return [
          "site": site?.id ?? "console", "mark": site?.look.mark ?? "·", "url": Console.path(of: post),
          "title": kind == "tenant" ? name : visit.text("city.console.home.\(kind).title"),
          "text": visit.text("city.console.home.\(kind).text"),
          "role": visit.text("city.console.role.\(post.role.rawValue)"),
        ]
      }
      return Page(
        "city.console-home", title: visit.text("city.console.home.title"),
        [
          "greeting": visit.text("city.console.home.greeting", ["name": session.displayName]),
          "ofCity": posts.filter(\.isOfCity).map(card), "hasCity": posts.contains(where: \.isOfCity),
          "ofTenants": posts.filter { !$0.isOfCity }.map(card), "hasTenants": posts.contains { !$0.isOfCity },
        ])
    }
  }
}
