import Foundation
import HTTPTypes
import Kit
import Web

/// `/family/join`: who invites, what a seat gives, and what the owner sees of who takes it.
extension FamilyService {
  static let joinEndpoints: [Endpoint<FamilyService>] = [
    .get(
      "/family/join",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "lookAtInvitation", "Who invites you, and to what; or why the link can't be taken.",
          query: [Operation.Parameter("token", "The secret of the link")], output: OfferView.shape, problems: [.conflict]))
    ) { family, visit in try await family.joinPage(visit, visit.query("token") ?? "") },
    .post(
      "/family/join",
      EndpointRules(
        access: .signedIn, limit: "post",
        operation: Operation(
          "joinFamily", "Takes an invitation. It can be taken once; repeated by the same person, nothing changes.",
          input: .object([("token", .string)]), output: FamilyView.shape, problems: [.invalidInput, .conflict]))
    ) { family, visit in
      var input = try await visit.input()
      let person = try visit.requireSession().person
      let token = input.text("token", length: 1...200)
      if visit.wantsJSON { try input.check() }
      do {
        try await family.join(token, by: person)
      } catch let refusal as FamilyRefusal {
        if visit.wantsJSON { throw refusal.problem(visit) }
        return FamilyService.refusedPage(refusal, visit)
      }
      guard visit.wantsJSON else { return .redirect("/family?done=joined") }
      return .json(FamilyView(try await family.household(of: person), at: visit.now))
    },
  ]

  private func joinPage(_ visit: Visit, _ token: String) async throws -> Answer {
    let person = try visit.requireSession().person
    guard let invitation = try await invitation(secret: token, in: database),
      let account = try await accounts.account(invitation.account, in: database)
    else { return try refused(.unknownLink, visit) }
    switch try await verdict(on: invitation, of: account, for: person, at: clock.now(), in: database) {
    case .refused(let refusal): return try refused(refusal, visit)
    case .seated: return visit.wantsJSON ? .json(OfferView(isTakenByYou: true)) : .redirect("/family")
    case .welcome(let plan):
      let owner = try await people.names([account.owner])[account.owner]
      let view = OfferView(
        isTakenByYou: false, owner: owner, plan: plan.id.text, expires: invitation.expires.rfc3339,
        ownPlan: try await ownPlan(of: person)?.id.text)
      return .page(try await offerPage(plan, invitation, token, owner: owner, person, visit), json: view)
    }
  }

  /// The plan a person pays for herself. It goes on beside the family's until she ends it.
  private func ownPlan(of person: PersonID) async throws -> Plan? {
    guard let account = try await accounts.account(ownedBy: person, in: database),
      let current = try await subscriptions.current(of: account.id, in: database), current.isLive
    else { return nil }
    return try await subscriptions.plan(current.terms)
  }

  private func offerPage(
    _ plan: Plan, _ invitation: Invitation, _ token: String, owner name: String?, _ person: PersonID, _ visit: Visit
  ) async throws -> Page {
    let owner = name ?? visit.text("billing.family.someone")
    var model: [String: any Sendable] = [
      "planName": plan.name(visit.language), "token": token,
      "grants": GrantWords(catalogue: subscriptions.catalogue.current(), visit: visit).lines(of: plan),
      "lead": visit.text("billing.family.join.lead", ["name": owner, "plan": plan.name(visit.language)]),
      "seen": visit.text("billing.family.seenOfMember", ["name": owner]),
      "until": visit.text("billing.family.until", ["time": visit.format.dateTime(invitation.expires)]),
    ]
    if let own = try await ownPlan(of: person) {
      model["keeps"] = visit.text("billing.family.join.keeps", ["plan": own.name(visit.language)])
    }
    return Page("billing.family-join", title: visit.text("billing.family.join.title", ["name": owner]), model)
  }

  private func refused(_ refusal: FamilyRefusal, _ visit: Visit) throws -> Answer {
    if visit.wantsJSON { throw refusal.problem(visit) }
    return FamilyService.refusedPage(refusal, visit)
  }

  private static func refusedPage(_ refusal: FamilyRefusal, _ visit: Visit) -> Answer {
    let page = Page(
      "billing.family-refused", title: visit.text("billing.family.join.refused"),
      ["reason": refusal.text(visit), "leadsToFamily": refusal == .ownLink || refusal == .alreadyInFamily])
    return .page(page, status: .conflict)
  }
}

/// What programs get of an invitation they have the link of.
struct OfferView: Encodable, Sendable {
  /// She sits there already, by this link.
  let isTakenByYou: Bool
  var owner: String?
  var plan: String?
  var expires: String?
  /// What she pays for herself, and goes on paying for.
  var ownPlan: String?

  static let shape = Shape.object([
    ("isTakenByYou", .boolean), ("owner?", .string), ("plan?", .string), ("expires?", .instant), ("ownPlan?", .string),
  ])
}
