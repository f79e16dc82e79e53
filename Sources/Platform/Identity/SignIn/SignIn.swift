import Database
import Foundation
import HTTPTypes
import Keys
import Kit
import Web

extension IdentityService {
  static let signInEndpoints: [Endpoint<IdentityService>] = [
    .get("/signin") { service, visit in try await service.signInPage(visit) },
    .post(
      "/signin",
      EndpointRules(
        limit: "auth", bodyLimit: 16 * 1024,
        operation: Operation(
          "signIn", "Sign in with e-mail or sign-in name, and password; the answer sets the session's cookie",
          input: .object([("email", .text(1...254)), ("password", .text(1...PasswordRules.longest))]),
          output: .object([("person", .uuid), ("display_name", .string)])))
    ) { service, visit in try await service.signIn(visit) },
  ]

  /// Whether a password is an account's. Does the same work where there is no account.
  ///
  /// - Parameter typed: an e-mail or a sign-in name.
  /// - Returns: `nil` for a wrong password, an unknown name and a suspended account alike.
  /// - Throws: ``Kit/Problem`` `too-many-requests` after too many failures; `unavailable` when too many hashes wait.
  func authenticate(_ typed: String, password: String, network: String?, now: Instant) async throws -> PersonID? {
    // Both are read, and what is neither goes the same way: it is counted, looked up and hashed for.
    let (address, signInName) = (EmailAddress(typed), SignInName(typed))
    let name = address?.text ?? signInName?.text ?? typed
    try await admitAttempt(account: name, network: network, now: now)
    let known = try await credentials(for: emailFingerprint.bytes(name), or: signInName)
    let matches = try await hasher.verify(password, against: known?.passwordHash ?? PasswordHasher.decoy)
    guard matches, let known, known.isActive else { return nil }
    try await forgiveAttempt(account: name, network: network, now: now)
    if PasswordHasher.isOutdated(known.passwordHash) {
      let fresh = try await hasher.hash(password)
      try await database.execute(
        """
        UPDATE \(schema).account SET password_hash = \(fresh)
        WHERE id = \(known.person) AND password_hash = \(known.passwordHash)
        """)
    }
    return known.person
  }

  private func signIn(_ visit: Visit) async throws -> Answer {
    var input = try await visit.input()
    let email = input.text("email", length: 1...254)
    let password = input.secret("password", length: 1...PasswordRules.longest)
    let path = ContinuePath.read(input.typed("continue"))
    do {
      try input.check()
      guard let person = try await authenticate(email, password: password, network: network(visit), now: visit.now)
      else { throw Problem(.invalidInput, fields: [.init("email", "credentials")]) }
      try await startSession(person, visit: visit)
      if visit.wantsJSON {
        return .json(SignedIn(person: person, displayName: try await names([person])[person] ?? ""))
      }
      return .redirect(path ?? accountURL(visit))
    } catch let problem as Problem where !visit.wantsJSON && (problem.kind == .invalidInput || problem.kind == .tooManyRequests) {
      return try await signInForm(visit, continuing: path, input: input, problem: problem)
    }
  }

  private func signInPage(_ visit: Visit) async throws -> Answer {
    let path = ContinuePath.read(visit.query("continue"))
    return try await signInForm(visit, continuing: path, input: nil, problem: nil)
  }

  private func signInForm(_ visit: Visit, continuing path: String?, input: Input?, problem: Problem?) async throws -> Answer {
    let asked = try await pendingRequest(path)
    let form = FormState(
      ["email", "password"], input: input, problem: problem, initial: ["email": asked?.loginHint ?? ""], visit: visit)
    var model = form.fields
    // A password never comes back, whatever was wrong.
    model["password"] = nil
    model["continue"] = path
    model["registerURL"] = path.map { "/register?continue=\(Renderer.encode($0))" } ?? "/register"
    model["clientName"] = asked?.client.name(visit.language)
    model["confirmed"] = visit.query("confirmed") == "1"
    if let problem {
      model["problem"] =
        problem.kind == .tooManyRequests
        ? visit.text("web.problem.too-many-requests.detail", problem.arguments) : visit.text("identity.signIn.wrong")
    }
    let page = Page("identity.sign-in", title: visit.text("identity.signIn.title"), model)
      .allowingForms(to: formTargets(asked, visit: visit))
    return .page(page, status: problem.map { .init(code: $0.kind.status) } ?? .ok)
  }

  /// Where the redirects behind a form may lead (CSP `form-action`): the client that waits, or the city.
  func formTargets(_ asked: AuthorizationRequest?, visit: Visit) -> [String] {
    asked.flatMap { RedirectURI.origin(of: $0.redirectURI) }.map { [$0] } ?? ["\(visit.cities.city.origin)"]
  }

  struct SignedIn: Encodable, Sendable {
    let person: PersonID
    let displayName: String
    enum CodingKeys: String, CodingKey {
      case person
      case displayName = "display_name"
    }
  }
}
