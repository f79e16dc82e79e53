import Database
import Logging
import Synchronization

/// The watchdogs of a process, one on each server: for whoever asks what they saw.
final class Watchdogs: Sendable {
  private let known = Mutex<[String: Watchdog]>([:])

  /// By the server's name.
  var statuses: [(server: String, status: WatchdogStatus)] {
    known.withLock { $0 }.sorted { $0.key < $1.key }.map { ($0.key, $0.value.status) }
  }

  /// Watches a server until the task is cancelled.
  func watch(_ server: DatabaseServer, logger: Logger) async {
    let watchdog = Watchdog(admin: server.admin, processes: server.address.processes, logger: logger)
    known.withLock { $0[server.name] = watchdog }
    await watchdog.run()
  }
}
