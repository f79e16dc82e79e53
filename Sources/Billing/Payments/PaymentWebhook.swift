import Database
import Foundation
import HTTPTypes
import Hummingbird
import Kit
import Logging
import Web

extension PaymentService {
  /// How long a webhook waits for the look it causes; the gateway wants a quick answer, and the reconciler looks again.
  private static let webhookPatience = Duration.seconds(2)

  /// POST /payments/webhook: the gateway says that something has happened. What happened, it is asked.
  static let webhook = Endpoint<PaymentService>.post(
    "/payments/webhook", EndpointRules(access: .anyone, checksForgery: false, bodyLimit: 64 * 1024)
  ) { payments, visit in
    let event = payments.gateway.event(
      body: try await visit.bytes(), header: { name in HTTPField.Name(name).flatMap { visit.request.headers[$0] } },
      now: payments.wallClock.now())
    guard let event else { throw Problem(.malformedRequest, ["reason": visit.text("billing.payment.webhookRefused")]) }
    try await payments.note(event)
    await payments.follow(event)
    return .json(["received": true] as JSONValue)
  }

  /// Notes a verified event, and that its subject is to be looked at: from here on it can't be lost.
  /// - Returns: whether it came for the first time.
  @discardableResult
  func note(_ event: GatewayEvent) async throws -> Bool {
    let now = clock.now()
    return try await database.transaction { transaction in
      let row = try await transaction.one(
        """
        INSERT INTO \(schema).gateway_event AS e (gateway, id, type, reference, received_at)
        VALUES (\(gateway.name), \(event.id), \(event.type), \(event.reference.text), \(now))
        ON CONFLICT (gateway, id) DO UPDATE SET deliveries = e.deliveries + 1
        RETURNING e.deliveries
        """)
      try await transaction.execute(
        """
        UPDATE \(schema).payment SET look_at = least(look_at, \(now))
        WHERE id = \(event.reference) AND (settled_at IS NULL OR look_at IS NOT NULL)
        """)
      try await transaction.execute(
        "UPDATE \(schema).refund SET look_at = least(look_at, \(now)) WHERE id = \(event.reference) AND settled_at IS NULL")
      return try row?.get("deliveries") == 1
    }
  }

  /// Looks at what the event is about, for a moment. Whatever goes wrong is the reconciler's; the event is noted.
  func follow(_ event: GatewayEvent) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.attempt(event.reference) { try await self.look(atReference: event.reference) } }
      group.addTask { try? await Task.sleep(for: Self.webhookPatience) }
      await group.next()
      group.cancelAll()
    }
  }

  /// One of our payments or refunds; a reference we don't know is none of our business.
  private func look(atReference id: UUID) async throws {
    if try await find(id) != nil {
      _ = try await look(at: id)
    } else {
      try await carryOut(refund: id)
    }
  }

  /// Forgets events older than anyone repeats. To be called daily.
  public func maintain() async throws {
    try await database.execute("DELETE FROM \(schema).gateway_event WHERE received_at < \(clock.now() - .days(400))")
  }
}
