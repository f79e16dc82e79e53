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

/// A pool as callers know it.
///
/// Unchecked: the pool is the loop's; other threads only pass this on.
final class PoolHandle: @unchecked Sendable {
  let id: PoolID
  var pool: Pool?
  init(id: PoolID) { self.id = id }
}

enum Command: Sendable {
  case open(PoolConfiguration)
  case submit(PoolHandle, Request)
  case cancel(PoolHandle, Request)
  /// The cancel request has reached the server, or can't.
  case didSendCancel(PoolHandle, ConnectionID)
  /// A transaction is run again.
  case didRetry(PoolHandle)
  /// The other end of a COPY has done its part.
  case copy(CopySession)
  case subscribe(PoolHandle, Subscription)
  case unsubscribe(PoolHandle, id: UInt64, channel: String)
  case close(PoolHandle, completion: @Sendable () -> Void)
}

/// What waits for the loop.
final class Inbox: Sendable {
  private struct State {
    var commands: [Command] = []
    var isAsleep = false
    var isStopped = false
  }

  /// Readable when something waits for a loop that is asleep.
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
    let (isAccepted, mustWake) = state.withLock { state in
      guard !state.isStopped else { return (false, false) }
      state.commands.append(command)
      defer { state.isAsleep = false }
      return (true, state.isAsleep)
    }
    if mustWake { wakeUp() }
    return isAccepted
  }

  func stop() {
    state.withLock { $0.isStopped = true }
    wakeUp()
  }

  /// - Returns: whether nothing waits. If so, the next command wakes the loop.
  func prepareToSleep() -> Bool {
    state.withLock { state in
      state.isAsleep = state.commands.isEmpty && !state.isStopped
      return state.isAsleep
    }
  }

  /// Moves what waits into `commands`, which comes empty and lends its storage.
  /// - Returns: whether the loop has been stopped.
  func take(into commands: inout [Command]) -> Bool {
    state.withLock { state in
      swap(&commands, &state.commands)
      state.isAsleep = false
      return state.isStopped
    }
  }

  func acknowledge() {
    var count: UInt64 = 0
    _ = read(wakeup, &count, 8)
  }

  func wakeUp() {
    var one: UInt64 = 1
    _ = write(wakeup, &one, 8)
  }
}
