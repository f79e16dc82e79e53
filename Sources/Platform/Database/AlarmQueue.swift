/// The next alarm of each pool: a binary heap. An entry that an earlier one has replaced stays and is passed over.
struct AlarmQueue {
  typealias Time = ContinuousClock.Instant
  private var heap: [(time: Time, pool: PoolID)] = []
  private var current: [PoolID: Time] = [:]

  var next: Time? { heap.first?.time }

  /// Keeps an alarm that comes earlier.
  mutating func set(_ pool: PoolID, at time: Time) {
    if let set = current[pool], set <= time { return }
    current[pool] = time
    heap.append((time, pool))
    var child = heap.count - 1
    while child > 0, heap[child].time < heap[(child - 1) / 2].time {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// Takes out a pool whose alarm has come.
  mutating func popDue(at now: Time) -> PoolID? {
    while let first = heap.first, first.time <= now {
      removeFirst()
      if current[first.pool] == first.time {
        current[first.pool] = nil
        return first.pool
      }
    }
    return nil
  }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].time < heap[least].time {
        least = child
      }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
