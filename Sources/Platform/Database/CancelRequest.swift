import CPostgres
import Foundation

/// Asks the server to end the statement a connection runs.
///
/// libpq 15 does this over a connection of its own and blocks, so each gets a thread for that time; there are never more
/// of them than connections. Unchecked: the one pointer belongs to this object, and is used by one thread after the other.
final class CancelRequest: @unchecked Sendable {
  private let pointer: OpaquePointer

  init?(_ connection: OpaquePointer) {
    guard let pointer = PQgetCancel(connection) else { return nil }
    self.pointer = pointer
  }

  deinit { PQfreeCancel(pointer) }

  /// - Parameter completion: called on another thread, whether the server was reached or not.
  func send(_ completion: @escaping @Sendable () -> Void) {
    Thread.detachNewThread {
      var message = [CChar](repeating: 0, count: 256)
      _ = PQcancel(self.pointer, &message, Int32(message.count))
      completion()
    }
  }
}
