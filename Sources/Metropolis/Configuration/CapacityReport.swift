import Kit

/// What a phase needs and costs, beside what the file declares (R8, R50, R62, R63): figures in, findings out.
struct CapacityReport: Sendable, Encodable {
  struct Row: Sendable, Hashable, Encodable {
    let resource: String
    let declared: Int
    let needed: Int
    /// In percent of what is needed; over 10 either way it is flagged.
    var variance: Double { needed == 0 ? (declared == 0 ? 0 : 100) : Double(declared - needed) / Double(needed) * 100 }
    var isFlagged: Bool { abs(variance) > CapacityReport.tolerance }

    private enum Key: String, CodingKey { case resource, declared, needed, variance, flagged }
    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(resource, forKey: .resource)
      try container.encode(declared, forKey: .declared)
      try container.encode(needed, forKey: .needed)
      try container.encode(variance.rounded(), forKey: .variance)
      try container.encode(isFlagged, forKey: .flagged)
    }
  }

  struct Finding: Sendable, Hashable, Encodable {
    enum Kind: String, Sendable, Encodable { case oversized, undersized, exceeded, budget }
    let kind: Kind
    let resource: String
    let text: String
    /// US dollars a month; `nil` where nothing is saved.
    let saving: Int?
    /// What may happen: when it stays so, or when the saving is taken.
    let risk: String
  }

  struct Tenant: Sendable, Hashable, Encodable {
    let id: String
    /// Planned, US dollars a month.
    let usd: Int
  }

  /// What monitoring says; nothing of it is needed.
  struct Measured: Sendable, Hashable {
    /// Mean CPU of the nodes, percent.
    var cpu: Int?
    /// US dollars spent of this month's budget.
    var spent: Int?
  }

  /// Percent (R62).
  static let tolerance = 10.0
  /// A server keeps a few hundred schemas well: each backend holds some 20 KB for every table it touched.
  static let schemasMost = 300

  let phase: CityConfiguration.Phase
  /// The phase the file names.
  let declaredPhase: CityConfiguration.Phase
  let users: Int
  let rows: [Row]
  let connections: [ConnectionLoad]
  /// Those whose stanza names a figure.
  let tenants: [Tenant]
  let findings: [Finding]

  /// - Parameters:
  ///   - phase: whose needs it is measured by; the file's own when `nil`.
  ///   - limits: what servers said of their connections.
  init(
    _ configuration: CityConfiguration, phase: CityConfiguration.Phase? = nil, limits: [String: Int] = [:],
    measured: Measured = Measured()
  ) {
    let phase = phase ?? configuration.phase
    let (need, declared) = (PhaseFigures.need(phase), configuration.figures.phase)
    let main = configuration.databases[0]
    self.phase = phase
    declaredPhase = configuration.phase
    users = need.users
    var rows = [
      Row(resource: "servers", declared: declared.servers, needed: need.servers),
      Row(resource: "connections", declared: main.limit ?? declared.connections, needed: need.connections),
      Row(resource: "replicas", declared: max(main.replicas.count, declared.replicas), needed: need.replicas),
      Row(resource: "cache nodes", declared: declared.cacheNodes, needed: need.cacheNodes),
      Row(resource: "USD a month", declared: declared.usd, needed: need.usd),
    ]
    let hasTowns = configuration.tenants.contains { $0.kind == "town" && $0.state.hasSchema }
    if hasTowns, let towns = need.townsUSD {
      rows.append(Row(resource: "towns, USD a month", declared: declared.townsUSD ?? 0, needed: towns))
    }
    self.rows = rows
    connections = ConnectionLoad.all(of: configuration, limits: limits)
    tenants = configuration.tenants.compactMap { stanza in stanza.infrastructure.map { Tenant(id: stanza.id.text, usd: $0) } }

    let perServer = declared.usd / max(1, declared.servers)
    findings =
      rows.compactMap { CapacityReport.finding($0, perServer: perServer) }
      + connections.compactMap(CapacityReport.finding)
      + CapacityReport.crowded(configuration)
      + CapacityReport.findings(measured, declared, perServer: perServer)
  }

  private static func finding(_ row: Row, perServer: Int) -> Finding? {
    guard row.isFlagged else { return nil }
    let percent = Int(abs(row.variance).rounded())
    let isOver = row.declared > row.needed
    let saving: Int? =
      switch row.resource {
      case "servers": isOver ? (row.declared - row.needed) * perServer : nil
      case "USD a month", "towns, USD a month": isOver ? row.declared - row.needed : nil
      default: nil
      }
    return Finding(
      kind: isOver ? .oversized : .undersized, resource: row.resource,
      text: "\(row.declared) declared, \(row.needed) needed: \(percent)% \(isOver ? "more" : "less")", saving: saving,
      risk: risk(row.resource, isOver: isOver))
  }

  private static func risk(_ resource: String, isOver: Bool) -> String {
    switch (resource, isOver) {
    case ("servers", true): "low: fewer nodes bear a node's loss less well; keep two at least"
    case ("servers", false): "high: at the phase's users nodes pass 70% CPU, and answers slow down before they are shed"
    case ("connections", true): "low: connections the server doesn't give out cost it little"
    case ("connections", false): "high: nodes wait for connections at peaks, and answer 503 after two seconds"
    case ("replicas", true): "low: each replica that goes makes reads of the primary"
    case ("replicas", false): "medium: every read is the primary's, and nothing stands in when it fails"
    case ("cache nodes", true): "low: what isn't kept is read again"
    case ("cache nodes", false): "medium: more reads reach the database"
    case (_, true): "low: a budget that isn't needed"
    default: "medium: the budget is spent before the month is"
    }
  }

  private static func finding(_ load: ConnectionLoad) -> Finding? {
    guard load.isNarrow, let limit = load.limit else { return nil }
    return Finding(
      kind: load.exceeds ? .exceeded : .undersized, resource: "connections of \(load.database)", text: load.description,
      saving: nil,
      risk: load.exceeds
        ? "high: the server refuses the nodes that come last"
        : "medium: \(load.sum * 100 / limit)% of the limit; a rolling restart has old and new nodes side by side")
  }

  private static func crowded(_ configuration: CityConfiguration) -> [Finding] {
    configuration.databases.compactMap { database in
      let count = configuration.tenants.count { $0.database == database.name && $0.state.hasSchema }
      guard count > schemasMost else { return nil }
      return Finding(
        kind: .undersized, resource: "schemas of \(database.name)",
        text: "\(count) tenants on one server, \(schemasMost) are well kept", saving: nil,
        risk: "medium: each connection keeps 20 KB for every table it touched; give new tenants another database")
    }
  }

  private static func findings(_ measured: Measured, _ declared: PhaseFigures.Need, perServer: Int) -> [Finding] {
    var list: [Finding] = []
    if let cpu = measured.cpu, cpu < 20 {
      let fewer = declared.servers / 2
      list.append(
        Finding(
          kind: .oversized, resource: "servers", text: "CPU at \(cpu)%, under 20%", saving: fewer == 0 ? nil : fewer * perServer,
          risk: fewer == 0 ? "none: one server is the least" : "low: at half the servers CPU is \(cpu * 2)%"))
    }
    if let spent = measured.spent, declared.usd > 0, spent * 5 >= declared.usd * 4 {
      list.append(
        Finding(
          kind: .budget, resource: "USD a month", text: "\(spent) of \(declared.usd) spent: \(spent * 100 / declared.usd)%",
          saving: nil, risk: "medium: the budget is spent before the month is"))
    }
    return list
  }

  private enum CodingKeys: String, CodingKey { case phase, declaredPhase, users, rows, connections, tenants, findings }
}

