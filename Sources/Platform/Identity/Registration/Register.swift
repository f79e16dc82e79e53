import Database
import Foundation
import HTTPTypes
import Keys
import Kit
import Logging
import Web

extension IdentityService {
  static let registrationCookie = "registration"
  static let registrationLifetime = Duration.hours(24)

  static let registrationEndpoints: [Endpoint<IdentityService>] = [
    .get("/register") { service, visit in
      try await service.registerForm(visit, continuing: ContinuePath.read(visit.query("continue")), input: nil, problem: nil)
    },
    .post(
      "/register",
      EndpointRules(
        limit: "auth", bodyLimit: 16 * 1024,
        operation: Operation(
          "register", "Register an account; a mail to the address asks for confirmation",
          input: .object([
            ("email", .text(1...254)), ("password", .text(PasswordRules.shortest...PasswordRules.longest)),
            ("display_name", .text(1...40)),
          ]),
          output: .object([("status", .choice(["confirmation_sent"]))]), status: 202))
    ) { service, visit in try await service.register(visit) },
    .get("/register/sent") { service, visit in try await service.checkMailPage(visit) },
    .post("/register/again", EndpointRules(limit: "auth")) { service, visit in try await service.sendAgain(visit) },
    .get("/confirm") { service, visit in try await service.confirmPage(visit) },
    .post(
      "/confirm",
      EndpointRules(
        limit: "auth",
        operation: Operation(
          "confirmRegistration", "Confirm a registration with the token of its mail; signs in the browser that registered",
          input: .object([("token", .string)]),
          output: .object([("person", .uuid), ("signed_in", .boolean)]), problems: [.notFound]))
    ) { service, visit in try await service.confirm(visit) },
  ]

  private func register(_ visit: Visit) async throws -> Answer {
    var input = try await visit.input()
    let displayName = DisplayName.read(&input, "display_name")
    let email = EmailAddress.read(&input)
    let password = PasswordRules.read(&input, email: email?.text ?? "", displayName: displayName)
    let path = ContinuePath.read(input.typed("continue"))
    do {
      try input.check()
    } catch {
      if visit.wantsJSON { throw error }
      return try await registerForm(visit, continuing: path, input: input, problem: error)
    }
    // `check` has thrown if there is none.
    guard let email else { throw Problem(.invalidInput, fields: [.init("email", "email")]) }
    let browser = Secret.random(bytes: 32)
    try await begin(
      Registration(email: email, displayName: displayName, continuePath: path), password: password, browser: browser, visit: visit
    )
    visit.setCookie(
      IdentityService.registrationCookie, browser, maxAge: Int(IdentityService.registrationLifetime.components.seconds))
    return visit.wantsJSON ? .json(["status": "confirmation_sent"], status: .accepted) : .redirect("/register/sent")
  }

  struct Registration: Sendable {
    let email: EmailAddress
    let displayName: String
    let continuePath: String?
  }

  /// The same steps whether the e-mail has an account or not: one look, one hash, one row, one mail.
  private func begin(_ registration: Registration, password: String, browser: String, visit: Visit) async throws {
    let now = visit.now
    let emailHash = hash(of: registration.email)
    let exists = try await credentials(for: emailHash) != nil
    let passwordHash = try await hasher.hash(password)
    let (id, token) = (UUID.v7(at: now), Secret.random(bytes: 32))
    let sealed = sealer.seal(registration.email.text, context: IdentityService.registrationContext(id))
    try await database.execute(
      """
      INSERT INTO \(schema).registration
        (id, token_digest, browser_digest, email_sealed, email_hash, display_name, password_hash, continue_path, locale,
         sent_at, created_at, expires_at)
      VALUES (\(id), \(Secret.digest(token)), \(Secret.digest(browser)), \(sealed), \(emailHash), \(registration.displayName),
        \(exists ? nil : passwordHash), \(registration.continuePath), \(visit.language.rawValue),
        \(now), \(now), \(now + IdentityService.registrationLifetime))
      """)
    // Beyond the limit the answer is the same, and no mail is sent: nobody floods another's mailbox from here.
    guard try await countAttempt(.mail, registration.email.text, now: now) <= attempts.mailsPerAddress else { return }
    await sendMail(to: registration.email, displayName: registration.displayName, token: exists ? nil : token, visit: visit)
  }

