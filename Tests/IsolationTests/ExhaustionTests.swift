import Database
import Foundation
import Testing

/// A module that takes all it can get: the core and the neighbour are served all the while.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ExhaustionTests {
  /// Half the deadline of a request (R54). Undefended, a call would hang for as long as the mole likes; the rest of it is what a
  /// machine may cost that does ten other things.
  static let slowest = Duration.seconds(15)

  private static let tight = WatchdogLimits.Times(
    statement: .seconds(2), transaction: .seconds(8), idleInTransaction: .seconds(3))

  /// Runs what the mole does beside the traffic, and looks whether all were served.
  /// - Parameter times: as they are in production, unless it is about them.
  private func besideTraffic(
    times: WatchdogLimits.Times = WatchdogLimits().times, _ body: (HostileCity, Watchdog) async throws -> Void
  ) async throws {
    try await HostileCity.with { city in
      let traffic = Traffic()
      let serving = Task { await traffic.run(in: city) }
      var limits = WatchdogLimits()
      limits.times = times
      limits.memoryMegabytes = 64
      let watchdog = Watchdog(
        admin: city.admin, limits: limits, processes: city.server.processes, interval: .milliseconds(100), logger: city.logger)
      let watching = Task { await watchdog.run() }
      do { try await body(city, watchdog) } catch {
        serving.cancel()
        watching.cancel()
        throw error
      }
      // Whatever came last, both are served again after it.
      let figures = traffic.take()
      serving.cancel()
      watching.cancel()
      await serving.value
      await watching.value
      for name in ["core", "neighbour"] {
        let found = try #require(figures[name])
        #expect(found.failures == [], "\(name)")
        #expect(found.slowest < Self.slowest, "\(name): \(found.calls) calls")
      }
      #expect(watchdog.status.failures == 0 && watchdog.status.lastLook != nil)
    }
  }

  /// The connection is gone a moment before the watchdog has counted it.
  private func hasEnded(_ kinds: Set<Excess.Kind>, _ count: Int, _ watchdog: Watchdog) async throws {
    func found() -> Int { watchdog.status.ended.filter { kinds.contains($0.key) }.values.reduce(0, +) }
    while found() < count { try await Task.sleep(for: .milliseconds(20)) }
    #expect(found() == count)
  }

  @Test func `All the connections it can get`() async throws {
    try await besideTraffic(times: Self.tight) { city, _ in
      var sessions: [RawSession] = []
      var refusal: String?
      while refusal == nil, sessions.count < 60 {
        do { sessions.append(try await city.session()) } catch let error as RawSession.Refused { refusal = error.words }
      }
      #expect(refusal?.contains("too many connections for role") == true)
      #expect(sessions.count <= HostileCity.moleBounds.connections)
      // With all of them at once: everything it can lock, held; and a loop on each.
      await withTaskGroup { group in
        for session in sessions {
          group.addTask {
            // Behind the first, the others wait for its rows, until the watchdog comes.
            _ = await session.run(
              "SET lock_timeout = 0; BEGIN; SELECT * FROM mole.note FOR UPDATE; SELECT count(*) FROM pg_attribute")
          }
        }
      }
    }
  }

  @Test func `Time that it grants itself is ended`() async throws {
    try await besideTraffic(times: Self.tight) { city, watchdog in
      let endless = [
        "SET statement_timeout = 0; SELECT pg_sleep(3600)",
        "SELECT set_config('statement_timeout', '0', false); SELECT count(*) FROM pg_proc a, pg_proc b, pg_proc c",
        "SET statement_timeout = 0; SELECT count(*) FROM pg_class a, pg_class b, pg_class c, pg_class d",
      ]
      for script in endless {
        let session = try await city.session()
        let answer = await session.run(script)
        #expect(["57P01", "08006"].contains(answer.state), "\(script): \(answer.state ?? "done")")
      }
      try await hasEnded([.statement], endless.count, watchdog)

      // A transaction that is kept open holds back what VACUUM may take away, everywhere.
      let idler = try await city.session()
      _ = await idler.run("SET idle_in_transaction_session_timeout = 0; BEGIN; SELECT count(*) FROM mole.note")
      try await hasEnded([.idleInTransaction], 1, watchdog)
      #expect(await idler.run("SELECT 1").isRefused)
      let busy = try await city.session()
      _ = await busy.run("BEGIN")
      while await !busy.run("SELECT 1").isRefused {}
      // On a machine that is slow enough, it stood idle between two of them.
      try await hasEnded([.idleInTransaction, .transaction], 2, watchdog)
    }
  }

  @Test func `Memory, files and a flood of notifications are bounded`() async throws {
    try await besideTraffic { city, watchdog in
      let session = try await city.session()
      let answer = await session.run(
        "SET work_mem = '2GB'; SET statement_timeout = 0; SELECT count(*) FROM (SELECT array_agg(repeat(i::text, 50)) FROM generate_series(1, 50000000) AS i) AS x"
      )
      #expect(["57P01", "08006"].contains(answer.state))
      try await hasEnded([.memory], 1, watchdog)
      // Files of one connection: temp_file_limit, which the role can't change.
      let sorter = try await city.session()
      #expect(
        await sorter.run("SELECT count(*) FROM (SELECT i FROM generate_series(1, 3000000) AS i ORDER BY -i) AS x").state
          == "53400")
      // However often it is called, the neighbour looks when it comes to it, and finds nothing new.
      let neighbour = city.client(HostileCity.neighbour)
      let listening = Task { for await _ in neighbour.listen(on: "neighbour") {} }
      let flooder = try await city.session()
      for _ in 1...5 {
        let flood = await flooder.run("SELECT count(pg_notify('neighbour', i::text)) FROM generate_series(1, 20000) AS i")
        #expect(!flood.isRefused)
      }
      listening.cancel()
      await neighbour.close()
    }
  }

  @Test func `Locks that all share can't be had, and heavy work only one after the other`() async throws {
    try await besideTraffic { city, watchdog in
      for attack in Attack.locks {
        let session = try await city.session()
        #expect(await session.run(attack.script).state == "42501", "\(attack)")
      }
      // A service of the core has the right to some, and no right to so many.
      let core = try await city.session(HostileCity.core)
      _ = await core.run("BEGIN; SELECT count(pg_advisory_xact_lock(i)) FROM generate_series(1, 6000) AS i")
      try await hasEnded([.locks], 1, watchdog)
      #expect(await core.run("SELECT 1").isRefused)
      // As many reports at once as it likes: the pool has one connection, and that the lowest priority.
      let heavy = city.client(
        HostileCity.mole, pool: .heavy(on: city.server.processes), name: "mole heavy")
      let backends = try await withThrowingTaskGroup(of: Int32.self) { group in
        for _ in 1...8 {
          group.addTask {
            try await heavy.one("SELECT pg_backend_pid() AS pid FROM mole.note")?.get("pid") ?? 0
          }
        }
        return try await group.reduce(into: Set()) { $0.insert($1) }
      }
      #expect(backends.count == 1)
      let backend = try #require(backends.first)
      #expect(getpriority(.init(PRIO_PROCESS.rawValue), id_t(backend)) == 19)
      if let group = try? String(contentsOfFile: "/proc/\(backend)/autogroup", encoding: .utf8) {
        #expect(group.hasSuffix("nice 19\n"))
      }
      await heavy.close()
    }
  }
}
