import Kit

/// A plan in words, for a terminal.
struct ConfigurationReport: Sendable {
  let plan: ConfigurationPlan
  /// Whether differences are coloured: on a terminal only.
  let isColoured: Bool
  /// Whether it has been applied since.
  var isDone = false

  /// Everything there is to say.
  var text: String {
    var lines: [String] = [comparison, ""]
    let changes = plan.merge.changes
    if changes.isEmpty {
      lines.append(plan.hasNewFile ? "Nothing changes: the file has come to say what is live." : "Nothing changes.")
    }
    for change in changes { lines += self.lines(of: change) }
    if !plan.merge.kept.isEmpty {
      lines += ["", "Stays as the console has it:"] + plan.merge.kept.map(kept)
    }
    if !plan.merge.taken.isEmpty {
      lines += ["", "Decided by --take:"] + plan.merge.taken.flatMap(self.lines)
    }
    if !plan.merge.conflicts.isEmpty { lines += [""] + conflicts }
    if !plan.refusals.isEmpty {
      lines += ["", painted("Can't be applied:", .bad)] + plan.refusals.map { "  \($0)." }
    } else if plan.merge.conflicts.isEmpty, !changes.isEmpty {
      if !plan.steps.isEmpty { lines += ["", isDone ? "Done:" : "Applying it will"] + plan.steps.map { "  - \($0)" } }
      if !isDone { lines += ["", sum] }
    }
    return lines.joined(separator: "\n")
  }

  /// Why it can't be applied; empty when it can.
  var obstacles: String {
    let refusals = plan.refusals.map { "  \($0)." }
    return (plan.merge.conflicts.isEmpty ? [] : conflicts).joined(separator: "\n") + refusals.joined(separator: "\n")
  }

  private var comparison: String {
    guard let applied = plan.applied.applied else { return "\(plan.file.file) is compared with nothing: none was applied yet." }
    return "\(plan.file.file) is compared with version \(plan.applied.version), applied \(ConfigurationReport.time(applied))."
  }

  private var sum: String {
    let changes = plan.merge.changes
    let (added, removed) = (changes.count { $0.before == nil }, changes.count { $0.after == nil })
    return "\(added) to add, \(changes.count - added - removed) to change, \(removed) to remove."
  }

  // MARK: Lines

  private func lines(of change: ConfigurationChange) -> [String] {
    switch (change.before, change.after) {
    case (nil, let after?):
      return [painted("  + \(change.path)", .good) + inline(after)] + members(after, .good)
    case (let before?, nil): return [painted("  - \(change.path)", .bad) + inline(before)] + members(before, .bad)
    case (let before?, let after?):
      let (old, new) = ("\(before)", "\(after)")
      // Long values stand below each other, where the eye can compare them.
      if old.count + new.count > 80 {
        return [painted("  ~ \(change.path)", .changed), "      \(old)", "      → \(new)"]
      }
      return [painted("  ~ \(change.path)", .changed) + "  \(old) → \(new)"]
    case (nil, nil): return []
    }
  }

  private func inline(_ value: ConfigValue) -> String { value.members == nil ? "  \(value)" : "" }

  private func members(_ value: ConfigValue, _ colour: Colour) -> [String] {
    (value.members ?? []).map { "      \($0.key): \($0.value)" }
  }

  private func kept(_ change: ConfigurationChange) -> String {
    let here = change.after.map { "\($0)" } ?? "nothing"
    let there = change.before.map { "in the file \($0)" } ?? "not in the file"
    return "  = \(change.path)  \(here)  (\(there)\(who(change.path).map { "; \($0)" } ?? ""))"
  }

  private var conflicts: [String] {
    let count = plan.merge.conflicts.count
    let title =
      count == 1
      ? "1 conflict: the file and the console both changed it" : "\(count) conflicts: the file and the console both changed them"
    return [painted(title, .bad)] + plan.merge.conflicts.flatMap(lines)
      + ["Take one side for all: metropolis apply --take file, or metropolis apply --take console."]
  }

  private func lines(of conflict: ConfigurationMerge.Conflict) -> [String] {
    func value(_ value: ConfigValue?) -> String { value.map { "\($0)" } ?? "nothing" }
    return [
      painted("  ! \(conflict.path)", .bad), "      before   \(value(conflict.base))", "      file     \(value(conflict.file))",
      "      console  \(value(conflict.live))\(who(conflict.path).map { "  (\($0))" } ?? "")",
    ]
  }

  private func who(_ path: ConfigurationPath) -> String? {
    guard let edit = plan.applied.edit(at: path) else { return nil }
    return "by \(edit.by ?? "a command"), \(ConfigurationReport.time(edit.at))"
  }

  /// To the minute, UTC.
  private static func time(_ instant: Instant) -> String {
    instant.rfc3339.prefix(16).replacing("T", with: " ") + " UTC"
  }

  // MARK: Colour

  private enum Colour: String { case good = "32", bad = "31", changed = "33" }

  private func painted(_ text: String, _ colour: Colour) -> String {
    isColoured ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
  }
}
