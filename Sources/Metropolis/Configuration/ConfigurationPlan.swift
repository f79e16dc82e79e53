import Billing
import Kit

/// What applying a file would do: the differences, what stays as the console has it, what is refused. Nothing is touched.
struct ConfigurationPlan: Sendable {
  let file: CityConfiguration
  let applied: AppliedConfiguration
  let merge: ConfigurationMerge
  /// What is to be followed: the file, with what the console keeps. The file itself while there are conflicts.
  let configuration: CityConfiguration
  /// Why it can't be applied as it is; empty when it can.
  let refusals: [String]
  /// What applying it does, in words.
  let steps: [String]
  /// Plans in which the file's word holds against the console's: for ``Billing/PlanStore/publish(_:asserting:actor:now:)``.
  let asserted: Set<PlanID>
  /// Whether the file says something else than when it was applied last.
  let hasNewFile: Bool

  /// Whether nodes would follow another document.
  var hasChanges: Bool { !merge.changes.isEmpty || !merge.conflicts.isEmpty }
  /// Whether there is anything to note: the file is the base of the next merge even when nothing changes by it.
  var isWorthRecording: Bool { hasChanges || hasNewFile || applied.version == 0 }
  var isApplicable: Bool { merge.conflicts.isEmpty && refusals.isEmpty }

  /// - Parameters:
  ///   - text: the file's.
  ///   - name: as mistakes name it.
  ///   - side: whose value is taken where file and console both changed one.
  /// - Throws: ``Kit/ConfigMistakes`` of the file, or of what file and console make together.
  static func make(
    reading text: String, file name: String, applied: AppliedConfiguration, take side: ConfigurationMerge.Side? = nil
  ) throws(ConfigMistakes) -> ConfigurationPlan {
    let file = try CityConfiguration(reading: text, file: name)
    let fileValue = try ConfigValue(yaml: text, file: name)
    var base: ConfigValue?
    if let written = applied.file { base = try ConfigValue(yaml: written, file: name) }
    let live = try applied.live(beside: file, fileValue)
    let merge = ConfigurationMerge.merge(base: base, file: fileValue, live: live, take: side)

    // What the console made and the file never named is the console's own: nodes know it from there.
    var followed = merge.merged
    let own = applied.plans.filter { $0.isMadeInConsole && (side == .console || file.plans.plan($0.plan.id) == nil) }
    for edit in own { followed[["plans", edit.plan.id.text]] = nil }
    var configuration = file
    if merge.conflicts.isEmpty, followed != fileValue {
      configuration = try CityConfiguration(
        reading: "# \(name), with what the console keeps\n" + followed.yaml, file: "\(name) with the console's changes")
    }
    let before = applied.text.flatMap { try? CityConfiguration(reading: $0, file: name) }
    let rules = ConfigurationRules(before: before, after: configuration)
    let took = side == .file ? merge.taken.compactMap { PlanStanza.id(at: $0.path) } : []
    let adopted = applied.plans.filter(\.isMadeInConsole).map(\.plan.id).filter { configuration.plans.plan($0) != nil }
    return ConfigurationPlan(
      file: file, applied: applied, merge: merge, configuration: configuration,
      refusals: merge.conflicts.isEmpty ? rules.refusals : [], steps: rules.steps(merge.changes),
      asserted: Set(took + adopted), hasNewFile: fileValue != base)
  }

  /// Notes it as applied, and tells the nodes. To be called when schemas, clients and plans are as it says.
  ///
  /// - Returns: the number of the version that holds now.
  /// - Throws: ``ConfigurationStore/Stale`` when somebody changed the configuration since it was read.
  func record(in store: ConfigurationStore, by actor: String? = nil) async throws -> Int {
    guard isWorthRecording else { return applied.version }
    let isFile = configuration.text == file.text
    return try await store.record(
      .file, on: applied.version, file: file.text, live: isFile ? nil : configuration.text, by: actor)
  }
}

extension PlanStanza {
  /// The plan a path stands in.
  static func id(at path: ConfigurationPath) -> PlanID? {
    path.keys.count >= 2 && path.keys[0] == "plans" ? PlanID(path.keys[1]) : nil
  }
}
