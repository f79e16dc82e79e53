import CPostgres
import Foundation
import Logging

/// All that a pool needs to know to work.
struct PoolConfiguration: Sendable {
  let handle: PoolHandle
  let name: String
  let settings: ConnectionSettings
  let pool: PoolSettings
  let logger: Logger
  let status: StatusBox

  var id: PoolID { handle.id }

  /// For the connection that listens, which goes past a pooler.
  var listening: PoolConfiguration {
    guard let direct = pool.listenSettings else { return self }
    var pool = pool
    pool.pooler = .none
    return PoolConfiguration(
      handle: handle, name: name, settings: direct, pool: pool, logger: logger, status: status)
  }

  /// What goes before the first statement of a transaction.
  func prelude(_ isolation: Isolation) -> [SQL] {
    guard pool.pooler == .transaction else { return [isolation.begin] }
    return [
      isolation.begin,
      SQL(trusted: "SET LOCAL statement_timeout = \(pool.statementTimeout.wholeMilliseconds)"),
      SQL(
        trusted:
          "SET LOCAL idle_in_transaction_session_timeout = \(pool.idleInTransactionTimeout.wholeMilliseconds)"
      ),
    ]
  }

  /// Starts a connection without waiting for it. `nil` when memory is out.
  func startConnecting() -> OpaquePointer? {
    var keywords = [
      "host": settings.host, "port": settings.port, "dbname": settings.database,
      "user": settings.user,
      "password": settings.password,
      "application_name": "metropolis \(name)",
      // A server that has vanished without a word is noticed within a minute.
      "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
      "tcp_user_timeout": "30000",
    ]
    keywords.merge(settings.options) { _, chosen in chosen }
    keywords["client_encoding"] = "UTF8"
    // What the operator's URL sets comes later and so wins.
    keywords["options"] = [sessionOptions, settings.options["options"]].compactMap(\.self).joined(
      separator: " ")
    var names: [UnsafeMutablePointer<CChar>?] = []
    var values: [UnsafeMutablePointer<CChar>?] = []
    for (keyword, value) in keywords where !value.isEmpty {
      names.append(strdup(keyword))
      values.append(strdup(value))
    }
    defer { for text in names + values { free(text) } }
    let constantNames = names.map { UnsafePointer($0) } + [nil]
    let constantValues = values.map { UnsafePointer($0) } + [nil]
    return PQconnectStartParams(constantNames, constantValues, 0)
  }

  /// PgBouncer refuses a connection that brings options.
  private var sessionOptions: String? {
    guard pool.pooler == .none else { return nil }
    return """
      -c statement_timeout=\(pool.statementTimeout.wholeMilliseconds) \
      -c idle_in_transaction_session_timeout=\(pool.idleInTransactionTimeout.wholeMilliseconds) \
      -c timezone=UTC
      """
  }
}

extension Duration {
  var wholeMilliseconds: Int64 {
    components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
  }
}
