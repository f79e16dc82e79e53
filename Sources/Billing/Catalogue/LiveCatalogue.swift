import Database
public import Kit
import Synchronization

/// The catalogue as it is now: the plans of the file, and those of the console that are on sale.
///
/// Reading it costs a lock and no query; it is as new as its last refresh. Other nodes see a plan of the console with
/// theirs, so each has ``keepCurrent(every:failed:)`` running.
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
    var snapshot: Snapshot
    var begun = 0
    var shown = 0
  }

  private let file: PlanCatalogue
  private let store: PlanStore
  private let state: Mutex<State>

  /// - Parameter file: what stands in the configuration; it holds alone until the first refresh.
  public init(file: PlanCatalogue, store: PlanStore) {
    self.file = file
    self.store = store
    state = Mutex(State(snapshot: Snapshot(file)))
  }

  var snapshot: Snapshot { state.withLock { $0.snapshot } }

  public func current() -> PlanCatalogue { snapshot.catalogue }

  /// Reads from the database which plans of the console are on sale, and in which versions all are.
  ///
  /// A plan of the file is sold in the version that holds this file's document, be it the newest or not: while a new
  /// release is rolled out, nodes with the old file go on selling what they show.
  /// - Throws: ``Database/DatabaseError``; the catalogue stays as it was.
  public func refresh() async throws {
    let turn = state.withLock { state in
      state.begun += 1
      return state.begun
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
      SELECT DISTINCT ON (plan.id) version, document FROM \(schema).plan JOIN \(schema).plan_version ON plan = plan.id
      WHERE origin = 'console' AND withdrawn_at IS NULL ORDER BY plan.id, version DESC
      """)
    {
      let plan = try PlanStore.plan(row)
      // The stanza of its tenant may be gone from the file since.
      guard case .tenant(let tenant) = plan.owner, file.module(of: tenant) != nil else { continue }
      further.append(plan)
      if versions[plan.id] == nil { versions[plan.id] = try row.get("version") }
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
      // One that began later has seen more.
      guard turn > state.shown else { return }
      state.shown = turn
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
