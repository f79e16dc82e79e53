/// Which statements a connection has prepared.
///
/// A text is prepared when it comes the second time, so that what runs once costs one round trip and leaves nothing
/// behind. The least recently used one makes room. A text that comes with parameters of other types is another statement,
/// and rare: it is run without being prepared.
struct StatementCache {
  enum Plan: Equatable {
    case unnamed
    case prepare(name: String)
    case execute(name: String)
  }

  private struct Entry {
    var name: String?
    var types: [SQLType]
    var lastUse: UInt64
  }

  let capacity: Int
  private var entries: [String: Entry] = [:]
  private var uses: UInt64 = 0
  private var names: UInt64 = 0
  /// Names the server still holds and nobody will use; to be deallocated.
  private(set) var evicted: [String] = []

  init(capacity: Int = 256) { self.capacity = capacity }

  mutating func plan(for sql: SQL) -> Plan {
    uses += 1
    guard let index = entries.index(forKey: sql.text) else {
      if entries.count >= capacity { evict() }
      entries[sql.text] = Entry(name: nil, types: sql.parameters.map(\.type), lastUse: uses)
      return .unnamed
    }
    entries.values[index].lastUse = uses
    let entry = entries.values[index]
    guard entry.types.elementsEqual(sql.parameters.lazy.map(\.type)) else { return .unnamed }
    if let name = entry.name { return .execute(name: name) }
    names += 1
    return .prepare(name: "s\(names)")
  }

  mutating func didPrepare(_ text: String, name: String) { entries[text]?.name = name }

  /// The plan is of no use any more: its tables have changed, or the server has dropped it.
  mutating func forget(_ text: String) {
    if let name = entries.removeValue(forKey: text)?.name { evicted.append(name) }
  }

  mutating func takeEvicted() -> [String] {
    defer { evicted = [] }
    return evicted
  }

  private mutating func evict() {
    guard let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })?.key else { return }
    forget(oldest)
  }
}
