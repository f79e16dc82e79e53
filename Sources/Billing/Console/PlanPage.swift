import Crypto
import Foundation
import HTTPTypes
import Kit
import Web

/// One plan: what is sold, what waits to be published, every version there was; and what its operator does with it.
extension OperatorConsole {
  static let planEndpoints: [Endpoint<OperatorConsole>] = [
    .get(
      "/tenants/{id}/plans/{plan}",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "readTenantPlan", "A plan of the tenant with its versions; a plan of the city that reaches it can be read, too.",
          output: .object(StoredPlanView.members + [("versions", .array(versionShape)), ("draftSeen?", .string)]),
          problems: [.notFound]))
    ) { console, visit in
      let desk = try console.desk(visit)
      return try await console.show(try await console.plan(desk), desk)
    },
    .post(
      "/tenants/{id}/plans/{plan}/publish",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "publishTenantPlan",
          "Puts the draft on sale as a new version; again, it gives the version there is. Subscribers keep theirs, unless "
            + "holders_from names a day to come: from then on they renew as this version. With seen (draftSeen of the plan) "
            + "it publishes that draft and no other.",
          input: .object([("holders_from?", .string), ("seen?", .string)]),
          output: .object([("plan", .string), ("version", .integer), ("isNew", .boolean)]),
          problems: [.notFound, .forbidden, .conflict]))
    ) { console, visit in
      let desk = try console.desk(visit)
      return try await console.publish(try await console.changeablePlan(desk), desk)
    },
    .post(
      "/tenants/{id}/plans/{plan}/discard",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "discardTenantPlanDraft", "Throws the draft away. What is on sale stays as it is.", input: .object([]), status: 204,
          problems: [.notFound, .forbidden]))
    ) { console, visit in try await console.discard(try console.desk(visit)) },
    .post(
      "/tenants/{id}/plans/{plan}/withdraw",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "withdrawTenantPlan", "Takes the plan from sale. Subscribers keep theirs. Does nothing the second time.",
          input: .object([]), status: 204, problems: [.notFound, .forbidden]))
    ) { console, visit in
      let desk = try console.desk(visit)
      let stored = try await console.changeablePlan(desk)
      _ = try await visit.input()
      try await console.billing.plans.withdraw(plan: stored.id, of: desk.tenant, by: desk.actor, now: visit.now)
      try await console.billing.live.refresh()
      return visit.wantsJSON ? .noContent : .redirect("\(desk.path(of: stored.id))?done=withdrawn")
    },
  ]

  // MARK: Acts

  private func publish(_ stored: PlanStore.Stored, _ desk: Desk) async throws -> Answer {
    var input = try await desk.visit.input()
    do {
      let holdersFrom = readDay(&input, desk)
      try input.check()
      // Another device has changed it since: nobody sells for a price she hasn't seen.
      if let draft = stored.draft, input.has("seen"), input.typed("seen") != (try OperatorConsole.seen(draft)) {
        throw Problem(.conflict, ["reason": desk.text("plan.changedSince")], members: ["code": "draftChanged"])
      }
      let published = try await billing.plans.publish(
        plan: stored.id, of: desk.tenant, by: desk.actor, holdersFrom: holdersFrom, in: billing.catalogue, now: desk.visit.now)
      try await billing.live.refresh()
      guard desk.visit.wantsJSON else { return .redirect("\(desk.path(of: stored.id))?done=published") }
      struct View: Encodable, Sendable {
        let plan: String
        let version: Int
        let isNew: Bool
      }
      return .json(View(plan: published.plan.text, version: published.version, isNew: published.isNew))
    } catch let problem as Problem where problem.kind == .invalidInput && !desk.visit.wantsJSON {
      return try await show(.own(stored), desk, input: input, problem: problem)
    }
  }

  /// The day from which holders of earlier versions are moved; tomorrow at the earliest, by the city's calendar.
  private func readDay(_ input: inout Input, _ desk: Desk) -> CivilDate? {
    guard input.has("holders_from") else { return nil }
    guard let day = CivilDate(input.typed("holders_from").trimmed) else {
      input.refuse("holders_from", "type", ["expected": "2027-03-01"])
      return nil
    }
    let earliest = tomorrow(desk)
    if day < earliest { input.refuse("holders_from", "outOfRange", ["min": "\(earliest)", "max": "9999-12-31"]) }
    return day
  }

  private func tomorrow(_ desk: Desk) -> CivilDate { CivilDate(desk.visit.now, in: billing.timeZone).adding(days: 1) }

  /// The second click meets a draft that is gone, which is what it wanted.
  private func discard(_ desk: Desk) async throws -> Answer {
    _ = try await desk.visit.input()
    do {
      let stored = try await changeablePlan(desk)
      try await billing.plans.discardDraft(stored.id, of: desk.tenant)
      if desk.visit.wantsJSON { return .noContent }
      return .redirect(stored.current == nil ? "\(desk.path)/plans?done=discarded" : "\(desk.path(of: stored.id))?done=discarded")
    } catch let problem as Problem where problem.kind == .notFound && !desk.visit.wantsJSON {
      guard let plan = desk.visit.parameter("plan"), plan.hasPrefix("\(desk.tenant)-") else { throw problem }
      return .redirect("\(desk.path)/plans?done=discarded")
    }
  }

  /// What tells one draft from another.
  static func seen(_ draft: Plan) throws -> String {
    SHA256.hash(data: Data(try CanonicalJSON.text(draft).utf8)).prefix(8).map {
      String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)
    }
    .joined()
  }

  // MARK: The page

  private static let versionShape = Shape.object([
    ("version", .integer), ("plan", PlanView.shape), ("published", .instant), ("holdersFrom?", .string),
    ("subscribers", .integer),
  ])

  /// The plan as programs get it: its stand, and its versions, the newest first.
  private struct PlanDetail: Encodable, Sendable {
    struct Version: Encodable, Sendable {
      let version: Int
      let plan: PlanView
      let published: String
      let holdersFrom: CivilDate?
      let subscribers: Int
    }
    private enum Key: String, CodingKey { case versions, draftSeen }

    let stored: StoredPlanView
    let versions: [Version]
    let draftSeen: String?

    func encode(to encoder: any Encoder) throws {
      try stored.encode(to: encoder)
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(versions, forKey: .versions)
      try container.encodeIfPresent(draftSeen, forKey: .draftSeen)
    }
  }

  private func show(
    _ plan: ConsolePlan, _ desk: Desk, input: Input? = nil, problem: Problem? = nil
  ) async throws -> Answer {
    let catalogue = billing.catalogue
    let numbers = TenantNumbers(holders: try await holders(at: desk.tenant), earned: [], uses: [])
    let view: StoredPlanView
    let id: PlanID
    let draft: Plan?
    switch plan {
    case .own(let stored): (view, id, draft) = (StoredPlanView(stored, numbers), stored.id, stored.draft)
    case .city(let plan):
      // What does nothing here is not this operator's to see, unless one of hers has it from before.
      guard catalogue.reach(of: plan, to: desk.tenant) != nil || !numbers.counts(of: plan.id).isEmpty else {
        throw Problem(.notFound)
      }
      (view, id, draft) = (StoredPlanView(ofCity: plan, in: catalogue, numbers), plan.id, nil)
    }
    let versions = try await billing.plans.versions(of: id)
    let counts = Dictionary(numbers.counts(of: id).map { ($0.version, $0.count) }) { $0 + $1 }
    let seen = try draft.map(OperatorConsole.seen)
    let detail = PlanDetail(
      stored: view,
      versions: versions.map {
        .init(
          version: $0.version, plan: PlanView($0.plan, version: $0.version, lifts: false), published: $0.published.rfc3339,
          holdersFrom: $0.holdersFrom, subscribers: counts[$0.version] ?? 0)
      }, draftSeen: seen)
    let earliest = tomorrow(desk)
    return .page(json: detail, status: problem == nil ? .ok : .unprocessableContent) {
      PlanModel(
        view: view, id: id, draft: draft, versions: versions, counts: counts, seen: seen, earliest: earliest,
        catalogue: catalogue, desk: desk, input: input, problem: problem
      ).page
    }
  }
}
