import Foundation
import HTTPTypes
import Kit
import Web

/// `/family`: the owner's view, the member's, and nobody's.
extension FamilyService {
  static let homeEndpoints: [Endpoint<FamilyService>] = [
    .get(
      "/family",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "family", "The family you pay for, and the one you sit with; neither is absent.", output: FamilyView.shape))
    ) { family, visit in try await family.home(visit) }
  ]

  /// A form of `/family` that was refused.
  struct RefusedForm: Sendable {
    enum Name: Sendable { case invite, child, none }
    let name: Name
    let input: Input?
    let problem: Problem?
    /// Why, when it is no field's fault.
    let reason: String?

    init(_ name: Name, _ input: Input?, problem: Problem? = nil, reason: String? = nil) {
      self.name = name
      self.input = input
      self.problem = problem
      self.reason = reason
    }
  }

  /// Runs an act of `/family`. What was refused is said there; a program gets the problem.
  func acting(
    _ visit: Visit, form: RefusedForm.Name = .none, _ input: Input? = nil, done: String,
    _ act: (PersonID) async throws -> Answer?
  ) async throws -> Answer {
    let person = try visit.requireSession().person
    do {
      if let answer = try await act(person) { return answer }
      guard visit.wantsJSON else { return .redirect("/family?done=\(done)") }
      return .json(FamilyView(try await household(of: person), at: visit.now))
    } catch let refusal as FamilyRefusal {
      if visit.wantsJSON { throw refusal.problem(visit) }
      return try await home(visit, refused: RefusedForm(form, input, reason: refusal.text(visit)), status: .conflict)
    } catch let problem as Problem where problem.kind == .invalidInput && !visit.wantsJSON {
      return try await home(visit, refused: RefusedForm(form, input, problem: problem), status: .unprocessableContent)
    }
  }

  /// What a notice says after an act.
  private static let acts: Set<String> = ["invited", "withdrawn", "joined", "left", "removed", "child", "seat"]

  func home(_ visit: Visit, refused: RefusedForm? = nil, status: HTTPResponse.Status = .ok) async throws -> Answer {
    let person = try visit.requireSession().person
    let household = try await household(of: person)
    if visit.wantsJSON { return .json(FamilyView(household, at: visit.now)) }
    var model: [String: any Sendable] = [:]
    if let done = visit.query("done"), FamilyService.acts.contains(done), refused == nil {
      model["done"] = visit.text("billing.family.done.\(done)")
    }
    if let reason = refused?.reason { model["reason"] = reason }
    if let own = household.own { model["own"] = ownModel(own, refused, visit) }
    if let elsewhere = household.elsewhere { model["elsewhere"] = elsewhereModel(elsewhere, visit) }
    if household.own == nil, household.elsewhere == nil { model["offer"] = offerModel(visit) }
    return .page(Page("billing.family", title: visit.text("billing.family.title"), model), status: status)
  }

  private func ownModel(_ own: Household.Own, _ refused: RefusedForm?, _ visit: Visit) -> [String: any Sendable] {
    func number(_ count: Int) -> String { visit.format.number(Int64(count)) }
    let taken = own.members.count
    var model: [String: any Sendable] = [
      "isLive": own.room != nil, "canAdd": own.canAdd, "isFull": own.room != nil && taken >= own.seats,
      "isPlanned": own.room.map { taken < $0.plan.seats && taken >= $0.lasting } ?? false,
      "taken": taken, "seats": own.seats,
      "figures": visit.text("billing.family.figures", ["taken": number(taken), "seats": number(own.seats)]),
      "free": visit.text("billing.family.free", ["count": number(max(0, own.seats - taken))]),
      "members": own.members.map { memberModel($0, visit) },
      "unseated": own.unseated.map {
        [
          "id": $0.person.description, "name": $0.displayName, "signInName": $0.signInName, "canAdd": own.canAdd,
          "url": "/family/members/\($0.person)",
        ] as [String: any Sendable]
      }, "hasUnseated": !own.unseated.isEmpty,
      "invitations": own.invitations.map { invitationModel($0, visit) }, "hasInvitations": !own.invitations.isEmpty,
    ]
    if let plan = own.room?.plan { model["planName"] = plan.name(visit.language) }
    func form(_ name: RefusedForm.Name, _ fields: [String]) -> [String: any Sendable] {
      let its = refused?.name == name ? refused : nil
      return [
        "field": FormState(fields, input: its?.input, problem: its?.problem, visit: visit).fields,
        "refused": its?.problem != nil,
      ]
    }
    model["invite"] = form(.invite, ["label"])
    model["child"] = form(.child, ["name", "signInName", "password"])
    return model
  }

  private func memberModel(_ member: Household.Member, _ visit: Visit) -> [String: any Sendable] {
    let role = member.role == .child && !member.isInCare ? Seat.Role.member : member.role
    var model: [String: any Sendable] = [
      "id": member.person.description, "name": member.name ?? visit.text("billing.family.gone"),
      "role": visit.text("billing.family.role.\(role.rawValue)"), "isOwner": role == .owner,
      "since": visit.text("billing.family.since", ["day": visit.format.date(member.joined)]), "hasSeat": member.hasSeat,
      "isChild": member.isInCare, "url": "/family/members/\(member.person)",
    ]
    if let name = member.signInName { model["signInName"] = name }
    return model
  }

  private func invitationModel(_ invitation: Invitation, _ visit: Visit) -> [String: any Sendable] {
    let state = invitation.state(at: visit.now)
    return [
      "id": invitation.id.text, "label": invitation.label, "isOpen": state == .open, "isTaken": state == .taken,
      "state": visit.text("billing.family.invitation.\(state.rawValue)"),
      "until": visit.text("billing.family.until", ["time": visit.format.dateTime(invitation.expires)]),
    ]
  }

  private func elsewhereModel(_ elsewhere: Household.Elsewhere, _ visit: Visit) -> [String: any Sendable] {
    let owner = elsewhere.ownerName ?? visit.text("billing.family.someone")
    var model: [String: any Sendable] = [
      "heading": visit.text("billing.family.ofOwner", ["name": owner]), "isLive": elsewhere.plan != nil,
      "since": visit.text("billing.family.since", ["day": visit.format.date(elsewhere.joined)]),
      "mayLeave": elsewhere.mayLeave,
      "seen": visit.text(elsewhere.mayLeave ? "billing.family.seenOfMember" : "billing.family.seenOfChild", ["name": owner]),
    ]
    if let plan = elsewhere.plan {
      model["planName"] = plan.name(visit.language)
      model["grants"] = GrantWords(catalogue: subscriptions.catalogue.current(), visit: visit).lines(of: plan)
    }
    return model
  }

  /// What a family plan is, for who has none.
  private func offerModel(_ visit: Visit) -> [String: any Sendable] {
    let catalogue = subscriptions.catalogue.current()
    let currency: Currency = visit.language == .ko ? .krw : .usd
    let plans = catalogue.onSale.filter { $0.seats > 1 && !$0.isFree }.map { plan -> [String: any Sendable] in
      var model: [String: any Sendable] = [
        "name": plan.name(visit.language), "grants": GrantWords(catalogue: catalogue, visit: visit).lines(of: plan),
      ]
      if let price = plan.price(in: currency) ?? plan.prices.first {
        model["price"] = visit.format.money(price)
        model["every"] = visit.text("billing.every.\(plan.every.rawValue)")
      }
      return model
    }
    return ["plans": plans]
  }
}
