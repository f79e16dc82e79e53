import Database
import Foundation
import Kit
import Logging
import Synchronization

@testable import Billing

/// People as Identity knows them, in memory, with an accident when a test wants one.
final class ScriptedPeople: FamilyPeople {
  private struct State {
    var names: [PersonID: String] = [:]
    var children: [PersonID: [FamilyChild]] = [:]
    var passwords: [PersonID: String] = [:]
    var dies = false
  }
  private let state = Mutex(State())

  func name(_ person: PersonID, _ name: String) { state.withLock { $0.names[person] = name } }
  func password(of child: PersonID) -> String? { state.withLock { $0.passwords[child] } }
  func count(of guardian: PersonID) -> Int { state.withLock { $0.children[guardian, default: []].count } }
  /// The next child is made, and the answer lost.
  func loseNextAnswer() { state.withLock { $0.dies = true } }
  /// The child is of age: nobody's care any more.
  func release(_ child: PersonID) {
    state.withLock { for key in $0.children.keys { $0.children[key]?.removeAll { $0.person == child } } }
  }

  func names(_ people: Set<PersonID>) -> [PersonID: String] {
    state.withLock { state in state.names.filter { people.contains($0.key) } }
  }

  func children(of guardian: PersonID) -> [FamilyChild] { state.withLock { $0.children[guardian] ?? [] } }

  func createChild(
    of guardian: PersonID, displayName: String, signInName: String, password: String
  ) async throws -> PersonID {
    // As long as a hash takes, so that two at once are at once.
    try await Task.sleep(for: .milliseconds(20))
    let name = signInName.trimmingCharacters(in: .whitespaces).lowercased()
    return try state.withLock { state in
      guard password.count >= 10 else {
        throw Problem(.invalidInput, fields: [.init("password", "tooShort", ["min": "10", "found": "\(password.count)"])])
      }
      guard !state.children.values.joined().contains(where: { $0.signInName == name }) else {
        throw Problem(.invalidInput, fields: [.init("signInName", "taken")])
      }
      let child = PersonID(UUID())
      state.names[child] = displayName
      state.children[guardian, default: []].append(FamilyChild(person: child, displayName: displayName, signInName: name))
      state.passwords[child] = password
      if state.dies {
        state.dies = false
        throw Problem(.unavailable)
      }
      return child
    }
  }

  func setPassword(_ password: String, of child: PersonID, by guardian: PersonID) throws {
    try state.withLock { state in
      guard state.children[guardian, default: []].contains(where: { $0.person == child }) else { throw Problem(.notFound) }
      guard password.count >= 10 else {
        throw Problem(.invalidInput, fields: [.init("password", "tooShort", ["min": "10", "found": "\(password.count)"])])
      }
      state.passwords[child] = password
    }
  }
}

/// Of whom something is told, and what.
struct ScriptedProgress: FamilyProgress {
  let reports: Shared<[PersonID: FamilyProgressReport]> = Shared([:])

  func progress(of person: PersonID, days: Int) -> FamilyProgressReport {
    reports.value[person] ?? FamilyProgressReport(tenants: [], days: [])
  }
}

/// A value several tasks share.
final class Shared<Value: Sendable>: Sendable {
  private let mutex: Mutex<Value>
  init(_ value: Value) { mutex = Mutex(value) }
  var value: Value {
    get { mutex.withLock { $0 } }
    set { mutex.withLock { $0 = newValue } }
  }
}

/// A shop with families in it.
struct FamilyHouse: Sendable {
  let shop: Shop
  let people = ScriptedPeople()
  let progress = ScriptedProgress()

  var owner: PersonID { shop.person }
  var family: FamilyService { shop.billing.family(people: people, progress: progress) }
  /// The same as another node has it.
  func node() async throws -> FamilyService {
    try await shop.node().billing.family(people: people, progress: progress)
  }

  /// The secret of a new invitation's link.
  func invite(_ label: String = "언니", by owner: PersonID? = nil) async throws -> String {
    try await family.invite(label, by: owner ?? self.owner, key: nil).secret ?? ""
  }

  @discardableResult
  func joined(_ person: PersonID = .anyone) async throws -> PersonID {
    try await family.join(try await invite(), by: person)
    return person
  }

  func draft(_ signInName: String = "haneul", _ name: String = "하늘") -> FamilyService.ChildDraft {
    FamilyService.ChildDraft(name: name, signInName: signInName, password: "a long password")
  }

  /// Who sits there, in order.
  func seated(_ owner: PersonID? = nil) async throws -> [PersonID] {
    guard let account = try await shop.subscriptions.account(of: owner ?? self.owner) else { return [] }
    return try await shop.subscriptions.accounts.seats(at: account.id, in: shop.database).map(\.person)
  }

  func isUnlimited(_ person: PersonID) async throws -> Bool {
    try await shop.billing.entitlements.check(person, "prep.item", at: .majorprep) == .unlimited
  }

  func refusal(_ act: () async throws -> Void) async throws -> FamilyRefusal? {
    do {
      try await act()
      return nil
    } catch let refusal as FamilyRefusal {
      return refusal
    }
  }

  /// The actions of the audit, in order.
  func audited() async throws -> [String] {
    try await shop.database.query("SELECT action FROM \(Bench.schema).audit WHERE action LIKE 'family.%' ORDER BY number")
      .map { try $0.get("action") }
  }
}

/// A family plan of three seats, paid for.
func withFamily(_ body: (FamilyHouse) async throws -> Void) async throws {
  try await withShop { shop in
    let house = FamilyHouse(shop: shop)
    house.people.name(shop.person, "민아")
    try await shop.subscribe(Shop.order("family"))
    try await body(house)
  }
}

/// The same with as many seats as one likes.
func withFamily(seats: Int, _ body: (FamilyHouse) async throws -> Void) async throws {
  let plans = PlanCatalogue.shop.plans.map { plan in
    plan.seats == 1
      ? plan
      : Plan(id: plan.id, owner: plan.owner, name: plan.name, prices: plan.prices, seats: seats, grants: plan.grants)
  }
  let catalogue = PlanCatalogue(plans: plans, tenants: PlanCatalogue.tenants, features: PlanCatalogue.features)
  try await withBilling(catalogue) { bench in
    let gateway = ScriptedGateway()
    let billing = BillingService(
      database: bench.database, schema: Bench.schema, clock: bench.clock.domain, timeZone: TimeZone(identifier: "Asia/Seoul")!,
      catalogue: catalogue,
      selling: BillingService.Selling(
        sellers: [Seller(id: "dreamseed-kr", name: "드림시드 주식회사", country: "KR")], seller: "dreamseed-kr", earners: [:],
        gateway: gateway, gatewayOrigins: []),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try await billing.prepare()
    let house = FamilyHouse(shop: Shop(bench: bench, gateway: gateway, billing: billing, person: .anyone))
    try await house.shop.subscribe(Shop.order("family"))
    try await body(house)
  }
}
