import Database
import Kit

/// A streaming replica of a server, as this process connects to it.
struct ReplicaAddress: Sendable {
  /// The variable that names it: in metrics and errors its name, which holds no secret.
  let name: String
  /// Of a role's own when its user is put in: a replica has the primary's roles.
  let settings: ConnectionSettings

  /// - Throws: ``Failure`` that names a variable this process doesn't have; ``Database/ConnectionSettingsError``.
  static func all(of stanza: DatabaseStanza, in environment: [String: String]) throws -> [ReplicaAddress] {
    try stanza.replicas.map { name in
      ReplicaAddress(name: name.name, settings: try ConnectionSettings(url: try name.url(of: stanza.name, in: environment)))
    }
  }
}

extension EnvironmentName {
  /// The URL it names.
  /// - Parameter database: the stanza it stands in.
  /// - Throws: ``Failure`` when this process doesn't have it.
  func url(of database: String, in environment: [String: String]) throws -> String {
    guard let url = environment[name], !url.isEmpty else {
      throw Failure(description: "databases.\(database): the variable \(name) is not set for this process")
    }
    return url
  }
}
