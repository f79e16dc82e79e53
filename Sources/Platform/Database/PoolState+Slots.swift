extension PoolState {
  /// A job that waits for a connection.
  struct Waiter {
    let job: Job
    let number: UInt64
    let deadline: Time
    var cost: Duration?
  }

  /// One connection, as the pool sees it.
  struct Slot {
    let id: ConnectionID
    var isOpen = false
    /// Statements that share it.
    var load = 0
    /// What they are expected to take together.
    var expected = Duration.zero
    var isLeased = false
    /// Takes nothing until it is let go: a cancel is on its way to it.
    var isHeld = false
    /// Takes no more statements, but for those older than the exclusive job it is kept for.
    var isKept = false
    /// Closes when its work is done.
    var isRetiring = false
    var openedAt: Time
    /// Since when it has rested, or its first statement has run.
    var since: Time

    var isResting: Bool { isOpen && load == 0 && !isLeased && !isHeld }
    var isShared: Bool { isOpen && !isLeased && !isHeld && !isRetiring }
  }

  /// What the connections are doing.
  struct Census {
    var idle = 0
    /// Running statements, or leased.
    var busy = 0
    /// Statements on connections that are shared.
    var load = 0
    /// Since when the connection that has rested longest has.
    var restingSince: Time?
  }

  /// Taken in one pass: the status tells of it in every turn of the loop.
  var census: Census {
    var census = Census()
    for index in slots.indices where slots[index].isOpen {
      census.load += slots[index].load
      if slots[index].isResting {
        census.idle += 1
        if census.restingSince.map({ slots[index].since < $0 }) ?? true { census.restingSince = slots[index].since }
      } else {
        census.busy += 1
      }
    }
    return census
  }

  /// Of the lines of short statements the longest that this one may join.
  func shortLine(for cost: Duration?, isYounger: Bool, now: Time) -> Int? {
    var best: Int?
    for index in slots.indices where slots[index].isShared && slots[index].load > 0 && slots[index].load < depth {
      guard !(slots[index].isKept && isYounger), mayJoin(index, cost: cost, now: now) else { continue }
      if best.map({ slots[$0].expected < slots[index].expected }) ?? true { best = index }
    }
    return best
  }

  /// Whether the statements of a connection are a line of short ones, and another of this cost leaves it one.
  func mayJoin(_ index: Int, cost: Duration?, now: Time) -> Bool {
    guard let cost else { return false }
    return slots[index].expected + cost <= line && slots[index].since + line >= now
  }
}
