import Billing
import Database
import Kit

/// What is applied now: the base of a merge, and what is live.
struct AppliedConfiguration: Sendable {
  /// One change in the console since the file was applied last.
  struct Edit: Sendable, Hashable {
    let path: ConfigurationPath
    /// An opaque id.
    let by: String?
    let at: Instant
  }

  /// The newest version's number; 0: nothing was ever applied.
  let version: Int
  let applied: Instant?
  /// The file as it was applied last.
  let file: String?
  /// What nodes follow.
  let text: String?
  let edits: [Edit]
  /// What consoles published of plans, and the file's last application doesn't hold.
  let plans: [ConsoleEdit]

  static let nothing = AppliedConfiguration(version: 0, applied: nil, file: nil, text: nil, edits: [], plans: [])

  init(version: Int, applied: Instant?, file: String?, text: String?, edits: [Edit], plans: [ConsoleEdit]) {
    (self.version, self.applied, self.file, self.text) = (version, applied, file, text)
    (self.edits, self.plans) = (edits, plans)
  }

  /// Reads it, whatever release migrated the database, if any did.
  /// - Parameter admin: may read the schemas `platform` and `billing`.
  static func read(from admin: some SQLExecutor) async throws -> AppliedConfiguration {
    let store = ConfigurationStore(admin)
    guard let newest = try await store.newest() else { return .nothing }
    let billing = try await admin.one("SELECT to_regclass('billing.plan_version') IS NOT NULL AS there")
    let sells: Bool = try billing?.get("there") ?? false
    let plans = sells ? try await PlanStore.consoleEdits(in: admin, schema: .billing) : []
    let edits = try await store.edits().flatMap { version in
      version.paths.map { Edit(path: $0, by: version.changedBy, at: version.applied) }
    }
    return AppliedConfiguration(
      version: newest.number, applied: newest.applied, file: newest.file, text: newest.live,
      edits: edits
        + plans.map { Edit(path: ConfigurationPath(["plans", $0.plan.id.text]), by: $0.by, at: $0.at) },
      plans: plans)
  }

  /// Who changed what stands at a path, in it, or around it; the newest.
  func edit(at path: ConfigurationPath) -> Edit? {
    edits.filter { $0.path.holds(path) || path.holds($0.path) }.max { $0.at < $1.at }
  }

  /// The live document with what consoles published of plans.
  ///
  /// A plan's stanza changes in those members only in which the console's version differs from it. Where the file has come
  /// to say the same in other words, its words are taken.
  func live(beside file: CityConfiguration, _ fileValue: ConfigValue) throws(ConfigMistakes) -> ConfigValue? {
    guard let text else { return nil }
    var live = try ConfigValue(yaml: text, file: file.file)
    // Read only where it must be: an earlier release may have written what this one doesn't know any more.
    let before = plans.isEmpty ? nil : try? CityConfiguration(reading: text, file: file.file)
    for edit in plans {
      let path = ["plans", edit.plan.id.text]
      if file.plans.plan(edit.plan.id) == edit.plan, let stanza = fileValue[path] {
        live[path] = stanza
      } else if let stanza = live[path], let known = before?.plans.plan(edit.plan.id) {
        live[path] = PlanStanza.value(stanza, changedFrom: known, to: edit.plan)
      } else if edit.isMadeInConsole {
        live[path] = PlanStanza.value(edit.plan)
      }
    }
    return live
  }
}

/// A plan as its stanza would be written.
enum PlanStanza {
  static func value(_ plan: Plan) -> ConfigValue {
    var members = [ConfigValue.Member("owner", .scalar(plan.owner.text)), .init("name", text(plan.name))]
    if let summary = plan.summary { members.append(.init("summary", text(summary))) }
    if !plan.prices.isEmpty { members.append(.init("price", prices(plan.prices))) }
    if plan.every != .month { members.append(.init("every", .scalar(plan.every.rawValue))) }
    if !plan.yearly.isEmpty { members.append(.init("yearly", prices(plan.yearly))) }
    if plan.seats != 1 { members.append(.init("seats", .scalar("\(plan.seats)"))) }
    if plan.proration != .day { members.append(.init("proration", .scalar(plan.proration.rawValue))) }
    if plan.alignment != .anniversary { members.append(.init("alignment", .scalar(plan.alignment.rawValue))) }
    members.append(.init("grants", .list(plan.grants.map(grant))))
    return .mapping(members)
  }

  /// A written stanza with the members in which two plans differ; the others stay as they are written.
  static func value(_ stanza: ConfigValue, changedFrom before: Plan, to after: Plan) -> ConfigValue {
    let (old, new) = (value(before), value(after))
    var result = stanza
    for key in Set((old.members ?? []).map(\.key)).union((new.members ?? []).map(\.key)).sorted() where old[key] != new[key] {
      result[key] = new[key]
    }
    return result
  }

  private static func text(_ text: LocalizedText) -> ConfigValue {
    guard let en = text.en else { return .scalar(text.ko) }
    return .mapping([.init("ko", .scalar(text.ko)), .init("en", .scalar(en))])
  }

  private static func prices(_ prices: [Money]) -> ConfigValue {
    .mapping(prices.map { .init($0.currency.rawValue, .scalar($0.decimal)) })
  }

  private static func ids(_ ids: [TenantID]) -> ConfigValue { .list(ids.map { .scalar($0.text) }) }

  private static func grant(_ grant: Grant) -> ConfigValue {
    switch grant {
    case .feature(let feature, at: let selection, let quantity):
      let tenants: ConfigValue =
        switch selection {
        case .module(let module): .mapping([.init("module", .scalar(module))])
        case .tenants(let tenants): ids(tenants)
        }
      var members = [ConfigValue.Member("feature", .scalar(feature)), .init("tenants", tenants)]
      switch quantity {
      case .unlimited: members.append(.init("unlimited", .scalar("true")))
      case .limited(let limit, let pool):
        members += [.init("limit", .scalar("\(limit)")), .init("per", .scalar("month"))]
        if pool == .shared { members.append(.init("pool", .scalar(pool.rawValue))) }
      }
      return .mapping(members)
    case .choice(let count, of: let tenants, let features):
      return .mapping([
        .init("choose", .scalar("\(count)")), .init("of", ids(tenants)), .init("features", .list(features.map { .scalar($0) })),
      ])
    }
  }
}
