import Foundation
import Kit
import Testing

@testable import Gateway

@Suite("Who is sent where (R6)") struct RoutingTests {
  private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "tenants.yaml")

  /// The repository's own city, with the rules of R6 in full whatever its file says today.
  static let rules = """
    routing:
      - {when: {age: "<= 18", goal: general}, to: dreamseed}
      - {when: {goal: university}, to: univprep}
      - {when: {goal: college}, to: collegeprep}
      - {when: {goal: career}, to: skillprep}
      - {when: {goal: medical}, to: mediprep}
      - {when: {goal: major}, to: majorprep}
      - {when: {goal: korean | culture}, to: my-ktube}
      - {when: {goal: town}, nearest: town, within: 60km}
      - {when: {goal: town}, to: jeju}
      - {to: dreamseed}
    """

  /// Reads a document's rules as the composition root does.
  static func read(_ yaml: String, closed: Set<String> = []) throws -> RoutingRules {
    let document = try ConfigDocument(yaml: yaml, file: "tenants.yaml")
    let root = document.root
    let tenants = root.stanzas("tenants").compactMap { key, section -> RoutingRules.Tenant? in
      section.leaveOpen()
      section.section("settings", required: false)?.leaveOpen()
      return TenantID(key).map { .init(id: $0, kind: section.string("module") ?? "", isOpen: !closed.contains(key)) }
    }
    let rules = RoutingRules(reading: root, tenants: tenants)
    root.leaveOpen()
    try document.finish()
    return rules
  }

  private let rules: RoutingRules

  init() throws {
    let text = try String(contentsOf: RoutingTests.file, encoding: .utf8)
    let withoutRules = text.replacing(/(?m)^routing:[^\n]*\n(?:[ #][^\n]*\n|\n)*/, with: RoutingTests.rules + "\n\n")
    rules = try RoutingTests.read(withoutRules)
  }

  @Test("the repository's file itself can be read")
  func file() throws {
    let rules = try RoutingTests.read(String(contentsOf: RoutingTests.file, encoding: .utf8))
    #expect(rules.rules.last?.conditions.isEmpty == true)
    #expect(rules.route(Traveller(goal: .university))?.tenant.text == "univprep")
  }

  @Test(
    "each rule of R6 leads where it says",
    arguments: [
      (Traveller(age: 12, goal: .general), "dreamseed", 1), (Traveller(goal: .university), "univprep", 2),
      (Traveller(goal: .college), "collegeprep", 3), (Traveller(goal: .career), "skillprep", 4),
      (Traveller(goal: .medical), "mediprep", 5), (Traveller(goal: .major, major: "physics"), "majorprep", 6),
      (Traveller(goal: .korean), "my-ktube", 7), (Traveller(goal: .culture), "my-ktube", 7),
      (Traveller(age: 40, goal: .general), "dreamseed", 10), (Traveller(), "dreamseed", 10),
      (Traveller(age: 17, goal: .university), "univprep", 2),
    ])
  func rule(_ traveller: Traveller, _ tenant: String, _ number: Int) throws {
    let decision = try #require(rules.route(traveller))
    #expect(decision.tenant.text == tenant)
    #expect(decision.rule.number == number)
    #expect(decision.passed.map(\.rule.number) == Array(1..<number))
    #expect(decision.passed.allSatisfy { !$0.obstacles.isEmpty })
    #expect(decision.seat == .first)
  }

  @Test("eighteen is still within the first rule, nineteen is not, and who doesn't tell her age is not asked twice")
  func boundary() throws {
    #expect(rules.route(Traveller(age: 18, goal: .general))?.rule.number == 1)
    let grown = try #require(rules.route(Traveller(age: 19, goal: .general)))
    #expect(grown.rule.number == 10)
    #expect(grown.passed[0].obstacles == [.fails(.age(.atMost, 18))])
    let silent = try #require(rules.route(Traveller(goal: .general)))
    #expect(silent.passed[0].obstacles == [.unknown(.age(.atMost, 18))])
  }

  @Test("an age follows from the year of birth: the one reached this year", arguments: [(2008, 18), (2007, 19), (2026, 0)])
  func birthYear(_ year: Int, _ age: Int) throws {
    #expect(Traveller.age(bornIn: year, on: try #require(CivilDate(year: 2026, month: 1, day: 1))) == age)
    #expect(Traveller.age(bornIn: year, on: try #require(CivilDate(year: 2026, month: 12, day: 31))) == age)
  }

  @Test("every comparison, at its bound and beside it")
  func comparisons() {
    func holds(_ comparison: RoutingCondition.Comparison) -> [Bool?] {
      [17, 18, 19].map { RoutingCondition.age(comparison, 18).holds(for: Traveller(age: $0), areas: [:]) }
    }
    #expect(holds(.less) == [true, false, false])
    #expect(holds(.atMost) == [true, true, false])
    #expect(holds(.exactly) == [false, true, false])
    #expect(holds(.atLeast) == [false, true, true])
    #expect(holds(.more) == [false, false, true])
  }

  @Test("the first rule that holds wins: turned round, the same traveller goes elsewhere")
  func order() throws {
    let tenants = "tenants:\n  aa: {module: prep}\n  bb: {module: prep}\n"
    let one = "  - {when: {goal: medical}, to: aa}\n", two = "  - {when: {age: \">= 10\"}, to: bb}\n"
    let traveller = Traveller(age: 20, goal: .medical)
    let (first, second) = (
      try RoutingTests.read(tenants + "routing:\n" + one + two + "  - {to: aa}\n"),
      try RoutingTests.read(tenants + "routing:\n" + two + one + "  - {to: aa}\n")
    )
    #expect(first.route(traveller)?.tenant.text == "aa")
    #expect(second.route(traveller)?.tenant.text == "bb")
  }

  @Test("what isn't said is inferred, and told to be: a major, then a place, then nothing particular")
  func inference() throws {
    let major = try #require(rules.route(Traveller(major: "화학")))
    #expect(major.tenant.text == "majorprep" && major.isGoalInferred && major.goal == .major)
    let place = try #require(rules.route(Traveller(point: GeographicPoint(latitude: 35.1, longitude: 129.0))))
    #expect(place.tenant.text == "busan" && place.goal == .town)
    #expect(rules.route(Traveller(goal: .general))?.isGoalInferred == false)
  }

  @Test("a tenant that is closed takes nobody, and the explanation names it")
  func closed() throws {
    let decision = try #require(rules.route(Traveller(goal: .university), isOpen: { $0.text != "univprep" }))
    #expect(decision.tenant.text == "dreamseed")
    #expect(decision.passed[1].obstacles == [.closed(try #require(TenantID("univprep")))])
    #expect(rules.route(Traveller(goal: .university), isOpen: { _ in false }) == nil)
  }

  @Test("the rules that lead to a tenant")
  func leading() throws {
    func numbers(_ tenant: String) throws -> [Int] {
      rules.rules(leadingTo: try #require(TenantID(tenant))).map(\.number)
    }
    #expect(try numbers("dreamseed") == [1, 10])
    #expect(try numbers("jeju") == [8, 9])
    #expect(try numbers("busan") == [8])
    #expect(try numbers("artprep") == [])
  }

  @Test("conditions on major, interest, language and place")
  func conditions() throws {
    let rules = try RoutingTests.read(
      """
      tenants:
        aa: {module: prep}
        bb: {module: prep}
        cc: {module: prep}
        dd: {module: prep}
        jeju: {module: town, settings: {area: {south: 33.1, north: 33.6, west: 126.1, east: 126.9}}}
      routing:
        - {when: {place: jeju, language: en | ja}, to: jeju}
        - {when: {near: jeju within 100km}, to: dd}
        - {when: {major: physics | 화학}, to: aa}
        - {when: {major: any}, to: bb}
        - {when: {interest: K-pop}, to: cc}
        - {to: aa}
      """)
    func tenant(_ traveller: Traveller) -> String? { rules.route(traveller)?.tenant.text }
    let (inside, near) = (
      GeographicPoint(latitude: 33.5, longitude: 126.5), GeographicPoint(latitude: 34.3, longitude: 126.5)
    )
    #expect(tenant(Traveller(languages: ["ja"], point: inside)) == "jeju")
    #expect(tenant(Traveller(languages: ["ko"], point: inside)) == "dd")
    #expect(tenant(Traveller(point: near)) == "dd")
    #expect(tenant(Traveller(major: " Physics ")) == "aa")
    #expect(tenant(Traveller(major: "law")) == "bb")
    #expect(tenant(Traveller(interest: "k-POP")) == "cc")
    #expect(tenant(Traveller(interest: "chess")) == "aa")
  }
}
