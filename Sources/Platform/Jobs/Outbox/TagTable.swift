public import Database
import Foundation

/// The tags of one schema: what answers that are kept are made of. Touched in the transaction of the effect, like the outbox
/// beside them; read by every node (``FreshnessFollower``).
public struct TagTable: Sendable {
  public let schema: Schema
  private let drop: @Sendable (Set<String>) -> Void
  private let announce: @Sendable () -> Void

  /// - Parameters:
  ///   - drop: forgets this process's answers with any of these tags. Called after the commit, before the transaction returns.
  ///   - announce: tells the other nodes to look at this schema, soon. A NOTIFY inside the transaction would make all
  ///     commits of the database wait in one line (PostgreSQL holds one lock from NOTIFY to the end of the commit).
  public init(
    schema: Schema, drop: @escaping @Sendable (Set<String>) -> Void, announce: @escaping @Sendable () -> Void
  ) {
    self.schema = schema
    self.drop = drop
    self.announce = announce
  }

  /// Says that what has these tags changes with the transaction.
  public func touch(_ tags: Set<String>, in transaction: Transaction) throws {
    guard !tags.isEmpty else { return }
    try transaction.enqueue(
      "INSERT INTO \(schema).cache_tag (tag) SELECT unnest(\(tags.sorted())) ON CONFLICT ON CONSTRAINT cache_tag_once DO NOTHING")
    transaction.afterCommit { [drop, announce] in
      drop(tags)
      announce()
    }
  }
}

/// What one node has seen of a schema's tags.
struct TagWatch: Sendable, Equatable {
  /// Transactions from this number on may not have been seen.
  var from: Int64
  /// What was seen of them all the same: not news when it is read again.
  var seen: Set<Touched>

  struct Touched: Hashable, Sendable {
    let version: Int64
    let tag: String
  }

  /// Takes what a look has read.
  ///
  /// - Parameters:
  ///   - rows: all from ``from`` on.
  ///   - oldest: the oldest transaction under way when it looked.
  /// - Returns: the tags that are news.
  mutating func take(_ rows: [Touched], oldest: Int64) -> Set<String> {
    let news = rows.filter { !seen.contains($0) }
    from = max(from, oldest)
    seen = Set(rows.filter { $0.version >= from })
    return Set(news.map(\.tag))
  }
}
