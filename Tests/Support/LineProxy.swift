public import Database
import Foundation
import Synchronization

/// A line between a client and PostgreSQL that breaks where a test wants it: TCP on the client's side, the server's Unix
/// socket on the other. It knows where messages begin and end, counts them, and does a ``Fault`` at one of them.
public final class LineProxy: Sendable {
  public enum Direction: Sendable, CaseIterable {
    case toServer
    case toClient
  }

  /// What happens to the line, once.
  public struct Fault: Sendable, CustomStringConvertible {
    public enum Moment: Sendable, CaseIterable {
      /// The message does not pass.
      case before
      /// Half of its bytes pass.
      case within
      /// All of it passes, and nothing behind it.
      case after
    }

    public enum Effect: Sendable {
      /// Both ends are closed in order (FIN).
      case close
      /// Both ends are closed, the client's by a reset (RST).
      case reset
      /// Nothing passes any more in either direction; both ends stay open.
      case stall
      /// Nothing passes any more in this direction until ``LineProxy/release()``.
      case hold
    }

    public var direction: Direction
    /// The message's number in its direction since ``LineProxy/arm(_:)``, over all lines, from 1.
    public var message: Int
    public var moment: Moment
    public var effect: Effect

    public init(_ effect: Effect, _ moment: Moment, _ message: Int, _ direction: Direction) {
      self.effect = effect
      self.moment = moment
      self.message = message
      self.direction = direction
    }

    public var description: String { "\(effect) \(moment) message \(message) \(direction)" }
  }

  /// A message that has come to the proxy; of a long one the beginning.
  public struct Passage: Sendable {
    public let direction: Direction
    /// Its number in its direction, from 1.
    public let number: Int
    public let message: ProtocolMessage
  }

  let control: LineControl
  private let host: String
  private let port: Int

  /// Listens on a free port of 127.0.0.1 and leads to the server of `settings`, which is a Unix socket's folder.
  public init(to settings: ConnectionSettings) throws {
    let (listener, port) = try LineSockets.listen()
    host = "127.0.0.1"
    self.port = port
    let control = LineControl()
    self.control = control
    let path = "\(settings.host)/.s.PGSQL.\(settings.port)"
    Thread.detachNewThread {
      Thread.current.name = "line proxy"
      LineRelay(listener: listener, server: path, control: control).run()
    }
  }

  deinit { close() }

  /// The same database, reached by way of this proxy.
  public func settings(_ settings: ConnectionSettings) -> ConnectionSettings {
    var settings = settings
    settings.host = host
    settings.port = String(port)
    return settings
  }

  /// Counts from 1 again, forgets what has passed, and waits for the fault's message.
  public func arm(_ fault: Fault?) {
    control.change {
      $0.fault = fault
      $0.hasFired = false
      $0.counts = [:]
      $0.passages = []
    }
  }

  /// All that has come since ``arm(_:)``, in its order.
  public var passages: [Passage] { control.read { $0.passages } }

  /// How many messages have come in a direction since ``arm(_:)``.
  public func count(_ direction: Direction) -> Int { control.read { $0.counts[direction] ?? 0 } }

  /// Whether the fault has happened.
  public var hasFired: Bool { control.read { $0.hasFired } }

  /// Lines that are open now.
  public var lines: Int { control.read { $0.lines } }

  /// Waits until the fault has happened. Returns at once when it has, and when the proxy is closed.
  public func fired() async {
    await withCheckedContinuation { continuation in
      let isDue = control.read { state in
        if state.hasFired || state.isClosed { return true }
        state.waiting.append(continuation)
        return false
      }
      if isDue { continuation.resume() }
    }
  }

  /// What is held passes.
  public func release() { control.change { $0.releases += 1 } }

  /// From now on nothing passes on any line, old or new, as when a cable is pulled; `false` mends new lines only.
  public func pullCable(_ isPulled: Bool = true) { control.change { $0.isPulled = isPulled } }

  /// Closes all lines, and takes no more.
  public func close() { control.change { $0.isClosed = true } }
}

/// What the proxy and its thread share.
final class LineControl: Sendable {
  struct State {
    var fault: LineProxy.Fault?
    var hasFired = false
    var counts: [LineProxy.Direction: Int] = [:]
    var passages: [LineProxy.Passage] = []
    var waiting: [CheckedContinuation<Void, Never>] = []
    var lines = 0
    var releases = 0
    var isPulled = false
    var isClosed = false
  }

  /// Readable when something has changed.
  let wakeup: Int32
  private let bell: Int32
  private let state = Mutex(State())

  init() {
    var ends: [Int32] = [-1, -1]
    precondition(pipe(&ends) == 0, "no pipe: \(errno)")
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    (wakeup, bell) = (ends[0], ends[1])
  }

  deinit {
    close(wakeup)
    close(bell)
  }

  func read<R: Sendable>(_ body: (inout State) -> R) -> R { state.withLock { body(&$0) } }

  func change(_ body: (inout State) -> Void) {
    state.withLock { body(&$0) }
    var one: UInt8 = 1
    _ = write(bell, &one, 1)
  }

  /// Counts a message.
  /// - Returns: the fault, when this is its message.
  func didMeet(_ message: ProtocolMessage, _ direction: LineProxy.Direction) -> LineProxy.Fault? {
    state.withLock { state in
      let number = (state.counts[direction] ?? 0) + 1
      state.counts[direction] = number
      // Bulk data is passed on, not kept.
      let kept = ProtocolMessage(type: message.type, bytes: Array(message.bytes.prefix(4_096)))
      state.passages.append(LineProxy.Passage(direction: direction, number: number, message: kept))
      guard let fault = state.fault, !state.hasFired, fault.direction == direction, fault.message == number else { return nil }
      return fault
    }
  }

  /// The fault has been done.
  func didFire() {
    let waiting = state.withLock { state in
      state.hasFired = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  func didClose() {
    let waiting = state.withLock { state in
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }
}
