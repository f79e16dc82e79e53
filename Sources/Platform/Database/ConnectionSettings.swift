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
