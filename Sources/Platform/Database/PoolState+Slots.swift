extension PoolState {
  /// A job that waits for a connection.
  struct Waiter {
    let job: Job
    let number: UInt64
    let deadline: Time
  }

  /// One connection, as the pool sees it.
  struct Slot {
    let id: ConnectionID
    var isOpen = false
    /// Statements that share it.
    var load = 0
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
}
