import Crypto
public import Database
public import Foundation
public import Kit

/// A request that may be repeated with its key and is done once (the header `Idempotency-Key`).
///
/// Every tenant's schema has a `request_key` table for it, made by the platform.
public enum IdempotentRequest {
  /// Claims a key inside the transaction of the effect.
  ///
  /// - Parameters:
  ///   - content: what was asked; the same key with other content is a mistake.
  ///   - makes: the id of what this request will make.
  /// - Returns: the id of what the first request with this key made, when this is not the first.
  /// - Throws: ``Kit/Problem`` `idempotency-key-reused`.
  public static func claim(
    _ key: String?, person: PersonID, content: String, makes id: UUID, schema: Schema, in transaction: Transaction
  ) async throws -> UUID? {
    guard let key else { return nil }
    let digest = Array(SHA256.hash(data: Data(content.utf8)))
    let inserted = try await transaction.execute(
      """
      INSERT INTO \(schema).request_key (person, key, content, result) VALUES (\(person), \(key), \(digest), \(id))
      ON CONFLICT (person, key) DO NOTHING
      """)
    if inserted == 1 { return nil }
    let row = try await transaction.one(
      "SELECT content, result FROM \(schema).request_key WHERE person = \(person) AND key = \(key)")
    guard let row else { throw Problem(.conflict, ["reason": key]) }
    guard try row.get("content", as: [UInt8].self) == digest else { throw Problem(.keyReused) }
    return try row.get("result", as: UUID.self)
  }
}
