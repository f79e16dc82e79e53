import Kit
import Testing

@testable import Gateway

@Suite("Coordinates lead to a town") struct TownFindingTests {
  private static func rules(within: String = "60km", more: String = "") throws -> RoutingRules {
    try RoutingTests.read(
      """
      tenants:
        jeju: {module: town, settings: {area: {south: 33.1, north: 33.6, west: 126.1, east: 126.9}}}
        busan: {module: town, settings: {area: {south: 35.0, north: 35.3, west: 128.9, east: 129.3}}}
      \(more)
        aa: {module: prep}
      routing:
        - {when: {goal: town}, nearest: town, within: \(within)}
        - {to: aa}
      """)
  }

  private func route(_ rules: RoutingRules, _ latitude: Double, _ longitude: Double) throws -> RoutingDecision {
    let point = try #require(GeographicPoint(latitude: latitude, longitude: longitude))
    return try #require(rules.route(Traveller(goal: .town, point: point)))
  }

  @Test(
    "the borders belong to the area",
    arguments: [(33.1, 126.1), (33.6, 126.9), (33.1, 126.9), (33.6, 126.1), (33.35, 126.5)])
  func border(_ latitude: Double, _ longitude: Double) throws {
    let decision = try route(TownFindingTests.rules(), latitude, longitude)
    #expect(decision.tenant.text == "jeju")
    #expect(decision.town?.how == .inside)
  }

  @Test("a step beyond the border it is the nearest, and says how far")
  func beyond() throws {
    let decision = try route(TownFindingTests.rules(), 33.7, 126.5)
    #expect(decision.tenant.text == "jeju")
    guard case .nearest(let kilometres)? = decision.town?.how else { Issue.record("not the nearest"); return }
    // A tenth of a degree of latitude is 11.12 km.
    #expect(abs(kilometres - 11.12) < 0.05)
  }

  @Test("farther than the rule allows, it does not hold, and the next one does")
  func far() throws {
    let seoul = try route(TownFindingTests.rules(), 37.5665, 126.978)
    #expect(seoul.tenant.text == "aa")
    #expect(seoul.town == nil)
    guard case .tooFar(let tenant, let kilometres, let most)? = seoul.passed.first?.obstacles.first else {
      Issue.record("not too far")
      return
    }
    // Seoul to the north-western corner of Busan's box.
    #expect(tenant.text == "busan" && most == 60 && (280...320).contains(kilometres))
    #expect(try route(TownFindingTests.rules(within: "400km"), 37.5665, 126.978).tenant.text == "busan")
  }

  @Test("of several areas the smallest: a quarter within its city; of equals the first in the file")
  func smallest() throws {
    let rules = try TownFindingTests.rules(
      more: """
          haeundae: {module: town, settings: {area: {south: 35.15, north: 35.2, west: 129.1, east: 129.2}}}
          twin: {module: town, settings: {area: {south: 33.1, north: 33.6, west: 126.1, east: 126.9}}}
        """)
    #expect(try route(rules, 35.17, 129.15).tenant.text == "haeundae")
    #expect(try route(rules, 35.1, 129.0).tenant.text == "busan")
    #expect(try route(rules, 33.5, 126.5).tenant.text == "jeju")
  }

  @Test("without a place the rule does not hold, and says what is missing; a town beside another goal is told too")
  func none() throws {
    let rules = try TownFindingTests.rules()
    let silent = try #require(rules.route(Traveller(goal: .town)))
    #expect(silent.tenant.text == "aa")
    #expect(silent.passed.first?.obstacles == [.noPlace])
    let pupil = try #require(
      rules.route(Traveller(goal: .general, point: GeographicPoint(latitude: 33.5, longitude: 126.5))))
    #expect(pupil.tenant.text == "aa")
    #expect(pupil.town?.tenant.text == "jeju")
  }

  @Test("a closed town takes nobody: the next nearest does")
  func closed() throws {
    let rules = try TownFindingTests.rules(within: "400km")
    let point = try #require(GeographicPoint(latitude: 33.5, longitude: 126.5))
    let decision = rules.route(Traveller(goal: .town, point: point), isOpen: { $0.text != "jeju" })
    #expect(decision?.tenant.text == "busan")
  }

  @Test("distances, also across the 180th meridian; no point beyond the poles")
  func distances() throws {
    let seoul = try #require(GeographicPoint(latitude: 37.5665, longitude: 126.978))
    let busan = try #require(GeographicPoint(latitude: 35.1796, longitude: 129.0756))
    #expect(abs(seoul.distance(to: busan) - 325) < 3)
    let fiji = try #require(GeographicArea(south: -20, north: -15, west: 176, east: 179.9))
    let east = try #require(GeographicPoint(latitude: -17, longitude: -179.9))
    #expect(fiji.distance(to: east) < 25)
    #expect(GeographicPoint(latitude: 90.1, longitude: 0) == nil)
    #expect(GeographicPoint(latitude: .nan, longitude: 0) == nil)
    #expect(GeographicArea(south: 2, north: 1, west: 0, east: 1) == nil)
  }
}
