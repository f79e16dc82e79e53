import NIOCore
import Synchronization

/// Measures how long work waits for its turn: on each event loop, and on the executor of all tasks.
final class LoadProbe: Sendable {
  private static let interval = Duration.milliseconds(50)
  private let observe: @Sendable (Duration) -> Void

  init(observe: @escaping @Sendable (Duration) -> Void) { self.observe = observe }

  /// Goes on while the group runs.
  func watch(_ group: any EventLoopGroup) {
    for loop in group.makeIterator() {
      let due = Mutex(ContinuousClock.now + LoadProbe.interval)
      loop.scheduleRepeatedTask(initialDelay: .milliseconds(50), delay: .milliseconds(50)) { [observe] _ in
        let now = ContinuousClock.now
        let wait = due.withLock { due in
          defer { due = now + LoadProbe.interval }
          return now - due
        }
        observe(max(.zero, wait))
      }
    }
  }

  /// Measures the executor of all tasks until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      let due = ContinuousClock.now + LoadProbe.interval
      try? await Task.sleep(until: due, clock: .continuous)
      observe(max(.zero, .now - due))
    }
  }
}