extension CityConfiguration.Phase: Encodable {}

extension CapacityReport {
  /// For a terminal.
  var text: String {
    var lines = [
      "Phase \(phase.rawValue): \(CapacityReport.number(users)) users"
        + (phase == declaredPhase ? "." : ", beside what the file declares for \(declaredPhase.rawValue)."), "",
    ]
    lines += CapacityReport.table(
      ["", "declared", "needed", ""],
      rows.map { row in
        let percent = Int(row.variance.rounded())
        let flag = row.isFlagged ? "! \(percent > 0 ? "+" : "")\(percent)%" : ""
        return [row.resource, CapacityReport.number(row.declared), CapacityReport.number(row.needed), flag]
      })
    lines += ["", "Connections"] + connections.map { "  \($0.database): \($0.description)" }
    if !tenants.isEmpty {
      let sum = tenants.reduce(0) { $0 + $1.usd }
      lines += ["", "Planned infrastructure of tenants, USD a month"]
      lines += CapacityReport.table(
        ["", ""], tenants.map { [$0.id, CapacityReport.number($0.usd)] } + [["all", CapacityReport.number(sum)]]
      )
      .dropFirst()
    }
    lines += ["", findings.isEmpty ? "No findings." : "Findings"]
    for finding in findings {
      let saving = finding.saving.map { "; saves \(CapacityReport.number($0)) USD a month" } ?? ""
      lines.append("  \(finding.kind.rawValue): \(finding.resource): \(finding.text)\(saving)")
      lines.append("    risk \(finding.risk)")
    }
    return lines.joined(separator: "\n")
  }

  /// The first column to the left, figures to the right.
  private static func table(_ head: [String], _ rows: [[String]]) -> [String] {
    let all = [head] + rows
    let widths = head.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      let cells = row.indices.map { column in
        let pad = String(repeating: " ", count: widths[column] - row[column].count)
        return column == 0 || column == 3 ? row[column] + pad : pad + row[column]
      }
      return "  " + String(cells.joined(separator: "   ").trimmed(atEnd: " "))
    }
  }

  /// `1,000,000`.
  private static func number(_ value: Int) -> String {
    let digits = Array(String(value))
    return digits.indices.map { index in
      index > 0 && (digits.count - index).isMultiple(of: 3) && digits[index - 1] != "-" ? ",\(digits[index])" : "\(digits[index])"
    }.joined()
  }
}

extension String {
  fileprivate func trimmed(atEnd character: Character) -> Substring {
    var slice = self[...]
    while slice.last == character { slice = slice.dropLast() }
    return slice
  }
}
