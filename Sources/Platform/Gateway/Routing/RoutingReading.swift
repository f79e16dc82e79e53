public import Kit

extension RoutingRules {
  /// A tenant as routing needs to know it.
  public struct Tenant: Hashable, Sendable {
    public let id: TenantID
    public let kind: String
    public let isOpen: Bool

    public init(id: TenantID, kind: String, isOpen: Bool) {
      self.id = id
      self.kind = kind
      self.isOpen = isOpen
    }
  }

  /// Reads `routing:` of a city's file, and the areas that it needs of the tenants' settings; mistakes are noted on the
  /// document. With no `routing:`, everyone is sent to the first tenant that is open.
  ///
  /// - Parameters:
  ///   - root: of the document.
  ///   - tenants: in the order of the file.
  public init(reading root: ConfigSection, tenants: [Tenant]) {
    guard root.has("routing") else {
      let first = tenants.first(where: \.isOpen)
      self.init(rules: first.map { [Rule(everyoneTo: $0.id)] } ?? [], maps: [:], areas: [:])
      return
    }
    var reader = RoutingReader(root: root, tenants: tenants)
    let sections = root.list("routing")
    let rules = sections.enumerated().compactMap { index, section in
      reader.rule(section, number: index + 1, isLast: index == sections.count - 1)
    }
    if sections.isEmpty { root.note("routing", expected: "one rule at least, the last without `when`") }
    self.init(rules: rules, maps: reader.maps, areas: reader.areas)
  }
}

extension RoutingRules.Rule {
  fileprivate init(everyoneTo tenant: TenantID) {
    self.init(number: 1, line: 1, conditions: [], destination: .tenant(tenant), overflow: [], capacity: nil)
  }
}

/// Reads rules one by one, and each area once.
private struct RoutingReader {
  let root: ConfigSection
  let tenants: [RoutingRules.Tenant]
  var maps: [String: TownMap] = [:]
  var areas: [TenantID: GeographicArea] = [:]

  init(root: ConfigSection, tenants: [RoutingRules.Tenant]) {
    self.root = root
    self.tenants = tenants
  }

  mutating func rule(_ section: ConfigSection, number: Int, isLast: Bool) -> RoutingRules.Rule? {
    let conditions = section.section("when", required: false).map { readConditions($0) } ?? []
    let isForEveryone = !section.has("when")
    if isLast, !isForEveryone { section.note("when", expected: "nothing here: the last rule is for everyone else") }
    if !isLast, isForEveryone { section.note("when", expected: "a condition: the rules behind this one would never hold") }
    if isLast, section.has("nearest") { section.note("nearest", expected: "`to` a tenant: the last rule always leads somewhere") }
    guard let destination = destination(section, isLast: isLast) else { return nil }
    var overflow: [TenantID] = []
    for name in section.has("overflow") ? section.strings("overflow") ?? [] : [] {
      guard let tenant = known(name) else {
        section.note("overflow", found: "“\(name)”", expected: names)
        continue
      }
      if overflow.contains(tenant) || destination == .tenant(tenant) {
        section.note("overflow", found: "“\(name)” twice", expected: "each tenant once")
      }
      overflow.append(tenant)
    }
    let capacity = section.section("capacity", required: false).flatMap { readCapacity($0) }
    if case .nearest = destination, section.has("overflow") {
      section.note("overflow", expected: "none beside `nearest`: the town is where the person is")
    } else if section.has("overflow"), !section.has("capacity") {
      section.note("capacity", expected: "{members: 100000} or {active: 800}: when the first is full")
    } else if section.has("capacity"), overflow.isEmpty {
      section.note("capacity", expected: "`overflow: [tenant, …]` beside it")
    }
    return RoutingRules.Rule(
      number: number, line: section.line, conditions: conditions, destination: destination, overflow: overflow,
      capacity: capacity)
  }

  private var names: String { "one of the tenants: \(tenants.map(\.id.text).joined(separator: ", "))" }

  private func known(_ name: String) -> TenantID? { tenants.first { $0.id.text == name }?.id }

  private mutating func destination(_ section: ConfigSection, isLast: Bool) -> RoutingRules.Destination? {
    guard section.has("nearest") else {
      if section.has("within") { section.note("within", expected: "`nearest` beside it") }
      guard let name = section.string("to", "a tenant") else { return nil }
      guard let tenant = tenants.first(where: { $0.id.text == name }) else {
        section.note("to", expected: names)
        return nil
      }
      if isLast, !tenant.isOpen { section.note("to", expected: "a tenant that is open: the last rule always leads somewhere") }
      return .tenant(tenant.id)
    }
    if section.has("to") { section.note("to", expected: "either `to` or `nearest`") }
    let kinds = Set(tenants.map(\.kind)).sorted().joined(separator: ", ")
    let most = section.value("within", "a distance like 60km", read: RoutingReader.kilometres)
    guard let kind = section.string("nearest", "one of the modules \(kinds)") else { return nil }
    let places = tenants.filter { $0.kind == kind }
    guard !places.isEmpty else {
      section.note("nearest", expected: "a module that has tenants: \(kinds)")
      return nil
    }
    let map = TownMap(places.compactMap { place in area(of: place.id).map { (place.id, $0) } })
    if map.areas.isEmpty {
      section.note("nearest", expected: "a module whose tenants have `settings.area`")
      return nil
    }
    maps[kind] = map
    return most.map { .nearest(kind: kind, within: $0) }
  }