  static func registrationContext(_ id: UUID) -> String { "registration/\(id.text)/email" }

  /// A mail that can't be sent loses nothing: the registration stands, and she can ask for another.
  /// - Parameter token: `nil` when the address has an account already.
  private func sendMail(to email: EmailAddress, displayName: String, token: String?, visit: Visit) async {
    let kind = token == nil ? "exists" : "confirm"
    let link = token.map { issuer.origin.url("/confirm?token=\($0)") } ?? issuer.origin.url("/signin")
    let arguments = ["name": displayName, "link": link, "city": visit.cities.city.name(visit.language)]
    do {
      try await mail.send(
        to: email.text, subject: visit.text("identity.mail.\(kind).subject", arguments),
        text: visit.text("identity.mail.\(kind).text", arguments), language: visit.language)
    } catch {
      visit.logger.warning("a registration's mail was not sent", metadata: ["error": "\(type(of: error))"])
    }
  }

  // MARK: Waiting for the mail

  private func checkMailPage(_ visit: Visit) async throws -> Answer {
    guard let browser = visit.cookie(IdentityService.registrationCookie),
      let row = try await database.one(
        """
        SELECT id, email_sealed, continue_path FROM \(schema).registration
        WHERE browser_digest = \(Secret.digest(browser)) AND expires_at > \(visit.now)
        """)
    else { return .redirect("/register") }
    let email = sealer.open(try row.get("email_sealed"), context: IdentityService.registrationContext(try row.get("id")))
    let path = ContinuePath.read(try row.getIfPresent("continue_path"))
    return .page(
      Page(
        "identity.check-mail", title: visit.text("identity.checkMail.title"),
        [
          "lead": visit.text("identity.checkMail.lead", ["email": email ?? ""]), "again": visit.query("again") == "1",
          "registerURL": path.map { "/register?continue=\(Renderer.encode($0))" } ?? "/register",
        ]))
  }

  /// Sends the mail once more, with a new token, at most five times and a minute apart.
  private func sendAgain(_ visit: Visit) async throws -> Answer {
    let token = Secret.random(bytes: 32)
    guard let browser = visit.cookie(IdentityService.registrationCookie),
      let row = try await database.one(
        """
        UPDATE \(schema).registration
        SET token_digest = \(Secret.digest(token)), sent_count = sent_count + 1, sent_at = \(visit.now)
        WHERE browser_digest = \(Secret.digest(browser)) AND expires_at > \(visit.now) AND sent_count < 5
          AND sent_at <= \(visit.now - .seconds(60))
        RETURNING id, email_sealed, display_name, password_hash IS NULL AS has_account
        """)
    else { throw Problem(.tooManyRequests, ["seconds": "60"], retryAfter: 60) }
    let email = sealer.open(try row.get("email_sealed"), context: IdentityService.registrationContext(try row.get("id")))
    guard let email = email.flatMap({ EmailAddress($0) }) else { return .redirect("/register") }
    let hasAccount = try row.get("has_account", as: Bool.self)
    if try await countAttempt(.mail, email.text, now: visit.now) <= attempts.mailsPerAddress {
      await sendMail(to: email, displayName: try row.get("display_name"), token: hasAccount ? nil : token, visit: visit)
    }
    return visit.wantsJSON
      ? .json(["status": "confirmation_sent"], status: .accepted) : .redirect("/register/sent?again=1")
  }

  func registerForm(_ visit: Visit, continuing path: String?, input: Input?, problem: Problem?) async throws -> Answer {
    let form = FormState(["display_name", "email", "password"], input: input, problem: problem, visit: visit)
    var model = form.fields
    if var password = model["password"] as? [String: any Sendable] {
      password["value"] = nil
      password["is"] = nil
      model["password"] = password
    }
    model["continue"] = path
    model["shortest"] = "\(PasswordRules.shortest)"
    model["signInURL"] = path.map { "/signin?continue=\(Renderer.encode($0))" } ?? "/signin"
    return .page(
      Page("identity.register", title: visit.text("identity.register.title"), model),
      status: problem == nil ? .ok : .unprocessableContent)
  }
}
