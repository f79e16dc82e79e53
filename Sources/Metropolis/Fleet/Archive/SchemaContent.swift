import Database
import Foundation
import Kit

/// How much is in a schema: what an archive, and what is restored from it, are compared by.
struct SchemaContent: Sendable, Equatable {
  var rows: [String: Int] = [:]
  var sequences: [String: Int?] = [:]

  /// Counts every row: minutes for a large tenant.
  static func count(_ schema: Schema, in transaction: Transaction) async throws -> SchemaContent {
    var content = SchemaContent()
    // A partitioned table has its rows in its partitions.
    let tables = try await transaction.query(
      """
      SELECT c.relname::text AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = \(schema.name) AND c.relkind = 'r' ORDER BY 1
      """)
    for table in tables {
      let name: String = try table.get("name")
      let row = try await transaction.one("SELECT count(*)::int8 AS rows FROM \(schema).\(identifier: name)")
      content.rows[name] = try row?.get("rows") ?? 0
    }
    let sequences = try await transaction.query(
      "SELECT sequencename::text AS name, last_value FROM pg_sequences WHERE schemaname = \(schema.name)")
    for sequence in sequences {
      content.sequences[try sequence.get("name")] = .some(try sequence.getIfPresent("last_value", as: Int.self))
    }
    return content
  }

  /// Where they differ, in words; empty when they don't.
  func differences(from other: SchemaContent) -> [String] {
    let tables = Set(rows.keys).union(other.rows.keys).filter { rows[$0] != other.rows[$0] }.sorted().map { table in
      "\(table): found \(rows[table].map { "\($0) rows" } ?? "no table"), expected \(other.rows[table].map { "\($0)" } ?? "none")"
    }
    let numbers = Set(sequences.keys).union(other.sequences.keys).filter { sequences[$0] != other.sequences[$0] }.sorted()
    return tables + numbers.map { "sequence \($0) stands elsewhere" }
  }
}

/// Counts the rows in the text of a dump: each stands on a line of its own behind its table's COPY.
struct DumpCounter: Sendable {
  private(set) var rows: [String: Int] = [:]
  private var table: String?
  private var rest = Data()

  mutating func take(_ data: Data) {
    rest.append(data)
    var start = rest.startIndex
    while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
      line(rest[start..<end])
      start = end + 1
    }
    rest = Data(rest[start...])
  }

  private mutating func line(_ line: Data) {
    if let table {
      if line.elementsEqual(Data("\\.".utf8)) { self.table = nil } else { rows[table, default: 0] += 1 }
    } else if line.starts(with: Data("COPY ".utf8)), line.suffix(12).elementsEqual(Data(" FROM stdin;".utf8)) {
      table = DumpCounter.table(of: String(decoding: line, as: UTF8.self))
      if let table { rows[table] = rows[table] ?? 0 }
    }
  }

  /// `COPY t_jeju.question (id, …) FROM stdin;`, names in quotes where they need them.
  static func table(of line: String) -> String? {
    guard let match = line.firstMatch(of: #/^COPY (?:"[^"]+"|[a-z0-9_]+)\.(?:"([^"]+)"|([a-z0-9_]+)) /#) else { return nil }
    return (match.1 ?? match.2).map(String.init)
  }
}
