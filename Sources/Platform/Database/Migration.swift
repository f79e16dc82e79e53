/// One numbered step of a schema.
public struct Migration: Sendable, Hashable {
  /// Counts from 1, without gaps.
  public let number: Int
  /// What stands between number and ending of the file's name.
  public let name: String
  /// Statements as they stand in the file. `{schema}`, `{owner}` and `{role}` (the login role) are put in as quoted
  /// identifiers when it is applied.
  public let sql: String

  public init(number: Int, name: String, sql: String) {
    self.number = number
    self.name = name
    self.sql = sql
  }

  /// The file it comes from: `001-accounts.sql`.
  public var file: String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 3 - digits.count)) + digits + "-" + name + ".sql"
  }

  /// Reads files by name, such as `001-accounts.sql`, and puts them in order. A path before the name is left out.
  /// - Throws: ``MigrationError/invalidFile(name:reason:)`` when a name has another form, a number is missing or doubled.
  public static func read(_ files: [String: String]) throws -> [Migration] {
    let migrations = try files.map { path, sql in
      let file = path.split(separator: "/").last.map(String.init) ?? path
      guard file.hasSuffix(".sql"), let hyphen = file.firstIndex(of: "-"), let number = Int(file[..<hyphen]), number > 0
      else { throw MigrationError.invalidFile(name: file, reason: "found no name of the form 001-accounts.sql") }
      let name = file[file.index(after: hyphen)...].dropLast(4)
      guard !name.isEmpty else { throw MigrationError.invalidFile(name: file, reason: "the name after the number is missing") }
      return Migration(number: number, name: String(name), sql: sql)
    }.sorted { ($0.number, $0.name) < ($1.number, $1.name) }
    for (index, migration) in migrations.enumerated() where migration.number != index + 1 {
      throw MigrationError.invalidFile(
        name: migration.file, reason: "found number \(migration.number), expected \(index + 1): numbers go from 1 without gap")
    }
    return migrations
  }
}

/// Why a schema was not migrated. The schema is as it was before the migration that failed.
public enum MigrationError: Error, Sendable, CustomStringConvertible {
  case invalidFile(name: String, reason: String)
  /// A migration that was applied has other text now.
  case changed(schema: Schema, file: String, found: String, expected: String)
  /// The schema has a migration these files don't know: it was migrated by a newer release, or by something else.
  case unknownApplied(schema: Schema, number: Int, name: String, known: Int)
  /// An applied migration is missing among those the schema says it has.
  case gap(schema: Schema, found: Int, expected: Int)
  /// Another node has been migrating the schema for the whole of the turn timeout.
  case busy(schema: Schema)
  /// The server refused it. `line` counts from 1.
  case failed(schema: Schema, file: String, line: Int?, cause: DatabaseError)

  public var description: String {
    switch self {
    case .invalidFile(let name, let reason): "migration \(name): \(reason)"
    case .changed(let schema, let file, let found, let expected):
      "schema \(schema), \(file): the file has changed since it was applied: found checksum \(found), expected \(expected). "
        + "Restore the file and write the change as a new migration"
    case .unknownApplied(let schema, let number, let name, let known):
      "schema \(schema): found applied migration \(number) (\(name)), expected \(known) at most. "
        + "A newer release has migrated it: run that one"
    case .gap(let schema, let found, let expected):
      "schema \(schema): found applied migration \(found), expected \(expected): the table of its migrations was changed by hand"
    case .busy(let schema): "schema \(schema): another node has been migrating it all the time; look for one that hangs"
    case .failed(let schema, let file, let line, let cause):
      "schema \(schema), \(file)\(line.map { ", line \($0)" } ?? ""): \(MigrationError.words(on: cause))"
    }
  }

  /// The cause without its text: a migration is too long for a message.
  private static func words(on cause: DatabaseError) -> String {
    var cause = cause
    cause.statement = nil
    return cause.description
  }
}
