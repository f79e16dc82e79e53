import Foundation
import Kit

/// A few threads of our own for work that keeps a core busy: password hashes, the making of keys. The threads of the
/// concurrency pool are as many as there are cores, and a hash on one of them would make every request wait.
///
/// They are as many as there are cores too, and of low priority: they take what the requests leave.
final class WorkerThreads: Sendable {
  private let queue: WorkQueue

  /// - Parameters:
  ///   - count: threads; they start with the first work.
  ///   - depth: how much work may wait.
  ///   - longestWait: how long work may have to wait, as the work before it makes expect. More is refused at once: callers
  ///     give up after ten seconds (R54).
  ///   - rested: called by a thread that had nothing to do for some seconds.
  init(
    count: Int = ProcessInfo.processInfo.activeProcessorCount, depth: Int = 256, longestWait: Duration = .seconds(8),
    rested: @escaping @Sendable () -> Void = {}
  ) {
    queue = WorkQueue(threads: max(1, count), depth: depth, longestWait: longestWait, rested: rested)
  }

  deinit { queue.stop() }

  /// Runs `work` on one of the threads.
  /// - Throws: ``Kit/Problem`` `unavailable` with the seconds to wait when too much waits already.
  func run<R: Sendable>(_ work: @escaping @Sendable () -> R) async throws -> R {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<R, any Error>) in
      if let seconds = queue.add({ continuation.resume(returning: work()) }) {
        continuation.resume(throwing: Problem(.unavailable, retryAfter: seconds))
      }
    }
  }
}

/// Unchecked: everything that changes is touched under `condition` only.
private final class WorkQueue: @unchecked Sendable {
  /// Of the threads (setpriority(2)): a tenth of what a request's thread gets while both want the core.
  private static let niceness: Int32 = 10
  private static let restAfter = 3.0

  private let condition = NSCondition()
  private let threads: Int
  private let depth: Int
  private let longestWait: Double
  private let rested: @Sendable () -> Void
  private var waiting: [@Sendable () -> Void] = []
  /// Seconds one piece of work takes, the last ones counting most.
  private var usual = 0.02
  private var hasStarted = false
  private var isStopped = false

  init(threads: Int, depth: Int, longestWait: Duration, rested: @escaping @Sendable () -> Void) {
    self.threads = threads
    self.depth = depth
    self.longestWait = longestWait / .seconds(1)
    self.rested = rested
  }

  /// - Returns: `nil` when the work is taken, else in how many seconds it is worth asking again.
  func add(_ work: @escaping @Sendable () -> Void) -> Int? {
    condition.lock()
    defer { condition.unlock() }
    let wait = Double(waiting.count) * usual / Double(threads)
    guard waiting.count < depth, wait <= longestWait, !isStopped else { return max(2, Int(wait.rounded(.up))) }
    if !hasStarted { start() }
    waiting.append(work)
    condition.signal()
    return nil
  }

  func stop() {
    condition.lock()
    isStopped = true
    condition.broadcast()
    condition.unlock()
  }

  private func start() {
    hasStarted = true
    for number in 1...threads {
      let thread = Thread { [self] in
        // Of this thread alone: Linux keeps the value per thread, against POSIX (setpriority(2), notes).
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, WorkQueue.niceness)
        while let work = next() {
          let start = ContinuousClock.now
          work()
          note((ContinuousClock.now - start) / .seconds(1))
        }
      }
      thread.name = "password-\(number)"
      thread.stackSize = 1 << 20
      thread.start()
    }
  }

  private func note(_ seconds: Double) {
    condition.lock()
    usual += (seconds - usual) / 8
    condition.unlock()
  }

  private func next() -> (@Sendable () -> Void)? {
    condition.lock()
    defer { condition.unlock() }
    var hasRested = false
    while waiting.isEmpty {
      if isStopped { return nil }
      if hasRested {
        condition.wait()
      } else if !condition.wait(until: Date(timeIntervalSinceNow: WorkQueue.restAfter)) {
        hasRested = true
        condition.unlock()
        rested()
        condition.lock()
      }
    }
    return waiting.removeFirst()
  }
}
