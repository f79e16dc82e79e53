import CPostgres
import Foundation
import Synchronization

/// The one thread that owns all sockets to databases.
///
/// Callers put commands into a locked inbox; the first of a batch wakes the thread. Resolving a host name blocks it, so
/// name databases by address or let the system cache names.
public final class DatabaseLoop: Sendable {
  let inbox: Inbox
  private let lastID = Atomic<UInt64>(0)

  /// Starts the thread.
  public init() {
    let inbox = Inbox()
    self.inbox = inbox
    Thread.detachNewThread {
      // Named from within: a name given before the start does not reach the kernel.
      Thread.current.name = "database"
      EventLoop(inbox: inbox).run()
    }
  }

  deinit { stop() }

  /// Ends the thread. What is under way fails with ``DatabaseError/Kind/closed``; close databases first.
  public func stop() { inbox.stop() }

  /// An id that no other object of this loop has.
  func makeID() -> UInt64 { lastID.add(1, ordering: .relaxed).newValue }
}

enum Command: Sendable {
  case open(PoolID, PoolConfiguration)
  case submit(PoolID, Request)
  case cancel(PoolID, RequestID)
  /// The cancel request has reached the server, or can't.
  case didSendCancel(PoolID, ConnectionID)
  case subscribe(PoolID, Subscription)
  case unsubscribe(PoolID, id: UInt64, channel: String)
  case close(PoolID, completion: @Sendable () -> Void)
}

/// What waits for the loop.
final class Inbox: Sendable {
  private struct State {
    var commands: [Command] = []
    var isSignalled = false
    var isStopped = false
  }

  /// Readable when something waits.
  let wakeup: Int32
  private let state = Mutex(State())

  init() {
    wakeup = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    precondition(wakeup >= 0, "no eventfd: \(errno)")
  }

  deinit { Glibc.close(wakeup) }

  /// - Returns: `false` when the loop has been stopped and will not see the command.
  @discardableResult
  func post(_ command: Command) -> Bool {
    let (isAccepted, mustSignal) = state.withLock { state in
      guard !state.isStopped else { return (false, false) }
      state.commands.append(command)
      defer { state.isSignalled = true }
      return (true, !state.isSignalled)
    }
    if mustSignal { signal() }
    return isAccepted
  }

  func stop() {
    state.withLock { $0.isStopped = true }
    signal()
  }

  /// Moves what waits into `commands`, which comes empty and lends its storage.
  /// - Returns: whether the loop has been stopped.
  func take(into commands: inout [Command]) -> Bool {
    state.withLock { state in
      swap(&commands, &state.commands)
      state.isSignalled = false
      return state.isStopped
    }
  }

  func acknowledge() {
    var count: UInt64 = 0
    _ = read(wakeup, &count, 8)
  }

  private func signal() {
    var one: UInt64 = 1
    _ = write(wakeup, &one, 8)
  }
}
