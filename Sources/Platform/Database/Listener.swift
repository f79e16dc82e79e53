import Foundation
import Logging

/// One who waits for notifications on a channel.
struct Subscription: Sendable {
  let id: UInt64
  let channel: String
  let continuation: AsyncStream<Void>.Continuation
}

/// The connection of a ``Database`` that listens, for all its channels. It comes back when it breaks, and after every
/// LISTEN tells the subscribers to look: what was notified in between is lost.
final class Listener: ConnectionOwner {
  private unowned let pool: Pool
  private let configuration: PoolConfiguration
  private unowned let loop: EventLoop
  private let backoff = Backoff()
  private var subscriptions: [String: [UInt64: AsyncStream<Void>.Continuation]] = [:]
  private var connection: Connection?
  /// The channels the server is known to notify us of.
  private var heard: Set<String> = []
  /// The channel each LISTEN under way is for.
  private var starting: [ObjectIdentifier: String] = [:]
  private var failures = 0
  private var retryAt: ContinuousClock.Instant?
  private let meter = Meter()

  init(pool: Pool) {
    self.pool = pool
    configuration = pool.configuration.listening
    loop = pool.loop
  }

  var deadline: ContinuousClock.Instant? {
    [retryAt, connection?.deadline].compactMap(\.self).min()
  }

  func add(_ subscription: Subscription) {
    subscriptions[subscription.channel, default: [:]][subscription.id] = subscription.continuation
    if heard.contains(subscription.channel) {
      subscription.continuation.yield()
    } else if connection != nil {
      if !starting.values.contains(subscription.channel) { listen(on: subscription.channel) }
    } else if retryAt == nil {
      connect()
    }
  }

  func remove(_ id: UInt64, from channel: String) {
    subscriptions[channel]?[id] = nil
    guard subscriptions[channel]?.isEmpty == true else { return }
    subscriptions[channel] = nil
    guard subscriptions.isEmpty else {
      if heard.remove(channel) != nil { send("UNLISTEN \(Quoting.identifier(channel))") }
      return
    }
    disconnect()
    retryAt = nil
  }

  func tick() {
    connection?.tick()
    guard let due = retryAt, due <= loop.now else { return }
    retryAt = nil
    connect()
  }

  func shutDown() {
    disconnect()
    retryAt = nil
    for continuations in subscriptions.values {
      for continuation in continuations.values { continuation.finish() }
    }
    subscriptions = [:]
  }

  private func connect() {
    // Ids of a pool's connections begin at 1.
    guard
      let connection = Connection(
        id: 0, configuration: configuration, loop: loop, meter: meter, owner: self)
    else {
      return retry()
    }
    self.connection = connection
    configuration.pool.budget?.takeAnyhow(for: pool)
    if let deadline = connection.deadline { loop.wake(configuration.id, at: deadline) }
    // In line until the connection is open.
    for channel in subscriptions.keys { listen(on: channel) }
  }

  private func disconnect() {
    if let connection {
      self.connection = nil
      connection.close()
      configuration.pool.budget?.giveBack(pool)
    }
    heard = []
    starting = [:]
  }

  private func listen(on channel: String) {
    let request = send("LISTEN \(Quoting.identifier(channel))")
    starting[request.id] = channel
  }

  @discardableResult
  private func send(_ text: String) -> Request {
    let request = Request(SQL(trusted: text), as: .autocommit, form: .script)
    connection?.enqueue(request)
    return request
  }

  private func retry() {
    failures += 1
    let time = loop.now + backoff.delay(failures: failures, scatter: .random(in: 0...1))
    retryAt = time
    loop.wake(configuration.id, at: time)
  }

  // MARK: ConnectionOwner

  func connectionDidOpen(_ connection: Connection) { failures = 0 }

  func connection(_ connection: Connection, didFailToOpen error: DatabaseError) {
    if failures == 0 {
      configuration.logger.warning(
        "listening connection failed",
        metadata: ["database": "\(configuration.name)", "reason": "\(error.explanation ?? "")"])
    }
    disconnect()
    retry()
  }

  func connection(_ connection: Connection, didFinish request: Request, succeeded: Bool) {
    guard let channel = starting.removeValue(forKey: request.id), succeeded else { return }
    guard subscriptions[channel] != nil else {
      send("UNLISTEN \(Quoting.identifier(channel))")
      return
    }
    heard.insert(channel)
    look(channel)
  }

  func connection(_ connection: Connection, spent time: Duration, onEachOf texts: ContiguousArray<Int>) {}

  func connectionWillCancel(_ connection: Connection) {}

  func connectionDidSettle(_ connection: Connection) {}

  func connectionDidClose(_ connection: Connection, unsent: [Request]) {
    disconnect()
    retry()
  }

  func connection(_ connection: Connection, wasNotifiedOn channel: String) { look(channel) }

  private func look(_ channel: String) {
    for continuation in (subscriptions[channel] ?? [:]).values { continuation.yield() }
  }
}
