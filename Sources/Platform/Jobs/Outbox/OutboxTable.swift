public import Database
import Foundation
public import Kit

/// The outbox of one schema. Written in the transaction of the effect; emptied by the ``Relay``.
public struct OutboxTable: Sendable {
  public let schema: Schema
  public let tenant: TenantID?
  private let wake: @Sendable () -> Void

  /// - Parameter wake: called after a commit that wrote here, so that delivery does not wait for the next look.
  public init(schema: Schema, tenant: TenantID?, wake: @escaping @Sendable () -> Void) {
    self.schema = schema
    self.tenant = tenant
    self.wake = wake
  }

  /// The tables every schema has from the platform.
  public static var migrations: [Migration] {
    get throws { try Migration.read(Embedded.files.inFolder("Outbox")) }
  }

  /// Writes an event. One that was written before under the same id and not delivered yet is left as it is.
  public func write(_ event: Event, in transaction: Transaction) throws {
    try transaction.enqueue(
      """
      INSERT INTO \(schema).outbox (id, type, version, occurred, payload)
      VALUES (\(event.id), \(event.type), \(event.version), \(event.occurred), \(event.payload))
      ON CONFLICT (id) DO NOTHING
      """)
    transaction.afterCommit(wake)
  }
}

extension [String: String] {
  /// The SQL files of one folder, by their own names.
  func inFolder(_ folder: String) -> [String: String] {
    reduce(into: [:]) { files, file in
      guard file.key.hasPrefix("\(folder)/"), file.key.hasSuffix(".sql") else { return }
      files[String(file.key.dropFirst(folder.count + 1))] = file.value
    }
  }
}