  private mutating func readConditions(_ section: ConfigSection) -> [RoutingCondition] {
    var conditions: [RoutingCondition] = []
    if section.has("age"), let age = section.value("age", "a comparison like \"<= 18\"", read: RoutingReader.comparison) {
      conditions.append(age)
    }
    let goals = Goal.allCases.map(\.rawValue).joined(separator: ", ")
    if section.has("goal"),
      let goal = section.value("goal", "one or more of \(goals), parted by |", read: { RoutingReader.goals($0) })
    {
      conditions.append(.goal(goal))
    }
    if let majors = words(section, "major", "any, or majors parted by |") {
      conditions.append(.major(majors == ["any"] ? [] : majors))
    }
    if let interests = words(section, "interest", "interests parted by |") { conditions.append(.interest(interests)) }
    if let codes = words(section, "language", "language codes parted by |, like en | ja") { conditions.append(.language(codes)) }
    if let tenant = place(section, "place", "a tenant with `settings.area`", { ($0, 0) })?.0 { conditions.append(.place(tenant)) }
    if let (tenant, most) = place(
      section, "near", "a tenant with `settings.area` and a distance, like jeju within 30km", RoutingReader.near)
    {
      conditions.append(.near(tenant, kilometres: most))
    }
    if section.keys.isEmpty { section.note("goal", expected: "a condition: age, goal, major, interest, language, place or near") }
    return conditions
  }

  private func words(_ section: ConfigSection, _ key: String, _ expected: String) -> [String]? {
    section.has(key) ? section.value(key, expected, read: RoutingReader.parted) : nil
  }

  private mutating func place(
    _ section: ConfigSection, _ key: String, _ expected: String, _ read: (String) -> (String, Double)?
  ) -> (TenantID, Double)? {
    guard section.has(key), let (name, most) = section.value(key, expected, read: read) else { return nil }
    guard let tenant = known(name), let area = area(of: tenant) else {
      section.note(key, expected: expected)
      return nil
    }
    areas[tenant] = area
    return (tenant, most)
  }

  private func readCapacity(_ section: ConfigSection) -> RoutingRules.Capacity? {
    let given = RoutingRules.Capacity.Measure.allCases.filter { section.has($0.rawValue) }
    guard given.count == 1, let measure = given.first else {
      section.note("members", expected: "one of members, active")
      return nil
    }
    return section.int(measure.rawValue, in: 1...1_000_000_000).map { RoutingRules.Capacity(measure: measure, most: $0) }
  }

  /// Its module reads the same section; what is wrong in it is that module's to say.
  private func area(of tenant: TenantID) -> GeographicArea? {
    guard let settings = root.section("tenants")?.section(tenant.text)?.section("settings", required: false),
      settings.keys.contains("area"), let area = settings.section("area"),
      Set(["south", "north", "west", "east"]).isSubset(of: area.keys)
    else { return nil }
    func degrees(_ key: String) -> Double { area.value(key, "a number", default: .nan) { Double($0) ?? .nan } ?? .nan }
    return GeographicArea(south: degrees("south"), north: degrees("north"), west: degrees("west"), east: degrees("east"))
  }

  private static func parted(_ text: String) -> [String]? {
    let words = text.split(separator: "|", omittingEmptySubsequences: false).map { $0.trimmed }
    return words.contains("") ? nil : words
  }

  private static func goals(_ text: String) -> [Goal]? {
    guard let words = parted(text) else { return nil }
    let goals = words.compactMap(Goal.init)
    return goals.count == words.count ? goals : nil
  }

  private static func comparison(_ text: String) -> RoutingCondition? {
    let parts = text.split(separator: " ")
    guard parts.count == 2, let comparison = RoutingCondition.Comparison(rawValue: String(parts[0])),
      let years = Int(parts[1]), (0...150).contains(years)
    else { return nil }
    return .age(comparison, years)
  }

  private static func kilometres(_ text: String) -> Double? {
    guard text.hasSuffix("km"), let distance = Double(text.dropLast(2).trimmed), distance > 0, distance <= 20_000 else {
      return nil
    }
    return distance
  }

  private static func near(_ text: String) -> (String, Double)? {
    let parts = text.split(separator: " ", maxSplits: 2)
    guard parts.count == 3, parts[1] == "within", let most = kilometres(String(parts[2])) else { return nil }
    return (String(parts[0]), most)
  }
}
