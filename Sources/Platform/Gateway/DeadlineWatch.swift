import Kit
import Synchronization

/// Cancels what is over its deadline: one look for all requests, instead of a timer for each.
///
/// A deadline is kept to the next tick.
final class DeadlineWatch: Sendable {
  /// A piece of work in its task.
  private final class Work: Sendable {
    private struct Running: @unchecked Sendable {
      // Safe: taken out before the task ends, and `cancel` may be called from anywhere (SE-0304, UnsafeCurrentTask).
      let task: UnsafeCurrentTask
    }
    private let running: Mutex<Running?>
    let tick: Int64

    init(_ task: UnsafeCurrentTask?, tick: Int64) {
      running = Mutex(task.map { Running(task: $0) })
      self.tick = tick
    }

    func cancel() { running.withLock { $0?.task.cancel() } }
    func end() { running.withLock { $0 = nil } }
  }

  private struct State {
    var due: [Int64: [ObjectIdentifier: Work]] = [:]
    var isTicking = false
    /// Ticks without any work: after some the clock stops.
    var idle = 0
  }

  private let tick: Duration
  private let start = ContinuousClock.now
  private let state = Mutex(State())

  init(tick: Duration) { self.tick = tick }

  /// Runs `body` in a child task, which is cancelled when the time is over; and waits until it has ended.
  func run<R: Sendable>(for duration: Duration, _ body: @escaping @Sendable () async -> R) async -> R {
    // A task of its own: the connection's must live to send the answer.
    async let result = withUnsafeCurrentTask { task -> R in
      let work = add(task, duration)
      defer { remove(work) }
      return await body()
    }
    return await result
  }

  private func add(_ task: UnsafeCurrentTask?, _ duration: Duration) -> Work {
    let due = number(of: .now + duration) + 1
    let work = Work(task, tick: due)
    let mustStart = state.withLock { state -> Bool in
      state.due[due, default: [:]][ObjectIdentifier(work)] = work
      defer { state.isTicking = true }
      return !state.isTicking
    }
    if mustStart { Task.detached { await self.go() } }
    return work
  }

  private func remove(_ work: Work) {
    work.end()
    state.withLock { state in
      state.due[work.tick]?[ObjectIdentifier(work)] = nil
      if state.due[work.tick]?.isEmpty == true { state.due[work.tick] = nil }
    }
  }

  private func number(of time: ContinuousClock.Instant) -> Int64 {
    (time - start).microseconds / max(1, tick.microseconds)
  }

  private func go() async {
    while true {
      try? await Task.sleep(for: tick)
      let now = number(of: .now)
      let (late, stops) = state.withLock { state -> ([Work], Bool) in
        var late: [Work] = []
        // All that is over: work can come in after its tick, when its thread had to wait before it was noted.
        for number in state.due.keys where number <= now { late += state.due.removeValue(forKey: number)!.values }
        state.idle = state.due.isEmpty ? state.idle + 1 : 0
        let stops = state.idle > 100
        if stops { (state.isTicking, state.idle) = (false, 0) }
        return (late, stops)
      }
      for work in late { work.cancel() }
      if stops { return }
    }
  }
}
