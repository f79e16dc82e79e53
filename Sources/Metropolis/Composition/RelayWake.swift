import Database
import Jobs
import Synchronization

/// Outboxes are made before the relay that empties them; they wake it through this.
final class RelayWake: Sendable {
  private let relay = Mutex<Relay?>(nil)

  func connect(_ relay: Relay) { self.relay.withLock { $0 = relay } }
  func wake(_ schema: Schema) { relay.withLock { $0 }?.wake(schema) }
}
