import Foundation
import HTTPClient

/// Tells the shop, at least once. Also lets pending payments succeed when their time has come.
struct Webhooks: Sendable {
  private static let atOnce = 8
  private static let tick = Duration.milliseconds(50)

  let store: Store
  let faults: Faults
  let options: PaymentSimulator.Options
  let clock: @Sendable () -> Moment

  func run() async {
    let client = HTTPClient(workers: Webhooks.atOnce)
    await withDiscardingTaskGroup { group in
      while !Task.isCancelled {
        let now = clock()
        if store.look({ book in !book.pending.isEmpty }) {
          // A journal that fails answers every request with 503; there is nobody here to tell.
          try? await store.act { $0.settle(at: now) }
        }
        if let url = options.webhookURL, !faults.holdsWebhooks {
          for delivery in takeDue(at: now) {
            group.addTask { await deliver(delivery, to: url, client) }
          }
        }
        try? await Task.sleep(for: Webhooks.tick)
      }
      group.cancelAll()
    }
  }

  private func takeDue(at now: Moment) -> [Book.Delivery] {
    store.look { book in
      let free = Webhooks.atOnce - book.deliveries.values.count { $0.isUnderWay }
      let due = book.deliveries.values.filter { !$0.isUnderWay && $0.due <= now.milliseconds }.sorted { $0.due < $1.due }
      let taken = Array(due.prefix(max(0, free)))
      for delivery in taken { book.deliveries[delivery.id]?.isUnderWay = true }
      return taken
    }
  }

  private func deliver(_ delivery: Book.Delivery, to url: String, _ client: HTTPClient) async {
    // An event is told of only when it can't be lost any more.
    guard (try? await store.act({ _ in })) != nil else { return }
    let body = delivery.event.json.canonical
    let signature = WebhookSignature.value(body, secret: options.webhookSecret, at: clock().seconds)
    let request = HTTPClient.Request(
      method: "POST", url: url, headers: [("Content-Type", "application/json"), (WebhookSignature.header, signature)], body: body)
    let status = (try? await client.send(request))?.status ?? 0
    let now = clock()
    if (200..<300).contains(status) || now.milliseconds >= delivery.event.expires {
      _ = try? await store.act { $0.record(.closed(delivery.id)) }
      return
    }
    let wait = Webhooks.wait(after: delivery.attempts, options.timetable)
    store.look { book in
      book.deliveries[delivery.id]?.isUnderWay = false
      book.deliveries[delivery.id]?.attempts += 1
      book.deliveries[delivery.id]?.due = now.milliseconds + wait
    }
  }

  /// Milliseconds to the next attempt: doubling, up to a limit.
  static func wait(after attempts: Int, _ timetable: PaymentSimulator.Timetable) -> Int64 {
    min(timetable.retryMost.milliseconds, timetable.retryFirst.milliseconds << min(attempts, 20))
  }
}
