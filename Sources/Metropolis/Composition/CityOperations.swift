import Database
import Foundation
import Jobs
import Telemetry

extension City {
  /// What keeps this process from its work.
  static func missing(_ databases: [String: Database]) async -> [String] {
    await withTaskGroup(of: String?.self) { group in
      for (name, database) in databases where ["identity", "relying_party", "billing", "records", "platform"].contains(name) {
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

  static func exposition(_ metrics: Metrics, databases: [String: Database], relay: Relay, queue: JobQueue) async -> String {
    for (name, database) in databases {
      let status = database.status
      metrics.gauge(
        "database_connections", [("schema", name), ("state", "idle")], Double(status.idle), help: "Connections of a pool.")
      metrics.gauge(
        "database_connections", [("schema", name), ("state", "leased")], Double(status.leased), help: "Connections of a pool.")
      metrics.gauge("database_waiting", [("schema", name)], Double(status.waiting), help: "Callers that wait for a connection.")
      metrics.gauge("database_statements", [("schema", name)], Double(status.statements), help: "Statements since start.")
    }
    let delivered = relay.delivered
    metrics.gauge("outbox_events_delivered", [], Double(delivered.delivered), help: "Events delivered since start.")
    metrics.gauge("outbox_deliveries_failed", [], Double(delivered.failed), help: "Deliveries that failed since start.")
    for row in (try? await queue.depth()) ?? [] {
      metrics.gauge("jobs", [("queue", row.queue), ("state", row.state)], Double(row.count), help: "Jobs kept, by state.")
    }
    metrics.gauge("process_resident_memory_bytes", [], Double(residentBytes()), help: "Resident memory.")
    return metrics.exposition()
  }

  /// From `/proc/self/statm`: pages resident.
  static func residentBytes() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }
}
