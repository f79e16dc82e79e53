import Database
import Foundation
import Gateway
import Jobs
import Telemetry

extension City {
  static func exposition(
    _ metrics: Metrics, core: [String: Database], servers: Servers, watchdogs: Watchdogs, districts: Districts, relay: Relay,
    queue: JobQueue, gateway: [GatewayMetrics.Sample]
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
    for server in servers.all {
      if let replicas = server.replicas { note(metrics, replicas, of: server.name) }
    }
    for (server, status) in watchdogs.statuses { note(metrics, status, of: server, now: .now) }
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

  private static func note(_ metrics: Metrics, _ replicas: Replicas, of server: String) {
    for replica in replicas.status {
      let labels = [("database", server), ("replica", replica.name)]
      metrics.gauge("database_replica_used", labels, replica.isUsed ? 1 : 0, help: "Whether a read would go to a replica now.")
      if let lag = replica.lag {
        metrics.gauge("database_replica_lag_seconds", labels, lag / .seconds(1), help: "A replica lags by this at most.")
      }
      metrics.gauge("database_replica_reads", labels, Double(replica.reads), help: "Reads sent to a replica since start.")
      metrics.gauge(
        "database_replica_fallbacks", labels, Double(replica.fallBacks), help: "Of these, reads the primary then served.")
    }
    metrics.gauge(
      "database_primary_reads", [("database", server)], Double(replicas.primaryReads),
      help: "Reads since start that a replica might have served, and the primary did.")
  }

  static func note(_ metrics: Metrics, _ status: WatchdogStatus, of server: String, now: ContinuousClock.Instant) {
    let labels = [("database", server)]
    for reason in Excess.Kind.allCases {
      metrics.gauge(
        "watchdog_connections_ended", labels + [("reason", reason.rawValue)], Double(status.ended[reason] ?? 0),
        help: "Connections that took too much and were ended, since start.")
    }
    metrics.gauge(
      "watchdog_connections_unending", labels, Double(status.unending), help: "Connections told to end that are there still.")
    metrics.gauge("watchdog_looks", labels, Double(status.looks), help: "Looks since start.")
    metrics.gauge("watchdog_looks_failed", labels, Double(status.failures), help: "Looks that failed since start.")
    if let last = status.lastLook {
      metrics.gauge(
        "watchdog_last_look_seconds", labels, (now - last) / .seconds(1), help: "Seconds since the last look that succeeded.")
    }
    metrics.gauge(
      "database_notification_queue", labels, status.notificationQueue,
      help: "How full the server's queue of notifications is, from 0 to 1.")
    metrics.gauge(
      "database_oldest_transaction_seconds", labels, status.oldestTransaction / .seconds(1),
      help: "Age of the oldest transaction of a login role.")
  }
}
