import Database
import Foundation
import HTTPTypes
import Hummingbird
import Kit
import Web

extension IdentityService {
  static let signOutEndpoints: [Endpoint<IdentityService>] = [
    .get("/signout") { service, visit in
      visit.session == nil ? service.signedOutPage(visit) : service.signOutPage(visit)
    },
    .post(
      "/signout",
      EndpointRules(operation: Operation("signOut", "Sign out everywhere", input: .object([]), status: 204))
    ) { service, visit in try await service.signOut(visit) },
    .delete(
      "/signout", EndpointRules(operation: Operation("endSession", "Sign out everywhere", status: 204))
    ) { service, visit in try await service.signOut(visit) },
    .get("/signed-out") { service, visit in service.signedOutPage(visit) },
  ]

  private func signOut(_ visit: Visit) async throws -> Answer {
    if let session = visit.session { try await revoke(session: session.id, actor: session.person) }
    visit.clearCookie(IdentityService.sessionCookie)
    return visit.wantsJSON || visit.request.method == .delete ? .noContent : .redirect("/signed-out")
  }

  private func signOutPage(_ visit: Visit) -> Answer {
    .page(
      Page(
        "identity.sign-out", title: visit.text("identity.signOut.title"),
        ["lead": visit.text("identity.signOut.lead", ["name": visit.session?.displayName ?? ""])]))
  }

  private func signedOutPage(_ visit: Visit) -> Answer {
    .page(Page("identity.signed-out", title: visit.text("identity.signOut.doneTitle")))
  }

  /// RP-Initiated Logout 1.0. Only a token we have signed, and an address registered by the client it was for, sign out and
  /// lead on without a question; anything else asks her first, and leads nowhere.
  func logout(_ visit: Visit) async throws -> Answer {
    let parameters: Parameters
    if visit.request.method == .post {
      parameters = Parameters((try? await visit.input()) ?? Input([:]))
    } else {
      parameters = Parameters(pathAndQuery: visit.pathAndQuery)
    }
    guard let destination = try await destination(of: parameters, now: visit.now) else {
      return visit.session == nil ? signedOutPage(visit) : signOutPage(visit)
    }
    try await revoke(session: destination.session, actor: destination.person)
    // The same person in this browser under a newer session means the same thing by it.
    if let present = visit.session, present.person == destination.person {
      if present.id != destination.session { try await revoke(session: present.id, actor: present.person) }
      visit.clearCookie(IdentityService.sessionCookie)
    }
    return .redirect(destination.address)
  }

  private struct Destination: Sendable {
    let session: UUID
    let person: PersonID
    let address: String
  }

  private func destination(of parameters: Parameters, now: Instant) async throws -> Destination? {
    guard parameters.doubled.isEmpty, let hint = parameters["id_token_hint"],
      let address = parameters["post_logout_redirect_uri"],
      let claims = try await keys.verify(hint, now: now), let session = UUID(uuidString: claims.sid),
      let person = PersonID(claims.sub), parameters["client_id"] == nil || parameters["client_id"] == claims.aud,
      let client = try await client(claims.aud), RedirectURI.isRegistered(address, in: client.postLogoutRedirectURIs)
    else { return nil }
    let state = parameters["state"].map { [("state", $0)] } ?? []
    return Destination(
      session: session, person: person, address: state.isEmpty ? address : RedirectURI.adding(state, to: address))
  }
}
