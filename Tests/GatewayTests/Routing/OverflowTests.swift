import Kit
import Testing

@testable import Gateway

@Suite("When a tenant is full, its satellites take over") struct OverflowTests {
  private let rules: RoutingRules
  private let main = TenantID("my-ktube")!
  private let west = TenantID("ktube-us")!
  private let east = TenantID("ktube-eu")!

  init() throws {
    rules = try RoutingTests.read(
      """
      tenants:
        my-ktube: {module: kculture}
        ktube-us: {module: kculture}
        ktube-eu: {module: kculture}
      routing:
        - {when: {goal: korean}, to: my-ktube, overflow: [ktube-us, ktube-eu], capacity: {members: 100}}
        - {to: my-ktube}
      """)
  }

  private func decide(_ counts: [TenantID: Int], memberships: Set<TenantID> = [], closed: Set<TenantID> = []) -> RoutingDecision?
  {
    rules.route(
      Traveller(goal: .korean, memberships: memberships), count: { tenant, _ in counts[tenant] },
      isOpen: { !closed.contains($0) })
  }

  @Test("the first takes people up to its capacity, the next after it, in order; the same counts decide the same")
  func order() {
    #expect(decide([main: 99])?.tenant == main)
    #expect(decide([main: 100])?.tenant == west)
    #expect(decide([main: 100])?.seat == .overflow(full: [main]))
    #expect(decide([main: 500, west: 100])?.tenant == east)
    #expect(decide([main: 500, west: 100])?.seat == .overflow(full: [main, west]))
    #expect(decide([main: 100, west: 99]) == decide([main: 100, west: 99]))
  }

  @Test("when all are full the first takes people nevertheless, and says that it is")
  func allFull() {
    let decision = decide([main: 100, west: 100, east: 100])
    #expect(decision?.tenant == main)
    #expect(decision?.seat == .allFull)
  }

  @Test("who is a member somewhere stays there, full or not; a closed one can't keep her")
  func sticky() {
    #expect(decide([main: 900, east: 900], memberships: [east])?.tenant == east)
    #expect(decide([main: 900], memberships: [main])?.seat == .member)
    #expect(decide([main: 10], memberships: [east], closed: [east])?.tenant == main)
    #expect(decide([:], memberships: [TenantID("jeju")!])?.seat == .first)
  }

  @Test("a tenant that can't be counted is not full; a closed one is passed over")
  func unknown() {
    #expect(decide([:])?.tenant == main)
    #expect(decide([main: 1], closed: [main])?.tenant == west)
    #expect(decide([main: 1], closed: [main])?.seat == .first)
  }

  @Test("the figures that are needed, of whom")
  func measures() {
    #expect(rules.measures == [.members: [main, west, east]])
  }
}

@Suite("Mistakes in the rules are named with their line") struct RoutingMistakeTests {
  private func mistakes(_ rules: String, closed: Set<String> = []) -> String {
    let yaml = """
      tenants:
        aa: {module: prep}
        bb: {module: prep}
        jeju: {module: town, settings: {area: {south: 33.1, north: 33.6, west: 126.1, east: 126.9}}}
      routing:
      \(rules)
      """
    do {
      _ = try RoutingTests.read(yaml, closed: closed)
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test(
    "each by itself",
    arguments: [
      ("  - {to: zz}", "tenants.yaml:6: routing[0].to", "one of the tenants: aa, bb, jeju"),
      ("  - {when: {goal: medical}, to: aa}", "tenants.yaml:6: routing[0].when", "the last rule is for everyone else"),
      ("  - {to: aa}\n  - {to: bb}", "tenants.yaml:6: routing[0].when", "would never hold"),
      ("  - {when: {goal: medicine}, to: aa}\n  - {to: aa}", "tenants.yaml:6: routing[0].when.goal", "medical"),
      ("  - {when: {age: \"=> 18\"}, to: aa}\n  - {to: aa}", "tenants.yaml:6: routing[0].when.age", "a comparison"),
      ("  - {when: {age: \"<= 1800\"}, to: aa}\n  - {to: aa}", "routing[0].when.age", "a comparison"),
      ("  - {when: {wish: 3}, to: aa}\n  - {to: aa}", "routing[0].when.wish", "an unknown key"),
      ("  - {when: {}, to: aa}\n  - {to: aa}", "routing[0].when", "a condition"),
      ("  - {when: {goal: town}, nearest: prep, within: 5km}\n  - {to: aa}", "routing[0].nearest", "settings.area"),
      ("  - {when: {goal: town}, nearest: city, within: 5km}\n  - {to: aa}", "routing[0].nearest", "prep, town"),
      ("  - {when: {goal: town}, nearest: town}\n  - {to: aa}", "routing[0].within", "a distance like 60km"),
      ("  - {when: {goal: town}, nearest: town, within: 60}\n  - {to: aa}", "routing[0].within", "a distance like 60km"),
      ("  - {when: {goal: town}, nearest: town, within: 6km, to: aa}\n  - {to: aa}", "routing[0].to", "either"),
      ("  - {nearest: town, within: 60km}", "routing[0].nearest", "always leads somewhere"),
      ("  - {when: {place: aa}, to: aa}\n  - {to: aa}", "routing[0].when.place", "settings.area"),
      ("  - {when: {near: jeju 30km}, to: aa}\n  - {to: aa}", "routing[0].when.near", "like jeju within 30km"),
      ("  - {to: aa, overflow: [bb]}", "routing[0].capacity", "members"),
      ("  - {to: aa, capacity: {members: 5}}", "routing[0].capacity", "overflow"),
      ("  - {to: aa, overflow: [zz], capacity: {members: 5}}", "routing[0].overflow", "one of the tenants"),
      ("  - {to: aa, overflow: [aa], capacity: {members: 5}}", "routing[0].overflow", "each tenant once"),
      ("  - {to: aa, overflow: [bb], capacity: {members: 5, active: 4}}", "routing[0].capacity", "one of members, active"),
      ("  - {to: aa, overflow: [bb], capacity: {members: 0}}", "routing[0].capacity.members", "from 1"),
      ("  []", "routing", "one rule at least"),
    ])
  func one(_ rules: String, _ place: String, _ expected: String) {
    let found = mistakes(rules)
    #expect(found.contains(place), "\(found)")
    #expect(found.contains(expected), "\(found)")
  }

  @Test("the last rule's tenant must be open; another's need not")
  func closed() {
    #expect(mistakes("  - {to: aa}", closed: ["aa"]).contains("a tenant that is open"))
    #expect(mistakes("  - {when: {goal: major}, to: aa}\n  - {to: bb}", closed: ["aa"]) == "")
  }

  @Test("with no rules, everyone is sent to the first tenant that is open")
  func absent() throws {
    let rules = try RoutingTests.read("tenants:\n  aa: {module: prep}\n  bb: {module: prep}\n", closed: ["aa"])
    #expect(rules.route(Traveller(goal: .medical))?.tenant.text == "bb")
  }
}
