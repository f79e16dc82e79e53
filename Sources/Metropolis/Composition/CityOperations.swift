import Database
import Foundation
import Gateway
import Jobs
import Telemetry

extension City {
  static func exposition(
    _ metrics: Metrics, core: [String: Database], districts: Districts, relay: Relay, queue: JobQueue,
    gateway: [GatewayMetrics.Sample]
  ) async -> String {
    let snapshot = districts.current
    var pools = core
    // One that was never used has nothing to say: with hundreds of tenants most haven't.
    for tenant in snapshot.tenants where tenant.database.status != PoolStatus() {
      pools[tenant.stanza.schema.name] = tenant.database
    }
    for (name, database) in pools {
      let status = database.status
      metrics.gauge(
        "database_connections", [("schema", name), ("state", "idle")], Double(status.idle), help: "Connections of a pool.")
      metrics.gauge(
        "database_connections", [("schema", name), ("state", "leased")], Double(status.leased), help: "Connections of a pool.")
      metrics.gauge("database_waiting", [("schema", name)], Double(status.waiting), help: "Callers that wait for a connection.")
      metrics.gauge("database_statements", [("schema", name)], Double(status.statements), help: "Statements since start.")
    }
    metrics.gauge("configuration_version", [], Double(snapshot.version), help: "The stored version this process follows.")
    let delivered = relay.delivered
    metrics.gauge("outbox_events_delivered", [], Double(delivered.delivered), help: "Events delivered since start.")
    metrics.gauge("outbox_deliveries_failed", [], Double(delivered.failed), help: "Deliveries that failed since start.")
    for row in (try? await queue.depth()) ?? [] {
      metrics.gauge("jobs", [("queue", row.queue), ("state", row.state)], Double(row.count), help: "Jobs kept, by state.")
    }
    for sample in gateway { metrics.gauge(sample.name, sample.labels, sample.value, help: sample.help) }
    metrics.gauge("process_resident_memory_bytes", [], Double(ProcessMemory.resident), help: "Resident memory.")
    return metrics.exposition()
  }
}
