import Database
import ServiceLifecycle
import Synchronization

/// Whether this process is to be sent requests: its databases answer, and it has not been asked to stop.
final class Readiness: Sendable {
  private let databases: [String: Database]
  private let stopping = Mutex(false)

  /// - Parameter databases: what no request can do without, by the names messages give them.
  init(_ databases: [String: Database]) { self.databases = databases }

  var isStopping: Bool { stopping.withLock { $0 } }
  func stop() { stopping.withLock { $0 = true } }

  /// What keeps the process from its work, in words; empty when nothing does.
  func missing() async -> [String] {
    if isStopping { return ["stopping"] }
    return await withTaskGroup(of: String?.self) { group in
      for (name, database) in databases {
        group.addTask {
          do {
            _ = try await database.query("SELECT 1")
            return nil
          } catch {
            return "database of \(name)"
          }
        }
      }
      return await group.reduce(into: []) { list, name in if let name { list.append(name) } }.sorted()
    }
  }
}

/// Lets those who send requests notice that this process is going: it says so, and goes on serving for a while. To be the last
/// service of a group, which stops the last one first.
struct Draining: Service {
  let readiness: Readiness
  let time: Duration

  func run() async throws {
    try await gracefulShutdown()
    readiness.stop()
    try? await Task.sleep(for: time)
  }
}
