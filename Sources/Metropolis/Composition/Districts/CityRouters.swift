import Billing
import Gateway
import Identity
import Keys
import Kit
import Notifications
import Records
import RelyingParty
import Web

/// The routers, one for each kind of site, made once: what differs between sites of a kind comes with each request.
struct CityRouters: Sendable {
  let city: SiteRouter
  let issuer: SiteRouter
  let console: SiteRouter
  let announced: SiteRouter
  /// Of tenants that are disabled, and archived.
  let resting: SiteRouter
  let archived: SiteRouter
  /// Of tenants whose schemas this release can't work with.
  let refused: SiteRouter
  /// By the kind of tenant.
  let kinds: [String: SiteRouter]

  /// Routes of services beside those of the site's own.
  struct Parts: Sendable {
    var city: [SiteRouter.Route]
    var issuer: [SiteRouter.Route]
    var console: [SiteRouter.Route]
    /// What every site has where people sign in.
    var signIn: [SiteRouter.Route]
  }

  /// - Parameter make: a router of these routes, for the issuer's sessions or everyone else's.
  init(
    _ parts: Parts, issuerSessions: any SessionReader, sessions: any SessionReader,
    make: ([SiteRouter.Route], any SessionReader) -> SiteRouter
  ) {
    city = make(Portal.routes.map { SiteRouter.Route($0) } + parts.city + parts.signIn, sessions)
    issuer = make(parts.issuer, issuerSessions)
    console = make(Console.routes + parts.console + parts.signIn, sessions)
    announced = make(Portal.announcedRoutes + parts.signIn, sessions)
    resting = make(Closed.Resting.routes, NoSessions())
    archived = make(Closed.Archived.routes, NoSessions())
    refused = make(Closed.Refused.routes, NoSessions())
    kinds = Dictionary(ModuleBinding.all.map { ($0.kind, make($0.routes + parts.signIn, sessions)) }) { first, _ in first }
  }
}
