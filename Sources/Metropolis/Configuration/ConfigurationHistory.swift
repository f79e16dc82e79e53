import Crypto
import Database
import Foundation
import Kit

/// The versions of the city's file that were applied.
struct ConfigurationHistory: Sendable {
  let database: Database
  let schema: Schema

  static var migrations: [Migration] {
    get throws {
      try Migration.read(Embedded.files.filter { $0.key.hasPrefix("Configuration/") && $0.key.hasSuffix(".sql") })
    }
  }

  /// - Returns: the version of this text: the newest one's when nothing changed, else the next.
  func record(_ document: String) async throws -> Int {
    let digest = Array(SHA256.hash(data: Data(document.utf8)))
    let row = try await database.one(
      """
      WITH newest AS (SELECT version, digest FROM \(schema).configuration_version ORDER BY version DESC LIMIT 1),
      added AS (
        INSERT INTO \(schema).configuration_version (version, document, digest)
        SELECT coalesce((SELECT version FROM newest), 0) + 1, \(document), \(digest)
        WHERE NOT EXISTS (SELECT 1 FROM newest WHERE digest = \(digest))
        RETURNING version)
      SELECT coalesce((SELECT version FROM added), (SELECT version FROM newest)) AS version
      """)
    return try row?.get("version") ?? 0
  }

  /// The newest versions and when they were applied.
  func versions(limit: Int) async throws -> [(version: Int, applied: Instant)] {
    try await database.query(
      "SELECT version, applied_at FROM \(schema).configuration_version ORDER BY version DESC LIMIT \(limit)"
    ).map { (try $0.get("version"), try $0.get("applied_at")) }
  }
}
