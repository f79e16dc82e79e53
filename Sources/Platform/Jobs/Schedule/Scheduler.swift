import Database
public import Foundation
public import Kit
public import Logging

/// Turns timetables into jobs. Many nodes run one; the holder of the lease alone acts, and a tick is queued once even so.
public struct Scheduler: Sendable {
  public struct Entry: Sendable {
    /// The kind of job that is queued.
    public let name: String
    public let timetable: Timetable
    public let queue: JobQueue.Settings
    public init(_ name: String, _ timetable: Timetable, queue: JobQueue.Settings) {
      self.name = name
      self.timetable = timetable
      self.queue = queue
    }
  }

  private static let lease = 15.0

  private let queue: JobQueue
  private let entries: [Entry]
  private let zone: TimeZone
  private let clock: DomainClock
  private let node: String
  private let logger: Logger

  public init(queue: JobQueue, entries: [Entry], zone: TimeZone, clock: DomainClock, node: String, logger: Logger) {
    self.queue = queue
    self.entries = entries
    self.zone = zone
    self.clock = clock
    self.node = node
    self.logger = logger
  }

  /// Works until its task is cancelled; then another node may lead at once.
  public func run(interval: Duration = .seconds(1)) async {
    while !Task.isCancelled {
      do {
        if try await lead() { try await tick() }
      } catch {
        if Task.isCancelled { break }
        logger.warning("schedule not looked at", metadata: ["error": "\(SafeError(error))"])
      }
      try? await Task.sleep(for: interval)
    }
    // The task is cancelled by now, and with it whatever it asked.
    await Task { try? await resign() }.value
  }

  /// Gives the lease back, if this node has it.
  func resign() async throws {
    try await queue.database.execute(
      "DELETE FROM \(queue.schema).lease WHERE name = 'scheduler' AND holder = \(node)")
  }

  /// Takes or keeps the lease.
  func lead() async throws -> Bool {
    let held = try await queue.database.execute(
      """
      INSERT INTO \(queue.schema).lease (name, holder, until)
      VALUES ('scheduler', \(node), now() + make_interval(secs => \(Scheduler.lease)))
      ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
      WHERE lease.holder = excluded.holder OR lease.until < now()
      """)
    return held == 1
  }

  /// Queues the last tick of each timetable unless that was done. Ticks missed while nobody ran are made up for by that one.
  func tick() async throws {
    let now = clock.now()
    for entry in entries {
      let tick = entry.timetable.tick(before: now, in: zone)
      try await queue.database.transaction { transaction in
        let first = try await transaction.execute(
          """
          INSERT INTO \(queue.schema).schedule_run (name, tick, node) VALUES (\(entry.name), \(tick), \(node))
          ON CONFLICT DO NOTHING
          """)
        guard first == 1 else { return }
        try await queue.add(
          entry.name, ["tick": .string(tick.rfc3339)], to: entry.queue, key: "\(entry.name)@\(tick)", in: transaction)
      }
    }
  }
}
