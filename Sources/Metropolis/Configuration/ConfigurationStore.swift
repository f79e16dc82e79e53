import Crypto
import Database
import Foundation
import Kit

/// The versions of the city's configuration: what was applied from the file, and what operators changed in the console.
/// Nodes follow the newest, never the file.
struct ConfigurationStore: Sendable {
  /// Where a version comes from.
  enum Kind: String, Sendable { case file, console }

  struct Version: Sendable, Hashable {
    let number: Int
    let kind: Kind
    /// The file as it was applied last: the base of the next merge.
    let file: String
    /// What nodes follow.
    let live: String
    /// Who changed it, by an opaque id; `nil` for a command.
    let changedBy: String?
    let applied: Instant
    /// Of a console's version: what it changed.
    let paths: [ConfigurationPath]
  }

  /// Someone else made a version meanwhile: read again, and decide again.
  struct Stale: Error, CustomStringConvertible {
    let expected: Int
    var description: String {
      "the configuration has changed since version \(expected) was read: run the command again"
    }
  }

  static var migrations: [Migration] {
    get throws {
      try Migration.read(Embedded.files.filter { $0.key.hasPrefix("Configuration/") && $0.key.hasSuffix(".sql") })
    }
  }

  /// Nodes listen on it; it says "look".
  static let channel = "configuration"

  let executor: any SQLExecutor
  let schema: Schema

  /// - Parameter executor: a client of the schema `platform`, a transaction, or the server's administrator.
  init(_ executor: any SQLExecutor, schema: Schema = .platform) {
    self.executor = executor
    self.schema = schema
  }

  /// The newest version; `nil` before the first. Reads a database of an earlier release, too, and one without tables.
  func newest() async throws -> Version? {
    guard
      let row = try await executor.one("SELECT to_regclass(\("\(schema.name).configuration_version")) IS NOT NULL AS there"),
      try row.get("there")
    else { return nil }
    return try await versions(limit: 1).first
  }

  /// The newest versions, the newest first.
  func versions(limit: Int) async throws -> [Version] {
    // By way of JSON, so that columns of a later release may be missing.
    try await read("SELECT to_jsonb(v) AS v FROM \(schema).configuration_version AS v ORDER BY version DESC LIMIT \(limit)")
  }

  /// What the console changed since the file was applied last, the newest first.
  func edits() async throws -> [Version] {
    guard try await newest() != nil else { return [] }
    return try await read(
      """
      SELECT to_jsonb(v) AS v FROM \(schema).configuration_version AS v
      WHERE version > (SELECT coalesce(max(version), 0) FROM \(schema).configuration_version AS f
        WHERE coalesce(to_jsonb(f) ->> 'kind', 'file') = 'file')
      ORDER BY version DESC
      """)
  }

  /// Notes a version and tells the nodes, when the transaction is committed.
  ///
  /// - Parameters:
  ///   - base: the number of the version that the change was made on; 0 for none.
  ///   - live: what nodes are to follow, where it isn't the file itself.
  /// - Returns: its number.
  /// - Throws: ``Stale``; ``Database/DatabaseError``.
  @discardableResult
  func record(
    _ kind: Kind, on base: Int, file: String, live: String? = nil, by actor: String? = nil, paths: [ConfigurationPath] = []
  ) async throws -> Int {
    let digest = Array(SHA256.hash(data: Data(file.utf8)))
    let places = JSONValue.array(paths.map { .array($0.keys.map { .string($0) }) })
    let row = try await executor.one(
      """
      WITH added AS (
        INSERT INTO \(schema).configuration_version (version, document, digest, kind, live, changed_by, paths)
        SELECT \(base) + 1, \(file), \(digest), \(kind.rawValue), \(live), \(actor), \(places)
        WHERE \(base) = (SELECT coalesce(max(version), 0) FROM \(schema).configuration_version)
        ON CONFLICT (version) DO NOTHING RETURNING version)
      SELECT version, pg_notify(\(ConfigurationStore.channel), '') FROM added
      """)
    guard let row else { throw Stale(expected: base) }
    return try row.get("version")
  }

  private func read(_ sql: SQL) async throws -> [Version] {
    try await executor.query(sql).map { row in
      let value: JSONValue = try row.get("v")
      let file = value["document"]?.string ?? ""
      var paths: [ConfigurationPath] = []
      if case .array(let places) = value["paths"] {
        paths = places.map { place in
          guard case .array(let keys) = place else { return ConfigurationPath([]) }
          return ConfigurationPath(keys.compactMap(\.string))
        }
      }
      return Version(
        number: value["version"]?.integer.map { Int($0) } ?? 0, kind: value["kind"]?.string.flatMap(Kind.init) ?? .file,
        file: file, live: value["live"]?.string ?? file, changedBy: value["changed_by"]?.string,
        applied: value["applied_at"]?.string.flatMap { Instant(rfc3339: $0) } ?? Instant(microseconds: 0), paths: paths)
    }
  }
}

extension ConfigurationStore {
  /// Changes places of the live document, as an operator does in the console: a version of its own, which the file's next
  /// application respects.
  ///
  /// - Parameter values: by path; `nil` removes what is there.
  /// - Returns: the number of the new version; of the newest when nothing changes.
  /// - Throws: ``Kit/ConfigMistakes`` when the document would not be right any more; ``Stale`` after five meetings with
  ///   others; ``Database/DatabaseError``.
  func change(_ values: [ConfigurationPath: ConfigValue?], by actor: String, file name: String) async throws -> Int {
    for attempt in 1...5 {
      guard let newest = try await newest() else { throw Stale(expected: 0) }
      let before = try ConfigValue(yaml: newest.live, file: name)
      var after = before
      for (path, value) in values { after[path.keys] = value }
      let changes = ConfigurationChange.between(before, after)
      if changes.isEmpty { return newest.number }
      let text = after.yaml
      _ = try CityConfiguration(reading: text, file: name)
      do {
        return try await record(
          .console, on: newest.number, file: newest.file, live: text, by: actor, paths: changes.map(\.path))
      } catch let error as Stale where attempt == 5 { throw error } catch is Stale {}
    }
    throw Stale(expected: 0)
  }
}
