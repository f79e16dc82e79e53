/// Where a database is and who connects to it.
public struct ConnectionSettings: Sendable, CustomStringConvertible {
  /// A host name, several of them with commas between, or the folder of a Unix socket.
  public var host: String
  /// One port, or one for each host.
  public var port: String
  public var database: String
  public var user: String
  public var password: String
  /// Further libpq keywords, such as `sslmode` or `target_session_attrs`.
  public var options: [String: String]

  public init(
    host: String, port: Int = 5432, database: String, user: String, password: String, options: [String: String] = [:]
  ) {
    self.host = host
    self.port = String(port)
    self.database = database
    self.user = user
    self.password = password
    self.options = options
  }

  /// Reads a libpq connection URI or keyword string (PostgreSQL manual §34.1.1).
  /// - Throws: ``ConnectionSettingsError``, which does not quote the text: it may hold a password.
  public init(url: String) throws {
    self = try ConnectionSettings(parsing: url)
  }

  /// The same server for another user or another database.
  public func with(user: String? = nil, password: String? = nil, database: String? = nil) -> ConnectionSettings {
    var settings = self
    if let user { settings.user = user }
    if let password { settings.password = password }
    if let database { settings.database = database }
    return settings
  }

  /// Without the password.
  public var description: String { "\(user)@\(host):\(port)/\(database)" }
}

/// A connection URI that libpq can't read.
public struct ConnectionSettingsError: Error, Sendable, CustomStringConvertible {
  public let description: String
}

/// The bounds of a ``Database``'s connections.
public struct PoolSettings: Sendable {
  /// Connections at most. LISTEN has one more.
  public var connections: Int
  /// After this time without work a connection is closed.
  public var idleTimeout: Duration
  /// How long a statement or transaction waits for a connection.
  public var waitTimeout: Duration
  /// How long making a connection may take.
  public var connectTimeout: Duration
  /// How long a statement may run; the server ends it.
  public var statementTimeout: Duration
  /// How long a transaction may stand idle between its statements; the server ends the connection.
  public var idleInTransactionTimeout: Duration

  public init(
    connections: Int = 4, idleTimeout: Duration = .seconds(30), waitTimeout: Duration = .seconds(2),
    connectTimeout: Duration = .seconds(2), statementTimeout: Duration = .seconds(30),
    idleInTransactionTimeout: Duration = .seconds(60)
  ) {
    precondition(connections > 0, "a pool has one connection at least")
    self.connections = connections
    self.idleTimeout = idleTimeout
    self.waitTimeout = waitTimeout
    self.connectTimeout = connectTimeout
    self.statementTimeout = statementTimeout
    self.idleInTransactionTimeout = idleInTransactionTimeout
  }
}

/// What a pool holds and has done, for `/metrics`.
public struct PoolStatus: Sendable, Equatable {
  /// Connections open or being opened.
  public var size = 0
  /// Open and free.
  public var idle = 0
  /// Running a statement, or held by a transaction.
  public var leased = 0
  /// Calls that wait for a connection.
  public var waiting = 0
  /// Totals since the pool was made.
  public var statements = 0
  public var connectionsOpened = 0
  public var connectionsFailed = 0
  public var connectionsLost = 0
  public var waitTimeouts = 0
  public var cancellations = 0

  public init() {}
}
