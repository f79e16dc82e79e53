import Kit

/// A place in the document: `["tenants", "jeju", "host"]`.
struct ConfigurationPath: Hashable, Sendable, Comparable, CustomStringConvertible {
  let keys: [String]
  init(_ keys: [String]) { self.keys = keys }
  var description: String { keys.joined(separator: ".") }

  func appending(_ key: String) -> ConfigurationPath { ConfigurationPath(keys + [key]) }

  /// Whether `other` stands in what is at this path, or at the path itself.
  func holds(_ other: ConfigurationPath) -> Bool { other.keys.starts(with: keys) }

  static func < (a: ConfigurationPath, b: ConfigurationPath) -> Bool { a.keys.lexicographicallyPrecedes(b.keys) }
}

/// One difference of two documents.
struct ConfigurationChange: Hashable, Sendable {
  let path: ConfigurationPath
  /// `nil`: it was not there.
  let before: ConfigValue?
  /// `nil`: it is there no more.
  let after: ConfigValue?

  /// The differences by path: of mappings that both have, member by member; a list or a scalar as a whole.
  static func between(_ before: ConfigValue?, _ after: ConfigValue?, at path: ConfigurationPath = .init([])) -> [Self] {
    if before == after { return [] }
    guard let old = before?.members, let new = after?.members else {
      return [ConfigurationChange(path: path, before: before, after: after)]
    }
    let (oldByKey, newKeys) = (ConfigurationMerge.byKey(old), Set(new.map(\.key)))
    // In the order of the newer one; what is gone comes last.
    let changed = new.flatMap { between(oldByKey[$0.key], $0.value, at: path.appending($0.key)) }
    let gone = old.filter { !newKeys.contains($0.key) }.map {
      ConfigurationChange(path: path.appending($0.key), before: $0.value, after: nil)
    }
    return changed + gone
  }
}

/// Three documents made one: what was applied last, what the file says now, and what is live, with what operators changed in
/// the console since. Values in, values out.
///
/// For each place: who changed it, has it. Where file and console both changed it, to different ends, it is a conflict, and
/// someone must say whose value is taken.
struct ConfigurationMerge: Sendable {
  /// Whose value is taken in a conflict.
  enum Side: String, Sendable, CaseIterable { case file, console }

  struct Conflict: Hashable, Sendable {
    let path: ConfigurationPath
    let base: ConfigValue?
    let file: ConfigValue?
    let live: ConfigValue?
  }

  /// What to apply. Conflicts stand in it as they are live, unless a side was taken.
  let merged: ConfigValue
  /// From live to merged: what applying it changes.
  let changes: [ConfigurationChange]
  /// From the file to merged: what the console has and keeps.
  let kept: [ConfigurationChange]
  /// None left where a side was taken.
  let conflicts: [Conflict]
  /// Conflicts that taking a side decided.
  let taken: [Conflict]

  /// - Parameters:
  ///   - base: the file as it was last applied; `nil` for the first time.
  ///   - live: what is applied now; `nil` for the first time.
  static func merge(base: ConfigValue?, file: ConfigValue, live: ConfigValue?, take side: Side? = nil) -> ConfigurationMerge {
    var conflicts: [Conflict] = []
    let merged = place(base, file, live, at: ConfigurationPath([]), side, &conflicts) ?? .empty
    return ConfigurationMerge(
      merged: merged, changes: ConfigurationChange.between(live ?? .empty, merged),
      kept: ConfigurationChange.between(file, merged),
      conflicts: side == nil ? conflicts : [], taken: side == nil ? [] : conflicts)
  }

  private static func place(
    _ base: ConfigValue?, _ file: ConfigValue?, _ live: ConfigValue?, at path: ConfigurationPath, _ side: Side?,
    _ conflicts: inout [Conflict]
  ) -> ConfigValue? {
    if file == live || live == base { return file }
    if file == base { return ordered(live, as: file) }
    // Both have changed it. Two mappings may have been changed in different members; one that is gone has none.
    if let fileMembers = file?.members, let liveMembers = live?.members, base == nil || base?.members != nil {
      let (inBase, inFile, inLive) = (byKey(base?.members ?? []), byKey(fileMembers), byKey(liveMembers))
      let keys = fileMembers.map(\.key) + liveMembers.map(\.key).filter { inFile[$0] == nil }
      return .mapping(
        keys.compactMap { key in
          place(inBase[key], inFile[key], inLive[key], at: path.appending(key), side, &conflicts).map { .init(key, $0) }
        })
    }
    conflicts.append(Conflict(path: path, base: base, file: file, live: live))
    return side == .file ? file : live
  }

  /// The members the file has stand where the file has them: order is what people see.
  private static func ordered(_ live: ConfigValue?, as file: ConfigValue?) -> ConfigValue? {
    guard let liveMembers = live?.members, let fileMembers = file?.members else { return live }
    let (inLive, inFile) = (byKey(liveMembers), byKey(fileMembers))
    return .mapping(
      fileMembers.compactMap { member in ordered(inLive[member.key], as: member.value).map { .init(member.key, $0) } }
        + liveMembers.filter { inFile[$0.key] == nil })
  }

  static func byKey(_ members: [ConfigValue.Member]) -> [String: ConfigValue] {
    Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }
  }
}
