/// Which statements a connection has prepared.
///
/// A text is prepared when it comes the second time, so that what runs once leaves nothing behind. The least recently used
/// one makes room. A text that comes with parameters of other types is another statement, and rare: it is run without being
/// prepared, as are those that come while the preparation is under way.
struct StatementCache {
  enum Plan: Equatable {
    case unnamed
    case prepare(name: String)
    case execute(name: String)
  }

  /// A text with its hash, which is computed once, by the caller.
  private struct Key: Hashable {
    let text: String
    let hash: Int
    static func == (a: Key, b: Key) -> Bool { a.hash == b.hash && a.text == b.text }
    func hash(into hasher: inout Hasher) { hasher.combine(hash) }
  }

  private struct Entry {
    var name: String?
    var isPreparing = false
    var types: [SQLType]
    var lastUse: UInt64
  }

  let capacity: Int
  private var entries: [Key: Entry] = [:]
  private var uses: UInt64 = 0
  private var names: UInt64 = 0
  /// Names the server still holds and nobody will use; to be deallocated.
  private(set) var evicted: [String] = []

  init(capacity: Int = 256) { self.capacity = capacity }

  static func hash(of text: String) -> Int { text.hashValue }

  mutating func plan(for sql: SQL) -> Plan {
    plan(for: sql, hash: StatementCache.hash(of: sql.text))
  }

  mutating func plan(for sql: SQL, hash: Int) -> Plan {
    uses += 1
    let key = Key(text: sql.text, hash: hash)
    guard let index = entries.index(forKey: key) else {
      if entries.count >= capacity { evict() }
      entries[key] = Entry(name: nil, types: sql.parameters.map(\.type), lastUse: uses)
      return .unnamed
    }
    entries.values[index].lastUse = uses
    guard hasTypes(sql.parameters, entries.values[index].types) else { return .unnamed }
    if let name = entries.values[index].name { return .execute(name: name) }
    if entries.values[index].isPreparing { return .unnamed }
    entries.values[index].isPreparing = true
    names += 1
    return .prepare(name: "s\(names)")
  }

  mutating func didPrepare(_ text: String, name: String) {
    let key = Key(text: text, hash: StatementCache.hash(of: text))
    guard let index = entries.index(forKey: key), entries.values[index].name == nil else {
      return evicted.append(name)
    }
    entries.values[index].name = name
    entries.values[index].isPreparing = false
  }

  /// The server refused to prepare it.
  mutating func didFailToPrepare(_ text: String) {
    entries[Key(text: text, hash: StatementCache.hash(of: text))]?.isPreparing = false
  }

  /// The plan is of no use any more: its tables have changed, or the server has dropped it.
  mutating func forget(_ text: String) {
    forget(Key(text: text, hash: StatementCache.hash(of: text)))
  }

  mutating func takeEvicted() -> [String] {
    defer { evicted = [] }
    return evicted
  }

  private func hasTypes(_ parameters: [SQLParameter], _ types: [SQLType]) -> Bool {
    guard parameters.count == types.count else { return false }
    for index in parameters.indices where parameters[index].type != types[index] { return false }
    return true
  }

  private mutating func forget(_ key: Key) {
    if let name = entries.removeValue(forKey: key)?.name { evicted.append(name) }
  }

  private mutating func evict() {
    guard let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })?.key else { return }
    forget(oldest)
  }
}
