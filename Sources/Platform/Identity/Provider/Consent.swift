import Database
import Foundation
import Kit
import Web

extension IdentityService {
  /// Whether a person must be asked first what a client may know of her. The city's own sites need not ask.
  func needsConsent(_ request: AuthorizationRequest, of person: PersonID) async throws -> Bool {
    if request.client.isFirstParty { return false }
    if request.prompt.contains("consent") { return true }
    let row = try await database.one(
      "SELECT scope FROM \(schema).consent WHERE person = \(person) AND client = \(request.client.id)")
    guard let row else { return true }
    let granted = Set(try row.get("scope", as: [String].self))
    return !granted.isSuperset(of: request.scope) || !granted.isSuperset(of: request.claims.map { "claim:\($0)" })
  }

  func consentPage(_ request: AuthorizationRequest, parameters: Parameters, visit: Visit) -> Answer {
    let asked =
      request.scope + (request.claims.contains { $0.hasPrefix("email") } ? ["email"] : [])
      + (request.claims.contains { !$0.hasPrefix("email") } ? ["profile"] : [])
    let items = AuthorizationRequest.knownScopes.filter(asked.contains).map { visit.text("identity.consent.scope.\($0)") }
    let page = Page(
      "identity.consent", title: visit.text("identity.consent.title", ["client": request.client.name(visit.language)]),
      [
        "items": items, "continue": "/authorize?\(parameters.query)",
        "lead": visit.text("identity.consent.lead", ["name": visit.session?.displayName ?? ""]),
      ])
    return .page(page.allowingForms(to: RedirectURI.origin(of: request.redirectURI).map { [$0] } ?? []))
  }

  /// Her answer. The request is read anew: what stands in the form is hers to change, not ours to trust.
  func decideConsent(_ visit: Visit) async throws -> Answer {
    let session = try visit.requireSession()
    let input = try await visit.input()
    guard let path = ContinuePath.read(input.typed("continue")), let request = try await pendingRequest(path) else {
      throw Problem(.malformedRequest, ["reason": visit.text("identity.refused.request")])
    }
    guard input.typed("decision") == "allow" else {
      return deliver(
        AuthorizationResponse(to: request, error: OAuthError(.accessDenied, "the person has not agreed")), visit: visit)
    }
    let scope = request.scope + request.claims.map { "claim:\($0)" }
    try await database.transaction { [self] transaction in
      try await transaction.execute(
        """
        INSERT INTO \(schema).consent AS c (person, client, scope, granted_at)
        VALUES (\(session.person), \(request.client.id), \(scope), \(visit.now))
        ON CONFLICT (person, client) DO UPDATE SET granted_at = excluded.granted_at,
          scope = ARRAY(SELECT DISTINCT unnest(c.scope || excluded.scope) ORDER BY 1)
        """)
      try await audit(
        "consent.granted", actor: session.person, subject: session.person.uuid, detail: ["client": .string(request.client.id)],
        at: visit.now, in: transaction)
    }
    let parameters = Parameters(pathAndQuery: path)
    let prompt = request.prompt.subtracting(["consent"]).sorted().joined(separator: " ")
    return .redirect("/authorize?\(parameters.setting("prompt", prompt.isEmpty ? nil : prompt).query)")
  }
}
