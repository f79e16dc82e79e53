import Foundation
import Kit

/// A few threads of our own for work that keeps a core busy: password hashes, the making of keys. The threads of the
/// concurrency pool are as many as there are cores, and a hash on one of them would make every request wait.
final class WorkerThreads: Sendable {
  private let queue: WorkQueue

  /// - Parameters:
  ///   - count: threads; they start with the first work.
  ///   - depth: how much work may wait. More than can be done in time is refused at once.
  init(count: Int = ProcessInfo.processInfo.activeProcessorCount, depth: Int = 64) {
    queue = WorkQueue(threads: max(1, count), depth: depth)
  }

  deinit { queue.stop() }

  /// Runs `work` on one of the threads.
  /// - Throws: ``Kit/Problem`` `unavailable` when too much waits already.
  func run<R: Sendable>(_ work: @escaping @Sendable () -> R) async throws -> R {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<R, any Error>) in
      let taken = queue.add { continuation.resume(returning: work()) }
      if !taken { continuation.resume(throwing: Problem(.unavailable, retryAfter: 2)) }
    }
  }
}

/// Unchecked: everything that changes is touched under `condition` only.
private final class WorkQueue: @unchecked Sendable {
  private let condition = NSCondition()
  private let threads: Int
  private let depth: Int
  private var waiting: [@Sendable () -> Void] = []
  private var hasStarted = false
  private var isStopped = false

  init(threads: Int, depth: Int) {
    self.threads = threads
    self.depth = depth
  }

  func add(_ work: @escaping @Sendable () -> Void) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    guard waiting.count < depth, !isStopped else { return false }
    if !hasStarted { start() }
    waiting.append(work)
    condition.signal()
    return true
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
        while let work = next() { work() }
      }
      thread.name = "password-\(number)"
      thread.stackSize = 1 << 20
      thread.start()
    }
  }

  private func next() -> (@Sendable () -> Void)? {
    condition.lock()
    defer { condition.unlock() }
    while waiting.isEmpty {
      if isStopped { return nil }
      condition.wait()
    }
    return waiting.removeFirst()
  }
}
