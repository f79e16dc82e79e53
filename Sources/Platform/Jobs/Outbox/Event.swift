public import Foundation
public import Kit

/// An event as it leaves an outbox: what happened, where, and when.
public struct Event: Sendable {
  public let id: UUID
  /// `answer.accepted`, `activity.recorded`, `user.registered`.
  public let type: String
  public let version: Int
  /// `nil` for events of the core.
  public let tenant: TenantID?
  public let occurred: Instant
  public let payload: JSONValue

  public init(id: UUID, type: String, version: Int = 1, tenant: TenantID?, occurred: Instant, payload: JSONValue) {
    self.id = id
    self.type = type
    self.version = version
    self.tenant = tenant
    self.occurred = occurred
    self.payload = payload
  }
}

/// Something that acts on events. It may meet an event more than once and must have its effect once: the effect and a
/// note of the event's id are written in one transaction, or the effect's own key is the event's id.
public protocol EventHandler: Sendable {
  var name: String { get }
  /// The types it acts on.
  var types: Set<String> { get }
  /// Acts on events of one outbox, in its order.
  /// - Throws: to be called again with the same events later.
  func apply(_ events: [Event]) async throws
}
