public import Database
import Foundation
public import Logging
import Synchronization

/// Carries to this process's cache what other nodes touched: told to look at a schema, it reads the tags that are news.
///
/// Nothing is missed for good: what a lost word left behind is found by the look that comes each half minute anyway. How
/// long ago a schema was looked at bounds how old its answers can be, so the cache is told of each look that went well.
public final class FreshnessFollower: Sendable {
  public struct Source: Sendable {
    public let schema: Schema
    /// Connected as the schema's login role.
    public let database: Database

    public init(schema: Schema, database: Database) {
      self.schema = schema
      self.database = database
    }
  }

  /// What the cache is told.
  public enum News: Sendable, Equatable {
    /// All that was touched since the last look, often nothing; and when this look began.
    case looked(touched: Set<String>, began: ContinuousClock.Instant)
    /// Nobody can say what was touched: the first look, or the first for longer than rows are kept.
    case lost(began: ContinuousClock.Instant)
  }

  /// As long as rows are kept.
  static let kept = Duration.seconds(15 * 60)

  private struct Followed {
    let source: Source
    var watch: TagWatch?
    var looked: ContinuousClock.Instant?
    var isLooking = false
    /// Told to look again while it was looking.
    var mustLookAgain = false
    var isReported = false
  }

  private struct State {
    var followed: [Schema: Followed] = [:]
    var purged: [Schema: ContinuousClock.Instant] = [:]
  }

  private let state = Mutex(State())
  private let isOfInterest: @Sendable (Schema) -> Bool
  private let news: @Sendable (Schema, News) -> Void
  private let logger: Logger

  /// - Parameter isOfInterest: whether this process keeps anything of a schema, or is about to; the others are not looked at.
  public init(
    logger: Logger, isOfInterest: @escaping @Sendable (Schema) -> Bool = { _ in true },
    news: @escaping @Sendable (Schema, News) -> Void
  ) {
    self.logger = logger
    self.isOfInterest = isOfInterest
    self.news = news
  }

  /// Follows these schemas from now on, and no others. One that is new is looked at with the next ``look(at:)`` or round.
  public func follow(_ sources: [Source]) {
    state.withLock { state in
      let before = state.followed
      state.followed = Dictionary(
        sources.map { source in
          if let known = before[source.schema], known.source.database === source.database { return (source.schema, known) }
          return (source.schema, Followed(source: source))
        }
      ) { first, _ in first }
    }
  }

  /// Looks at a schema now. Several calls during one look become one look after it.
  public func look(at schema: Schema) async {
    guard isOfInterest(schema) else { return }
    let begins = state.withLock { state -> Bool in
      guard var followed = state.followed[schema] else { return false }
      defer { state.followed[schema] = followed }
      if followed.isLooking {
        followed.mustLookAgain = true
        return false
      }
      followed.isLooking = true
      return true
    }
    guard begins else { return }
    repeat { await lookOnce(at: schema) } while again(schema)
  }

  /// Looks at every schema whose last look is older than `interval`, until the task is cancelled.
  ///
  /// - Parameters:
  ///   - interval: less than half of what the cache trusts a look for.
  ///   - workers: schemas looked at side by side.
  public func run(interval: Duration = .seconds(25), workers: Int = 2) async {
    while !Task.isCancelled {
      let now = ContinuousClock.now
      let old = state.withLock { state in
        state.followed.values.filter { $0.looked.map { now - $0 >= interval } ?? true }.map(\.source.schema)
      }
      let due = old.filter(isOfInterest)
      await withTaskGroup(of: Void.self) { group in
        for (index, schema) in due.enumerated() {
          if index >= workers { await group.next() }
          group.addTask { await self.look(at: schema) }
        }
      }
      try? await Task.sleep(for: min(interval / 4, .seconds(5)))
    }
  }

  private func again(_ schema: Schema) -> Bool {
    state.withLock { state in
      guard let followed = state.followed[schema] else { return false }
      let must = followed.mustLookAgain && !Task.isCancelled
      state.followed[schema]!.mustLookAgain = false
      state.followed[schema]!.isLooking = must
      return must
    }
  }

  private func lookOnce(at schema: Schema) async {
    guard let followed = state.withLock({ $0.followed[schema] }) else { return }
    let began = ContinuousClock.now
    do {
      let (rows, oldest) = try await read(followed.source, from: followed.watch?.from)
      let told = state.withLock { state -> News? in
        guard var now = state.followed[schema], now.source.database === followed.source.database else { return nil }
        defer { state.followed[schema] = now }
        let isLost = now.looked.map { began - $0 > FreshnessFollower.kept - .seconds(60) } ?? true
        now.looked = began
        now.isReported = false
        if var watch = now.watch {
          let touched = watch.take(rows, oldest: oldest)
          now.watch = watch
          return isLost ? .lost(began: began) : .looked(touched: touched, began: began)
        }
        now.watch = TagWatch(from: oldest, seen: Set(rows.filter { $0.version >= oldest }))
        return .lost(began: began)
      }
      if let told { news(schema, told) }
      try await purgeIfDue(followed.source, before: oldest)
    } catch is CancellationError {
    } catch {
      let isNew = state.withLock { state -> Bool in
        guard let reported = state.followed[schema]?.isReported else { return false }
        state.followed[schema]!.isReported = true
        return !reported
      }
      guard isNew else { return }
      logger.warning("tags not read", metadata: ["schema": "\(schema)", "error": "\(SafeError(error))"])
    }
  }

  /// Snapshot and rows in one statement: one moment.
  private func read(_ source: Source, from: Int64?) async throws -> (rows: [TagWatch.Touched], oldest: Int64) {
    let rows = try await source.database.query(
      """
      SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest, t.version, t.tag
      FROM (SELECT) AS one LEFT JOIN \(source.schema).cache_tag t
        ON t.version >= coalesce(\(from), pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
      """)
    var touched: [TagWatch.Touched] = []
    for row in rows {
      guard let version: Int64 = try row.getIfPresent("version") else { continue }
      touched.append(.init(version: version, tag: try row.get("tag")))
    }
    return (touched, try rows.first?.get("oldest") ?? 0)
  }

  /// Each node once in ten minutes: those that come second find nothing.
  private func purgeIfDue(_ source: Source, before oldest: Int64) async throws {
    let now = ContinuousClock.now
    let isDue = state.withLock { state -> Bool in
      if let last = state.purged[source.schema], now - last < .seconds(600) { return false }
      state.purged[source.schema] = now
      return true
    }
    guard isDue else { return }
    try await source.database.execute(
      """
      DELETE FROM \(source.schema).cache_tag
      WHERE version < \(oldest) AND touched < now() - make_interval(secs => \(Double(FreshnessFollower.kept.components.seconds)))
      """)
  }
}
