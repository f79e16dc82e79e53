import Database
public import Kit
import Synchronization

/// The catalogue as it is now: the plans of the file, and those of the console that are on sale.
///
/// Reading it costs a lock and no query; it is as new as its last refresh. Other nodes are told to look when a plan of the
/// console is published, so each has ``BillingService/run(failed:)`` running.
public final class LiveCatalogue: Sendable {
  /// All that was read at one time; the parts fit each other.
  final class Snapshot: Sendable {
    let catalogue: PlanCatalogue
    /// What everyone has: the free plans.
    let everyone: GrantSet
    /// Versions that name a day for holders, by plan.
    let moves: [PlanID: [(version: Int, from: CivilDate)]]

    init(_ catalogue: PlanCatalogue, moves: [PlanID: [(version: Int, from: CivilDate)]] = [:]) {
      self.catalogue = catalogue
      everyone = GrantSet(catalogue.free.map { HeldPlan($0) })
      self.moves = moves
    }
  }

  private struct State {
    /// What stands in the configuration.
    var file: PlanCatalogue
    var snapshot: Snapshot
    /// Counted up with each file.
    var generation = 0
    var begun = 0
    var shown = 0
  }

  private let store: PlanStore
  private let state: Mutex<State>

  /// - Parameter file: what stands in the configuration; it holds alone until the first refresh.
  public init(file: PlanCatalogue, store: PlanStore) {
    self.store = store
    state = Mutex(State(file: file, snapshot: Snapshot(file)))
  }

  var snapshot: Snapshot { state.withLock { $0.snapshot } }

  public func current() -> PlanCatalogue { snapshot.catalogue }

  /// The plans of the configuration, without those of the console.
  var file: PlanCatalogue { state.withLock { $0.file } }

  /// Takes the plans of another configuration in place of the one before, with the versions the database has of them.
  /// - Throws: ``Database/DatabaseError``; the catalogue stays as it was.
  public func follow(_ file: PlanCatalogue) async throws { try await read(file) }

  /// Reads from the database which plans of the console are on sale, and in which versions all are.
  ///
  /// A plan of the file is sold in the version that holds this file's document, be it the newest or not: while a new
  /// release is rolled out, nodes with the old file go on selling what they show. What the console published after it is
  /// sold in its place.
  /// - Throws: ``Database/DatabaseError``; the catalogue stays as it was.
  public func refresh() async throws { try await read(nil) }

  /// - Parameter other: another file from now on.
  private func read(_ other: PlanCatalogue?) async throws {
    let (file, generation, turn) = state.withLock { state in
      state.begun += 1
      return (other ?? state.file, state.generation, state.begun)
    }
    let (database, schema) = (store.database, store.schema)
    var versions: [PlanID: Int] = [:]
    let ids = file.plans.map(\.id.text)
    let documents = try file.plans.map { try CanonicalJSON.text($0) }
    for row in try await database.query(
      """
      SELECT sold.id, (
        SELECT max(version) FROM \(schema).plan_version
        WHERE plan = sold.id AND digest = sha256(convert_to(sold.document, 'UTF8'))
      ) AS version
      FROM unnest(\(ids), \(documents)) AS sold (id, document)
      """)
    {
      if let id = PlanID(try row.get("id")), let version: Int = try row.getIfPresent("version") { versions[id] = version }
    }
    var further: [Plan] = []
    for row in try await database.query(
      """
      SELECT DISTINCT ON (plan.id) plan.origin, version, document
      FROM \(schema).plan JOIN \(schema).plan_version ON plan = plan.id
      WHERE CASE plan.origin WHEN 'console' THEN withdrawn_at IS NULL ELSE plan_version.origin = 'console' END
      ORDER BY plan.id, version DESC
      """)
    {
      let (plan, version) = (try PlanStore.plan(row), try row.get("version", as: Int.self))
      // The stanza of its tenant may be gone from the file since.
      guard case .tenant(let tenant) = plan.owner, file.module(of: tenant) != nil else { continue }
      let filed = versions[plan.id]
      if file.plan(plan.id) != nil {
        if version < filed ?? 0 { continue }
      } else if try row.get("origin", as: String.self) == PlanStore.Origin.file.rawValue {
        continue
      }
      further.append(plan)
      versions[plan.id] = version
    }
    var moves: [PlanID: [(version: Int, from: CivilDate)]] = [:]
    for row in try await database.query(
      "SELECT plan, version, holders_from FROM \(schema).plan_version WHERE holders_from IS NOT NULL")
    {
      guard let id = PlanID(try row.get("plan")) else { continue }
      moves[id, default: []].append((try row.get("version"), try row.get("holders_from")))
    }
    let snapshot = Snapshot(file.adding(further, versions: versions), moves: moves)
    state.withLock { state in
      if let other {
        state.file = other
        state.generation += 1
      } else if generation != state.generation || turn < state.shown {
        // It looked with the file of before, or one that began later has seen more.
        return
      }
      state.shown = max(turn, state.shown)
      state.snapshot = snapshot
    }
  }

  /// Refreshes again and again until its task is cancelled: each process runs one, for the console may be on another node.
  ///
  /// - Parameter failed: told of a refresh that failed; the catalogue stays as it was, and the next one may succeed.
  public func keepCurrent(every interval: Duration = .seconds(30), failed: @Sendable (any Error) -> Void) async {
    while (try? await Task.sleep(for: interval)) != nil {
      do { try await refresh() } catch  where !Task.isCancelled { failed(error) } catch {}
    }
  }

  /// A version as it was sold; `nil` when there is none. Remembered, for it never changes.
  public func plan(_ id: PlanID, version: Int) async throws -> Plan? { try await store.plan(id, version: version) }

  /// The version that holds on a day for who has one, as of the last refresh: hers, until a later one names a day for
  /// holders that has come (V19). ``PlanStore/versionInForce(_:held:on:)`` asks the database.
  public func versionInForce(_ plan: PlanID, held: Int, on day: CivilDate) -> Int {
    (snapshot.moves[plan] ?? []).filter { $0.version > held && $0.from <= day }.map(\.version).max() ?? held
  }
}
