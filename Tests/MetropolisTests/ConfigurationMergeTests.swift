import Kit
import Testing

@testable import Metropolis

/// The three documents of each case are YAML on one line; `-` is a document that isn't there.
@Suite("The three-way merge") struct ConfigurationMergeTests {
  struct Case: Sendable, CustomStringConvertible {
    let name: String
    let base: String
    let file: String
    let live: String
    /// What is applied when no side is taken, or there is no conflict.
    let merged: String
    var conflicts: [String] = []
    /// With `--take file`, `--take console`; where there are conflicts.
    var taken: (file: String, console: String)?
    var description: String { name }
  }

  static let cases = [
    Case(name: "nothing was applied yet", base: "-", file: "{a: 1}", live: "-", merged: "{a: 1}"),
    Case(name: "nothing changed", base: "{a: 1}", file: "{a: 1}", live: "{a: 1}", merged: "{a: 1}"),
    Case(name: "only the file changed", base: "{a: 1}", file: "{a: 2}", live: "{a: 1}", merged: "{a: 2}"),
    Case(name: "only the console changed: it stays", base: "{a: 1}", file: "{a: 1}", live: "{a: 2}", merged: "{a: 2}"),
    Case(name: "both changed it to the same", base: "{a: 1}", file: "{a: 2}", live: "{a: 2}", merged: "{a: 2}"),
    Case(
      name: "both changed it to different ends", base: "{a: 1}", file: "{a: 2}", live: "{a: 3}", merged: "{a: 3}",
      conflicts: ["a"], taken: ("{a: 2}", "{a: 3}")),
    Case(
      name: "both changed a stanza in different places", base: "{t: {x: 1, y: 1}}", file: "{t: {x: 2, y: 1}}",
      live: "{t: {x: 1, y: 3}}", merged: "{t: {x: 2, y: 3}}"),
    Case(name: "the file adds", base: "{a: 1}", file: "{a: 1, b: {c: 1}}", live: "{a: 1}", merged: "{a: 1, b: {c: 1}}"),
    Case(name: "the console adds: it stays", base: "{a: 1}", file: "{a: 1}", live: "{a: 1, b: 2}", merged: "{a: 1, b: 2}"),
    Case(
      name: "the console adds beside a change of the file", base: "{a: 1}", file: "{a: 2}", live: "{a: 1, b: 2}",
      merged: "{a: 2, b: 2}"),
    Case(
      name: "both add the same", base: "{a: 1}", file: "{a: 1, b: {c: 1}}", live: "{a: 1, b: {c: 1}}",
      merged: "{a: 1, b: {c: 1}}"),
    Case(
      name: "both add, differently", base: "{}", file: "{b: {c: 1, d: 1}}", live: "{b: {c: 1, d: 2}}",
      merged: "{b: {c: 1, d: 2}}", conflicts: ["b.d"], taken: ("{b: {c: 1, d: 1}}", "{b: {c: 1, d: 2}}")),
    Case(
      name: "both add a scalar and a mapping", base: "{}", file: "{b: 1}", live: "{b: {c: 1}}", merged: "{b: {c: 1}}",
      conflicts: ["b"], taken: ("{b: 1}", "{b: {c: 1}}")),
    Case(name: "the file removes", base: "{a: 1, b: 1}", file: "{a: 1}", live: "{a: 1, b: 1}", merged: "{a: 1}"),
    Case(
      name: "the console removes: it stays away", base: "{a: 1, b: 1}", file: "{a: 1, b: 1}", live: "{a: 1}", merged: "{a: 1}"),
    Case(name: "both remove", base: "{a: 1, b: 1}", file: "{a: 1}", live: "{a: 1}", merged: "{a: 1}"),
    Case(
      name: "the file removes what the console changed", base: "{t: {x: 1, y: 1}}", file: "{}", live: "{t: {x: 2, y: 1}}",
      merged: "{t: {x: 2, y: 1}}", conflicts: ["t"], taken: ("{}", "{t: {x: 2, y: 1}}")),
    Case(
      name: "the console removes what the file changed", base: "{t: {x: 1}}", file: "{t: {x: 2}}", live: "{}", merged: "{}",
      conflicts: ["t"], taken: ("{t: {x: 2}}", "{}")),
    Case(name: "a list is one value", base: "{l: [a]}", file: "{l: [a, b]}", live: "{l: [a]}", merged: "{l: [a, b]}"),
    Case(
      name: "a list both added to", base: "{l: [a]}", file: "{l: [a, b]}", live: "{l: [a, c]}", merged: "{l: [a, c]}",
      conflicts: ["l"], taken: ("{l: [a, b]}", "{l: [a, c]}")),
    Case(
      name: "two conflicts, each by its place", base: "{t: {x: 1, y: 1, z: 1}}", file: "{t: {x: 2, y: 2, z: 1}}",
      live: "{t: {x: 3, y: 3, z: 4}}", merged: "{t: {x: 3, y: 3, z: 4}}", conflicts: ["t.x", "t.y"],
      taken: ("{t: {x: 2, y: 2, z: 4}}", "{t: {x: 3, y: 3, z: 4}}")),
    Case(
      name: "quotes and order are no change", base: "{a: 1, b: 2}", file: "{b: '2', a: 1}", live: "{a: 3, b: 2}",
      merged: "{b: 2, a: 3}"),
  ]

  private func value(_ text: String) throws -> ConfigValue? {
    guard text != "-" else { return nil }
    return try ConfigValue(yaml: "root: \(text)", file: "case")["root"]
  }

