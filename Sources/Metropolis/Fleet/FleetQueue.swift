/// What is still to do on one server. What failed for now comes back when its time has come; meanwhile others are worked on.
actor FleetQueue {
  struct Item: Sendable {
    let member: FleetMember
    var attempt = 1
  }

  private var ready: ArraySlice<Item>
  private var delayed: [(due: ContinuousClock.Instant, item: Item)] = []

  /// - Parameter members: taken by turns from each database, since making schemas in one database is one by one.
  init(_ members: [FleetMember]) {
    var groups = Dictionary(grouping: members, by: \.database).sorted { $0.key < $1.key }.map { $0.value[...] }
    var turns: [Item] = []
    turns.reserveCapacity(members.count)
    while turns.count < members.count {
      for index in groups.indices { if let member = groups[index].popFirst() { turns.append(Item(member: member)) } }
    }
    ready = turns[...]
  }

  /// The next to work on; waits for one that is delayed. `nil` when nothing is left, or the task is cancelled. What others
  /// work on may yet come back: then they take it themselves.
  func next() async -> Item? {
    while !Task.isCancelled {
      let now = ContinuousClock.now
      if let due = delayed.firstIndex(where: { $0.due <= now }) { return delayed.remove(at: due).item }
      if let item = ready.popFirst() { return item }
      guard let soonest = delayed.map(\.due).min() else { return nil }
      try? await Task.sleep(until: soonest)
    }
    return nil
  }

  func putBack(_ item: Item, after delay: Duration) { delayed.append((.now + delay, item)) }

  /// Takes out all that is left of a database.
  func abandon(_ database: String) -> [FleetMember] {
    let left = ready.filter { $0.member.database == database } + delayed.map(\.item).filter { $0.member.database == database }
    ready = ready.filter { $0.member.database != database }[...]
    delayed.removeAll { $0.item.member.database == database }
    return left.map(\.member)
  }
}
