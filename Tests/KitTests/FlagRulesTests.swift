import Foundation
import Testing

@testable import Kit

@Suite("Feature flags") struct FlagRulesTests {
  private let jeju = TenantID("jeju")!
  private let busan = TenantID("busan")!
  private let people = (0..<10_000).map { "0198f6d0-0000-7000-8000-\(String(format: "%012d", $0))" }

  private func isOn(
    _ flag: FlagRules.Flag, at tenant: TenantID?, roles: Set<String> = [], _ subject: String? = nil
  ) -> Bool? {
    FlagRules([flag]).isOn(flag.name, at: tenant, roles: roles, subject: subject)
  }

  @Test("each step of one percent takes about a percent of people in, and nobody out")
  func steps() {
    var before: Set<String> = []
    for percent in 0...100 {
      let rules = FlagRules([.init("new-search", share: percent * 100)])
      let on = Set(people.prefix(4_000).filter { rules.isOn("new-search", at: jeju, roles: [], subject: $0) == true })
      #expect(before.isSubset(of: on))
      // Of 4,000: six deviations of a binomial share are 190 at most.
      #expect(abs(on.count - percent * 40) <= 190)
      before = on
    }
    #expect(before.count == 4_000)
  }

  @Test("a person's number is the same for ever: a new release must not draw lots anew")
  func pinned() {
    let numbers = ["a", "b", people[0], "학생"].map { FlagRules.bucket("gateway.response-cache", $0) }
    #expect(numbers == [2264, 7871, 1814, 6965])
    #expect(numbers.allSatisfy { (0..<10_000).contains($0) })
  }

  @Test("two flags pick different people, and evenly")
  func independence() {
    let one = Set(people.filter { FlagRules.bucket("one", $0) < 1_000 })
    let both = one.count { FlagRules.bucket("two", $0) < 1_000 }
    #expect((50...150).contains(both))
    // "ab" + "c" is not "a" + "bc".
    #expect(FlagRules.bucket("ab", "c") != FlagRules.bucket("a", "bc"))
    let tenths = Dictionary(grouping: people) { FlagRules.bucket("one", $0) / 1_000 }.mapValues(\.count)
    #expect(tenths.count == 10 && tenths.values.allSatisfy { (850...1_150).contains($0) })
  }

  @Test("tenants first, then a role or the share")
  func decisions() {
    let here = FlagRules.Flag("f", tenants: [jeju], share: FlagRules.whole)
    #expect(isOn(here, at: jeju) == true)
    #expect(isOn(here, at: busan) == false)
    #expect(isOn(here, at: nil) == false)
    let everywhere = FlagRules.Flag("f", share: FlagRules.whole)
    #expect(isOn(everywhere, at: nil) == true && isOn(everywhere, at: busan) == true)
    let operators = FlagRules.Flag("f", tenants: [jeju], roles: ["operator"], share: 0)
    #expect(isOn(operators, at: jeju, roles: ["operator", "member"], people[0]) == true)
    #expect(isOn(operators, at: jeju, roles: ["member"], people[0]) == false)
    #expect(isOn(operators, at: busan, roles: ["operator"], people[0]) == false)
    let some = FlagRules.Flag("f", roles: ["operator"], share: 5_000)
    let half = people.prefix(1_000).count { isOn(some, at: jeju, $0) == true }
    #expect((400...600).contains(half))
    #expect(people.prefix(100).allSatisfy { isOn(some, at: jeju, roles: ["operator"], $0) == true })
    // A visitor whom nothing tells from others is not in a share.
    #expect(isOn(some, at: jeju) == false)
    #expect(FlagRules([some]).isOn("other", at: jeju, roles: [], subject: nil) == nil)
  }

  @Test("read from the configuration, with the mistakes where they stand")
  func reading() throws {
    func read(_ yaml: String) throws -> FlagRules {
      let document = try ConfigDocument(yaml: yaml, file: "test.yaml")
      let rules = FlagRules(reading: document.root.section("flags", required: false), tenants: [jeju, busan])
      try document.finish()
      return rules
    }
    let rules = try read(
      """
      flags:
        new-search: {tenants: [jeju], roles: [operator], share: 2.5, about: Search by meaning}
        gateway.response-cache: {about: Answers are kept}
        staff-only: {roles: [operator], about: For those who run it}
      """)
    #expect(rules["new-search"]?.share == 250)
    #expect(rules["new-search"]?.tenants == [jeju] && rules["new-search"]?.roles == ["operator"])
    #expect(rules["gateway.response-cache"]?.share == 10_000 && rules["gateway.response-cache"]?.tenants == nil)
    #expect(rules["staff-only"]?.share == 0)
    #expect(try read("city: {a: 1}\nflags: {}".replacing("city: {a: 1}\n", with: "")).flags.isEmpty)
    do {
      _ = try read(
        "flags:\n  Bad_Name: {share: 101, about: x}\n  b: {tenants: [seoul], about: x}\n  c: {share: 0.001}\n  d: {about: x, on: yes}"
      )
      Issue.record("was read")
    } catch let error as ConfigMistakes {
      #expect(
        error.mistakes.map { "\($0.line) \($0.key)" } == [
          "2 flags.Bad_Name", "2 flags.Bad_Name.share", "3 flags.b.tenants", "4 flags.c.about", "4 flags.c.share", "5 flags.d.on",
        ])
    }
  }
}
