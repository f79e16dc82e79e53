import Billing
import Database
import Kit

/// What may follow what, and what applying it means for the city: two configurations in, sentences out.
struct ConfigurationRules: Sendable {
  typealias Stanza = CityConfiguration.Stanza

  /// `nil`: nothing was applied yet.
  let before: CityConfiguration?
  let after: CityConfiguration

  /// Why the one can't follow the other.
  var refusals: [String] {
    guard let before else { return [] }
    let now = byID(after)
    return before.tenants.flatMap { old -> [String] in
      guard let new = now[old.id] else { return refusals(ofGone: old) }
      return refusals(of: old, becoming: new)
    }
  }

  /// Data outlive a line in a file.
  private func refusals(ofGone old: Stanza) -> [String] {
    guard old.state.hasSchema else { return [] }
    let known = Set(before?.tenants.map(\.id) ?? [])
    var text = """
      tenants.\(old.id): found no stanza, expected one while its state is \(old.state.rawValue): its data are there. \
      Set state: archived and apply, then remove the stanza
      """
    let heir = after.tenants.first { new in
      !known.contains(new.id)
        && (new.host == old.host || new.formerHosts.contains(old.host) || new.name == old.name)
    }
    if let heir {
      text += """
        . Is \(heir.id) its new name? An id is permanent, for the ledger and the records carry it: keep \(old.id), and give \
        it another name and host
        """
    }
    return [text]
  }

  private func refusals(of old: Stanza, becoming new: Stanza) -> [String] {
    var list: [String] = []
    if old.kind != new.kind, old.state != .announced {
      list.append(
        "tenants.\(old.id).module: found \(new.kind), expected \(old.kind): its tables are that kind's. Give the new one another id"
      )
    }
    if old.database != new.database, old.state.hasSchema {
      list.append(
        """
        tenants.\(old.id).database: found \(new.database), expected \(old.database), where its data are: archive the tenant, \
        change this, and restore it there
        """)
    }
    if old.state.hasSchema, new.state == .announced {
      list.append(
        "tenants.\(old.id).state: found announced, expected disabled: it has data, and is closed by being disabled")
    }
    return list
  }

  // MARK: What it does

  /// What applying it does, in the order it is done.
  func steps(_ changes: [ConfigurationChange]) -> [String] {
    tenantSteps + planSteps + sectionSteps(changes)
  }

  private var tenantSteps: [String] {
    let old = before.map(byID) ?? [:]
    let gone = (before?.tenants ?? []).filter { stanza in !after.tenants.contains { $0.id == stanza.id } }
    return after.tenants.flatMap { new in old[new.id].map { steps(of: $0, becoming: new) } ?? steps(ofNew: new) }
      + gone.map { "forget \($0.id): its host \($0.host) answers nothing any more" }
  }

  private func steps(ofNew stanza: Stanza) -> [String] {
    switch stanza.state {
    case .open, .disabled:
      [
        """
        make the schema \(CityConfiguration.schemaName(of: stanza.id)) with its roles on the database \(stanza.database), and \
        migrate it (durability \(stanza.durability.rawValue))
        """,
        "register the client \(stanza.id) for sign-in, with redirects to \(stanza.host)",
        stanza.state == .open ? "serve \(stanza.id) on \(stanza.host)" : "say on \(stanza.host) that \(stanza.id) rests",
      ]
    case .announced: ["say on \(stanza.host) that \(stanza.id) opens later"]
    case .archived: []
    }
  }

  private func steps(of old: Stanza, becoming new: Stanza) -> [String] {
    var list: [String] = []
    if old.state != new.state {
      switch new.state {
      case .open, .disabled:
        if old.state == .archived {
          return ["bring the data of \(new.id) back from its archive, to the database \(new.database), and migrate them"]
            + steps(ofNew: new).dropFirst(2)
        }
        if !old.state.hasSchema { return steps(ofNew: new) }
        list.append(
          new.state == .open
            ? "serve \(new.id) on \(new.host) again" : "say on \(new.host) that \(new.id) rests; its data stay as they are")
      case .announced: list.append("say on \(new.host) that \(new.id) opens later")
      case .archived: list.append("close \(new.id): its data are kept in its archive")
      }
    }
    if old.host != new.host {
      let before = new.formerHosts.contains(old.host) ? "redirects there" : "answers nothing any more"
      list.append("serve \(new.id) on \(new.host); \(old.host) \(before)")
      list.append("give the client \(new.id) its redirects to \(new.host)")
    }
    if old.durability != new.durability {
      list.append(
        new.durability == .sync
          ? "let every COMMIT of \(new.id) wait for the disk"
          : "let COMMITs of \(new.id) not wait for the disk: a crash may lose its last moments")
    }
    if old.entity != new.entity { list.append("owe what \(new.id) earns to \(new.entity) from now on") }
    return list
  }

  private var planSteps: [String] {
    let old = before?.plans
    let onSale = Set(after.plans.onSale.map(\.id))
    return after.plans.onSale.compactMap { plan in
      guard let old, let known = old.plan(plan.id) else { return "publish the plan \(plan.id)" }
      if known != plan { return "publish a new version of the plan \(plan.id); who has an earlier one keeps it" }
      return old.withdrawn.contains(plan.id) ? "put the plan \(plan.id) on sale again" : nil
    }
      + (old?.onSale ?? []).filter { !onSale.contains($0.id) }.map {
        "take the plan \($0.id) from sale; who has it keeps it"
      }
  }

  /// What holds at once, and what from the next start of a node.
  private func sectionSteps(_ changes: [ConfigurationChange]) -> [String] {
    guard before != nil else { return [] }
    let sections = Set(changes.compactMap { ConfigurationRules.section(of: $0.path) })
    func names(_ wanted: [String]) -> String? {
      let found = wanted.filter(sections.contains)
      return found.isEmpty ? nil : found.joined(separator: ", ")
    }
    return [
      names(["limits", "routing", "flags", "shares"]).map { "let every node follow at once: \($0)" },
      names(["city.host", "city.issuer", "city.console", "city.environment", "city.phase", "city.figures", "databases"]).map {
        "hold from the next start of each node: \($0)"
      },
    ].compactMap(\.self)
  }

  private static func section(of path: ConfigurationPath) -> String? {
    guard let first = path.keys.first else { return nil }
    return first == "city" ? path.keys.prefix(2).joined(separator: ".") : first
  }

  private func byID(_ configuration: CityConfiguration) -> [TenantID: Stanza] {
    Dictionary(configuration.tenants.map { ($0.id, $0) }) { first, _ in first }
  }
}