  @Test("each case", arguments: cases)
  func merge(one: Case) throws {
    let (base, file, live) = (try value(one.base), try #require(try value(one.file)), try value(one.live))
    let merge = ConfigurationMerge.merge(base: base, file: file, live: live)
    #expect(try merge.merged == value(one.merged))
    #expect(merge.conflicts.map(\.path.description) == one.conflicts)
    #expect(merge.taken.isEmpty)
    // The changes are what leads from live to merged, no more and no less.
    #expect(merge.changes.isEmpty == (live == merge.merged))
    #expect(try applying(merge.changes, to: live) == merge.merged)
    #expect(try applying(merge.kept, to: file) == merge.merged)
    guard let taken = one.taken else { return }
    for (side, expected) in [(ConfigurationMerge.Side.file, taken.file), (.console, taken.console)] {
      let decided = ConfigurationMerge.merge(base: base, file: file, live: live, take: side)
      #expect(try decided.merged == value(expected), "--take \(side)")
      #expect(decided.conflicts.isEmpty && decided.taken.map(\.path.description) == one.conflicts)
    }
  }

  @Test("applied once, the same file changes nothing any more", arguments: cases)
  func idempotence(one: Case) throws {
    let (base, file, live) = (try value(one.base), try #require(try value(one.file)), try value(one.live))
    for side in [ConfigurationMerge.Side.file, .console] {
      let first = ConfigurationMerge.merge(base: base, file: file, live: live, take: side)
      let again = ConfigurationMerge.merge(base: file, file: file, live: first.merged)
      #expect(again.changes.isEmpty && again.conflicts.isEmpty && again.merged == first.merged)
    }
  }

  @Test("a conflict shows what was, what the file says, and what the console has")
  func conflict() throws {
    let merge = ConfigurationMerge.merge(
      base: try value("{a: 1}"), file: try #require(try value("{a: 2}")), live: try value("{a: 3}"))
    #expect(
      merge.conflicts == [
        .init(path: ConfigurationPath(["a"]), base: .scalar("1"), file: .scalar("2"), live: .scalar("3"))
      ])
  }

  @Test("members stand in the file's order, those of the console only behind them")
  func order() throws {
    let merge = ConfigurationMerge.merge(
      base: try value("{b: 1, a: 1}"), file: try #require(try value("{a: 1, c: 1, b: 1}")), live: try value("{b: 1, a: 1, z: 1}"))
    #expect(merge.merged.members?.map(\.key) == ["a", "c", "b", "z"])
  }

  @Test("any three documents: nobody's change is lost, and nothing changes that nobody changed", arguments: 0..<200)
  func property(seed: Int) throws {
    var generator = Generator(state: UInt64(seed + 1))
    let base = generator.document(depth: 3)
    let (file, live) = (generator.changed(base, depth: 3), generator.changed(base, depth: 3))
    let merge = ConfigurationMerge.merge(base: base, file: file, live: live)
    let ours = ConfigurationChange.between(base, file)
    let theirs = ConfigurationChange.between(base, live)
    for change in ours + theirs where !merge.conflicts.contains(where: { touches($0.path, change.path) }) {
      // Where both put a mapping in an empty place, each finds its members there.
      for (path, value) in leaves(change.path, change.after) { #expect(merge.merged[path.keys] == value) }
    }
    for change in ConfigurationChange.between(base, merge.merged) {
      #expect((ours + theirs).contains { touches($0.path, change.path) })
    }
    // The sides may be swapped: it's the same merge.
    let mirrored = ConfigurationMerge.merge(base: base, file: live, live: file)
    #expect(mirrored.conflicts.map(\.path).sorted() == merge.conflicts.map(\.path).sorted())
    if merge.conflicts.isEmpty { #expect(mirrored.merged == merge.merged) }
  }

  private func touches(_ a: ConfigurationPath, _ b: ConfigurationPath) -> Bool { a.holds(b) || b.holds(a) }

  private func leaves(_ path: ConfigurationPath, _ value: ConfigValue?) -> [(ConfigurationPath, ConfigValue?)] {
    guard let members = value?.members else { return [(path, value)] }
    return members.flatMap { leaves(path.appending($0.key), $0.value) }
  }

  private func applying(_ changes: [ConfigurationChange], to value: ConfigValue?) throws -> ConfigValue {
    var result = value ?? .empty
    for change in changes {
      #expect(change.path.keys.isEmpty ? value == change.before : value?[change.path.keys] == change.before)
      result[change.path.keys] = change.after
    }
    return result
  }

  /// Small documents over few keys, so that changes meet.
  private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }

    mutating func document(depth: Int) -> ConfigValue {
      .mapping(["a", "b", "c"].filter { _ in Bool.random(using: &self) }.map { .init($0, value(depth: depth)) })
    }

    private mutating func value(depth: Int) -> ConfigValue {
      if depth > 0, Int.random(in: 0..<3, using: &self) > 0 { return document(depth: depth - 1) }
      let number = ConfigValue.scalar("\(Int.random(in: 0..<3, using: &self))")
      return Bool.random(using: &self) ? number : .list([number])
    }

    mutating func changed(_ value: ConfigValue, depth: Int) -> ConfigValue {
      var result = value
      for key in ["a", "b", "c"] where Int.random(in: 0..<3, using: &self) == 0 {
        if let inner = result[key], inner.members != nil, depth > 0, Bool.random(using: &self) {
          result[key] = changed(inner, depth: depth - 1)
        } else {
          result[key] = Bool.random(using: &self) ? self.value(depth: depth - 1) : nil
        }
      }
      return result
    }
  }
}
