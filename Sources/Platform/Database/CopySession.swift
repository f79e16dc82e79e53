/// One COPY between a caller's task and the loop: chunks go through a bounded buffer, and whichever side is ahead waits.
///
/// Unchecked: subclasses guard with a lock what both sides use; `connection` is the loop's.
class CopySession: @unchecked Sendable {
  /// Bytes that wait between the two sides. More may come only as one chunk that exceeds it.
  static let bufferSize = 256 * 1_024

  let handle: PoolHandle
  let inbox: Inbox
  /// While rows flow.
  unowned(unsafe) var connection: Connection?

  init(handle: PoolHandle, inbox: Inbox) {
    self.handle = handle
    self.inbox = inbox
  }

  // MARK: On the loop's thread

  /// Rows flow, and libpq's results have to wait.
  var isFlowing: Bool { connection != nil }
  /// Rows flow to the server.
  var isSending: Bool { false }
  /// The consumer is behind: nothing is to be read.
  var isPaused: Bool { false }

  /// The server is ready for rows, or has some.
  /// - Returns: whether this is what it was meant to do.
  func start(on connection: Connection, incoming: Bool) -> Bool { false }

  /// The other side has done its part, or the socket can take or has more.
  func proceed() {}

  /// - Returns: whether the COPY ends by itself; if not, the server has to be asked to.
  func giveUp() -> Bool { false }

  /// The request has been answered. Called once, from whichever thread.
  func didEnd(_ outcome: Result<Rows, DatabaseError>) {}
}
