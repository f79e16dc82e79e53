import Kit

/// Answers within a bound of bytes, and what they were made of: a value without clock or lock.
///
/// Which one goes when there is no room is decided by S3-FIFO (Yang et al., SOSP 2023): newcomers pass a small queue, in which
/// those nobody asks for again leave; a scan of ten thousand pages that are asked for once moves nothing that is asked for
/// often.
struct AnswerStore {
  final class Slot {
    let entry: KeptEntry
    fileprivate var uses: UInt8 = 0
    fileprivate var isGone = false
    fileprivate init(_ entry: KeptEntry) { self.entry = entry }
  }

  private struct Queue {
    var slots: [Slot] = []
    var head = 0
    var bytes = 0
    /// Slots in line that are gone already.
    var gone = 0

    mutating func push(_ slot: Slot) {
      slots.append(slot)
      bytes += slot.entry.bytes
    }

    mutating func pop() -> Slot? {
      while head < slots.count {
        let slot = slots[head]
        head += 1
        if head > 64, head * 2 > slots.count {
          slots.removeFirst(head)
          head = 0
        }
        if slot.isGone {
          gone -= 1
          continue
        }
        bytes -= slot.entry.bytes
        return slot
      }
      return nil
    }

    mutating func forget(_ slot: Slot) {
      bytes -= slot.entry.bytes
      gone += 1
      guard gone > 64, gone * 2 > slots.count - head else { return }
      slots = slots[head...].filter { !$0.isGone }
      (head, gone) = (0, 0)
    }
  }

  private let bytesMost: Int
  private var slots: [CacheKey: Slot] = [:]
  private var newcomers = Queue()
  private var residents = Queue()
  private var isResident: Set<ObjectIdentifier> = []
  /// Keys that left the newcomers' queue lately: one that comes back is wanted.
  private var ghosts: Set<CacheKey> = []
  private var ghostLine: [CacheKey] = []
  /// By schema and tag.
  private var tagged: [String: [String: Set<CacheKey>]] = [:]
  private var persons: [PersonID: Set<CacheKey>] = [:]
  private(set) var evicted = 0

  init(bytes: Int) { bytesMost = bytes }

  var count: Int { slots.count }
  var bytes: Int { newcomers.bytes + residents.bytes }
  func holds(scope: String) -> Bool { tagged[scope] != nil }

  func find(_ key: CacheKey) -> KeptEntry? {
    guard let slot = slots[key] else { return nil }
    if slot.uses < 3 { slot.uses += 1 }
    return slot.entry
  }

  /// - Returns: `false` for one that is too large to be worth its room.
  @discardableResult
  mutating func insert(_ entry: KeptEntry) -> Bool {
    remove(entry.key)
    guard entry.bytes <= bytesMost / 16 else { return false }
    let slot = Slot(entry)
    slots[entry.key] = slot
    // Without a tag of its own, an answer still belongs to its schema: with "" it is found when all of that is dropped.
    for tag in entry.tags + [""] { tagged[entry.scope, default: [:]][tag, default: []].insert(entry.key) }
    if case .person(let person) = entry.key.owner { persons[person, default: []].insert(entry.key) }
    if ghosts.remove(entry.key) != nil {
      isResident.insert(ObjectIdentifier(slot))
      residents.push(slot)
    } else {
      newcomers.push(slot)
    }
    while bytes > bytesMost { evict() }
    return true
  }

  mutating func remove(_ key: CacheKey) {
    guard let slot = slots[key] else { return }
    unlink(slot)
    slot.isGone = true
    if isResident.remove(ObjectIdentifier(slot)) != nil { residents.forget(slot) } else { newcomers.forget(slot) }
  }

  /// - Parameter tags: `nil` for all of the schema.
  /// - Returns: how many went.
  @discardableResult
  mutating func drop(scope: String, tags: Set<String>?) -> Int {
    guard let known = tagged[scope] else { return 0 }
    var keys: Set<CacheKey> = []
    for tag in tags ?? [""] { keys.formUnion(known[tag] ?? []) }
    for key in keys { remove(key) }
    return keys.count
  }

  @discardableResult
  mutating func drop(person: PersonID) -> Int {
    let keys = persons[person] ?? []
    for key in keys { remove(key) }
    return keys.count
  }

  /// Everything that was made for one person, whoever she is.
  @discardableResult
  mutating func dropPersonal() -> Int {
    let keys = persons.values.reduce(into: Set<CacheKey>()) { $0.formUnion($1) }
    for key in keys { remove(key) }
    return keys.count
  }

  mutating func dropAll() { for key in Array(slots.keys) { remove(key) } }

  private mutating func unlink(_ slot: Slot) {
    let entry = slot.entry
    slots[entry.key] = nil
    for tag in entry.tags + [""] {
      tagged[entry.scope]?[tag]?.remove(entry.key)
      if tagged[entry.scope]?[tag]?.isEmpty == true { tagged[entry.scope]?[tag] = nil }
    }
    if tagged[entry.scope]?.isEmpty == true { tagged[entry.scope] = nil }
    if case .person(let person) = entry.key.owner {
      persons[person]?.remove(entry.key)
      if persons[person]?.isEmpty == true { persons[person] = nil }
    }
  }

  private mutating func evict() {
    if newcomers.bytes > bytesMost / 10 || residents.bytes == 0, let slot = newcomers.pop() {
      if slot.uses > 0 {
        slot.uses = 0
        isResident.insert(ObjectIdentifier(slot))
        residents.push(slot)
      } else {
        unlink(slot)
        slot.isGone = true
        remember(slot.entry.key)
        evicted += 1
      }
      return
    }
    guard let slot = residents.pop() else { return }
    if slot.uses > 0 {
      slot.uses -= 1
      residents.push(slot)
    } else {
      isResident.remove(ObjectIdentifier(slot))
      unlink(slot)
      slot.isGone = true
      evicted += 1
    }
  }

  private mutating func remember(_ key: CacheKey) {
    ghosts.insert(key)
    ghostLine.append(key)
    guard ghostLine.count > max(64, 2 * slots.count) else { return }
    for old in ghostLine.prefix(ghostLine.count / 2) { ghosts.remove(old) }
    ghostLine.removeFirst(ghostLine.count / 2)
  }
}
