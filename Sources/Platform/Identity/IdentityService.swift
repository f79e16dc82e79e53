public import Database
import Foundation
public import Keys
public import Kit
public import Logging
public import Web

/// Accounts, sessions and memberships of the city, and its OpenID Provider.
///
/// It serves the issuer's own site; every other site is a relying party that comes through the standard endpoints.
public final class IdentityService: Sendable {
  /// Migrations, templates and texts, by path.
  public static var resources: [String: String] { Embedded.files }

  /// The migrations of its schema.
  /// - Throws: ``Database/MigrationError``.
  public static var migrations: [Migration] {
    get throws { try Migration.read(Embedded.files.filter { $0.key.hasSuffix(".sql") }) }
  }

  /// The membership's tenant that stands for the city itself.
  public static let city = "city"

  let database: Database
  let schema: Schema
  let issuer: Site
  let clock: DomainClock
  let mail: any MailSender
  let events: any IdentityEvents
  let logger: Logger
  let network: @Sendable (Visit) -> String?
  let masterKey: MasterKey
  let emailFingerprint: Fingerprint
  let attemptFingerprint: Fingerprint
  let sealer: Sealer
  let threads: WorkerThreads
  let hasher: PasswordHasher
  let keys: SigningKeys
  let attempts: AttemptLimits
  let liveSessions = ShortCache<UUID, Instant?>(lifetime: .seconds(10))
  let bearers = ShortCache<[UInt8], BearerSession?>(lifetime: .seconds(10))
  let displayNames = ShortCache<PersonID, String?>(lifetime: .seconds(60))

  /// Makes the first signing key if there is none.
  ///
  /// - Parameters:
  ///   - database: connected as the login role of `schema`.
  ///   - issuer: the site whose origin is the issuer identifier.
  ///   - attempts: how often a password may be wrong.
  ///   - events: told of new accounts.
  ///   - network: where a request comes from, an address or its prefix, as far as the platform trusts to know it.
  /// - Throws: when the database can't be reached, or the master key doesn't open the signing keys in it.
  public init(
    database: Database, schema: Schema, issuer: Site, key: MasterKey, clock: DomainClock, mail: any MailSender,
    events: any IdentityEvents, logger: Logger, attempts: AttemptLimits = AttemptLimits(),
    network: @escaping @Sendable (Visit) -> String? = { _ in nil }
  ) async throws {
    self.database = database
    self.schema = schema
    self.issuer = issuer
    self.clock = clock
    self.mail = mail
    self.events = events
    self.logger = logger
    self.network = network
    self.attempts = attempts
    masterKey = key
    emailFingerprint = Fingerprint(key.key("identity:email"))
    attemptFingerprint = Fingerprint(key.key("identity:attempt"))
    sealer = Sealer(key.key("identity:seal"))
    threads = WorkerThreads(rested: HashMemory.release)
    hasher = PasswordHasher(threads: threads)
    keys = SigningKeys(
      database: database, schema: schema, sealer: sealer, threads: threads, issuer: issuer.origin.description, logger: logger)
    try await keys.rotate(now: clock.now())
  }

  /// The issuer identifier (OpenID Connect Discovery §3): scheme and host, no trailing slash.
  public var issuerIdentifier: String { issuer.origin.description }

  /// The sessions of the issuer's own site.
  public var sessions: IssuerSessions { IssuerSessions(self) }

  /// Listens for sessions that were revoked and roles that were changed on any node, until the task is cancelled.
  ///
  /// - Parameter changed: told each time, so that what others remember of sessions is asked for again too.
  public func run(changed: @escaping @Sendable () -> Void = {}) async {
    for await _ in database.listen(on: IdentityService.channel) {
      forgetSessions()
      changed()
    }
  }

  static let channel = "identity_sessions"

  /// Everything remembered about sessions is asked for again.
  func forgetSessions() {
    liveSessions.drop()
    bearers.drop()
  }

  /// Tells every node, this one after COMMIT, to look at the sessions and their roles again.
  func announceRevocation(in transaction: Transaction) async throws {
    try await transaction.execute("SELECT pg_notify(\(IdentityService.channel), '')")
    transaction.afterCommit { [self] in forgetSessions() }
  }

  /// What the issuer's site answers.
  public static let endpoints: [Endpoint<IdentityService>] =
    homeEndpoints + registrationEndpoints + signInEndpoints + signOutEndpoints + providerEndpoints

  public var routes: [SiteRouter.Route] { IdentityService.endpoints.map { SiteRouter.Route($0, of: self) } }

  static let homeEndpoints: [Endpoint<IdentityService>] = [
    .get("/") { service, visit in .redirect(visit.session == nil ? "/signin" : service.accountURL(visit)) }
  ]

  /// Where a person goes who has nowhere else to go: her account at the city, signed in there too.
  func accountURL(_ visit: Visit) -> String { visit.cities.city.origin.url("/signin?return_to=/account") }
}

/// Sends one mail. The composition root brings SMTP.
public protocol MailSender: Sendable {
  /// - Throws: when the mail was not taken; what waits for it can be asked for again.
  func send(to: String, subject: String, text: String, language: Language) async throws
}

/// What the rest of the city wants to know of accounts.
public protocol IdentityEvents: Sendable {
  /// Called in the transaction that makes the account: `user.registered`.
  func registered(_ person: PersonID, at: Instant, in: Transaction) async throws
}
