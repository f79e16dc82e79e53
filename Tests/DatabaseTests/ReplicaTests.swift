import Foundation
import Support
import Testing

@testable import Database

/// A primary and streaming replicas of it, made by pg_basebackup.
@Suite struct ReplicaTests {
  /// Handles on the servers of one test.
  private struct Site {
    let primary: Database
    /// As reads use them.
    let replicas: [Database]
    /// For what the test does to the replicas.
    let admins: [Database]
    let loop: DatabaseLoop

    func reads(maxLag: Duration) -> Replicas {
      Replicas(primary: primary, replicas: replicas, maxLag: maxLag, checkInterval: .milliseconds(20))
    }

    /// Whether all reads go to replicas, or none.
    func reach(_ reads: Replicas, replica wanted: Bool) async throws -> Bool {
      try await eventually(within: .seconds(20)) {
        await reads.measure()
        return try await isFromReplica(reads) == wanted
      }
    }
  }

  private static func isFromReplica(_ reads: some SQLExecutor) async throws -> Bool {
    try await reads.one("SELECT pg_is_in_recovery() AS x")?.get("x") ?? false
  }

  private func withSite(
    _ name: String, replicas count: Int = 1, _ body: (Site, _ primary: OwnServer, _ replicas: [OwnServer]) async throws -> Void
  ) async throws {
    try await withServers(name, replicas: count) { primary, copies in
      let loop = DatabaseLoop()
      defer { loop.stop() }
      func connect(_ server: OwnServer, _ name: String, _ pool: PoolSettings = .replica(connections: 3)) -> Database {
        Database(server.settings, pool: pool, name: name, logger: server.logger, loop: loop)
      }
      let site = Site(
        primary: connect(primary, "primary", PoolSettings()), replicas: copies.enumerated().map { connect($1, "replica \($0)") },
        admins: copies.map { connect($0, "admin") }, loop: loop)
      try await site.primary.execute("CREATE TABLE t (x bigint)")
      try await body(site, primary, copies)
    }
  }

  @Test func `Reads go to the replica, and to the primary while it lags too much`() async throws {
    try await withSite("lag") { site, _, _ in
      let reads = site.reads(maxLag: .milliseconds(500))
      // Nothing is known yet.
      #expect(try await !ReplicaTests.isFromReplica(reads))
      #expect(try await site.reach(reads, replica: true))
      // Long after its last commit an idle primary makes no replica lag.
      try await Task.sleep(for: .seconds(1))
      // On a busy machine a measurement may itself take longer than the lag allowed.
      var isFromReplica = false
      for _ in 1...3 where !isFromReplica {
        await reads.measure()
        isFromReplica = try await ReplicaTests.isFromReplica(reads)
      }
      #expect(isFromReplica)

      _ = try await site.admins[0].query("SELECT pg_wal_replay_pause()")
      try await site.primary.execute("INSERT INTO t VALUES (1)")
      let written = ContinuousClock.now
      // What it doesn't show is never older than allowed.
      var wasStale = false
      while ContinuousClock.now - written < .seconds(1) {
        let begun = ContinuousClock.now
        let isThere = try await reads.one("SELECT x FROM t") != nil
        if begun - written > .milliseconds(500) { #expect(isThere) }
        wasStale = wasStale || !isThere
      }
      #expect(wasStale)
      #expect(try await !ReplicaTests.isFromReplica(reads))
      let status = try #require(reads.status.first)
      #expect(status.isReachable && !status.isUsed && status.bytesBehind ?? 0 > 0)
      #expect(try #require(status.lag) > .milliseconds(500))

      _ = try await site.admins[0].query("SELECT pg_wal_replay_resume()")
      #expect(try await site.reach(reads, replica: true))
      #expect(try await reads.one("SELECT x FROM t")?.get("x") == 1)
      #expect(reads.status[0].bytesBehind == 0 && reads.status[0].fallBacks == 0)
    }
  }

  @Test func `Who has written sees it, wherever the read goes`() async throws {
    try await withSite("own", replicas: 2) { site, _, _ in
      let reads = site.reads(maxLag: .seconds(3_600))
      #expect(try await site.reach(reads, replica: true))
      _ = try await site.admins[0].query("SELECT pg_wal_replay_pause()")
      _ = try await site.admins[1].query("SELECT pg_wal_replay_pause()")
      try await site.primary.execute("INSERT INTO t VALUES (0)")
      let position = try await reads.position()
      #expect(ReadPosition(position.description) == position)
      let own = reads.reading(after: position)
      for _ in 1...10 {
        #expect(try await own.one("SELECT x FROM t")?.get("x") == 0)
        // Others are content with what a replica has.
        #expect(try await reads.one("SELECT x FROM t") == nil)
      }
      for admin in site.admins { _ = try await admin.query("SELECT pg_wal_replay_resume()") }
      #expect(
        try await eventually(within: .seconds(20)) {
          await reads.measure()
          return try await ReplicaTests.isFromReplica(own)
        })
      var fromReplica = 0
      for number in 1...300 {
        try await site.primary.execute("INSERT INTO t VALUES (\(number))")
        let own = reads.reading(after: try await reads.position())
        if number.isMultiple(of: 3) { await reads.measure() }
        let row = try await own.one("SELECT max(x) AS x, pg_is_in_recovery() AS is_replica FROM t")
        #expect(try row?.get("x") == number)
        if try row?.get("is_replica") == true { fromReplica += 1 }
      }
      #expect(fromReplica > 0)
      #expect(reads.status.allSatisfy { $0.reads > 0 && $0.fallBacks == 0 })
    }
  }

  @Test func `A replica goes down under reads and none of them fails; back again, it serves again`() async throws {
    try await withSite("down") { site, _, replicas in
      let reads = site.reads(maxLag: .seconds(5))
      #expect(try await site.reach(reads, replica: true))
      let (isStopped, count) = (Shared(false), Shared(0))
      let readers = (1...4).map { reader in
        Task {
          while !isStopped.withLock({ $0 }) {
            let x = try await reads.one("SELECT \(reader) AS x")?.get("x", as: Int.self)
            #expect(x == reader)
            count.withLock { $0 += 1 }
          }
        }
      }
      for signal in [SIGINT, SIGQUIT, SIGKILL] {
        let before = count.withLock { $0 }
        #expect(await eventually(within: .seconds(20)) { count.withLock { $0 } > before + 100 })
        try await replicas[0].stop(by: signal)
        #expect(await eventually(within: .seconds(20)) { reads.status[0].isReachable == false })
        #expect(try await !ReplicaTests.isFromReplica(reads))
        try await replicas[0].startAgain()
        let deadline = ContinuousClock.now + .seconds(30)
        while !reads.status[0].isUsed, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(10)) }
        #expect(try await ReplicaTests.isFromReplica(reads))
      }
      isStopped.withLock { $0 = true }
      for reader in readers { try await reader.value }
      #expect(reads.primaryReads > 0)
    }
  }

  @Test func `A replica that no longer hears from the primary is not taken for fresh`() async throws {
    try await withSite("deaf") { site, _, _ in
      let reads = site.reads(maxLag: .milliseconds(300))
      #expect(try await site.reach(reads, replica: true))
      try await site.admins[0].execute("ALTER SYSTEM SET primary_conninfo = ''")
      _ = try await site.admins[0].query("SELECT pg_reload_conf()")
      let receivers: SQL = "SELECT count(*) AS n FROM pg_stat_wal_receiver"
      #expect(try await eventually(within: .seconds(20)) { try await site.admins[0].one(receivers)?.get("n") == 0 })
      try await site.primary.execute("INSERT INTO t VALUES (1)")
      #expect(try await site.reach(reads, replica: false))
      // It has replayed all that it received, and says so.
      #expect(reads.status[0].bytesToReplay == 0 && reads.status[0].isReachable && !reads.status[0].isUsed)
    }
  }

  @Test func `One that was promoted is a replica no more`() async throws {
    try await withSite("promoted") { site, _, _ in
      let reads = site.reads(maxLag: .seconds(5))
      #expect(try await site.reach(reads, replica: true))
      #expect(try await site.admins[0].one("SELECT pg_promote() AS x")?.get("x") == true)
      await reads.measure()
      try await site.admins[0].execute("INSERT INTO t VALUES (666)")
      #expect(try await reads.one("SELECT x FROM t") == nil)
      #expect(!reads.status[0].isUsed)
    }
  }

  @Test func `What a replica can't do the primary does, once`() async throws {
    try await withSite("conflict") { site, _, _ in
      let reads = site.reads(maxLag: .seconds(60))
      #expect(try await site.reach(reads, replica: true))
      // A statement that writes.
      #expect(try await reads.execute("INSERT INTO t SELECT generate_series(1, 1000)") == 1_000)
      #expect(reads.status[0].fallBacks == 1 && reads.status[0].isReachable)
      #expect(try await site.primary.one("SELECT count(*) AS n FROM t")?.get("n") == 1_000)

      // Rows a replica's query still shows, vacuumed on the primary: it is cancelled there (manual §27.4.2).
      try await site.admins[0].execute("ALTER SYSTEM SET max_standby_streaming_delay = 0")
      _ = try await site.admins[0].query("SELECT pg_reload_conf()")
      #expect(
        try await eventually(within: .seconds(20)) {
          try await site.admins[0].one("SHOW max_standby_streaming_delay")?.get(0) == "0"
        })
      await reads.measure()
      let caughtUp = try await eventually(within: .seconds(20)) {
        try await site.admins[0].one("SELECT count(*) AS n FROM t")?.get("n") == 1_000
      }
      #expect(caughtUp)
      async let answer = reads.one("SELECT count(*) AS n, pg_is_in_recovery() AS is_replica FROM t, pg_sleep(1.5) WHERE x > 0")
      let running: SQL =
        "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%is_replica FROM t, pg_sleep%'"
      #expect(try await eventually(within: .seconds(20)) { try await site.admins[0].one(running)?.get("n") == 2 })
      try await site.primary.execute("DELETE FROM t WHERE x <= 500")
      try await site.primary.execute("VACUUM t")
      let row = try await answer
      let (n, isReplica) = (try row?.get("n", as: Int.self), try row?.get("is_replica", as: Bool.self))
      #expect(n == 500 && isReplica == false)
      #expect(reads.status[0].fallBacks == 2)

      // A fault of the statement itself is the same on both, and told once.
      let error = await #expect(throws: DatabaseError.self) { try await reads.query("SELECT 1 / 0 * x FROM t") }
      #expect(error?.state?.rawValue == "22012")
    }
  }

  @Test func `Roles share what is known of the replicas, and one that reads seldom reads there too`() async throws {
    try await withSite("roles") { site, primary, copies in
      try await site.primary.execute("CREATE ROLE visitor LOGIN PASSWORD 'x'")
      func connect(_ server: OwnServer, as user: String) -> Database {
        Database(
          server.settings.with(user: user, password: "x"), pool: .replica(connections: 1), name: user, logger: server.logger,
          loop: site.loop)
      }
      let reads = site.reads(maxLag: .seconds(1))
      let visitor = reads.reader(primary: connect(primary, as: "visitor"), replicas: [connect(copies[0], as: "visitor")])
      let measuring = Task { await reads.run() }
      // Longer than it may lag there is no read.
      try await Task.sleep(for: .seconds(2))
      #expect(await eventually(within: .seconds(20)) { reads.status[0].isUsed })
      #expect(reads.status[0].reads == 0 && reads.primaryReads == 0)
      let reached = try await eventually(within: .seconds(20)) {
        let row = try await visitor.one("SELECT pg_is_in_recovery() AS is_replica, current_user::text AS name")
        let (isReplica, name) = (try row?.get("is_replica", as: Bool.self), try row?.get("name", as: String.self))
        #expect(name == "visitor")
        return isReplica ?? false
      }
      #expect(reached && reads.status[0].reads > 0 && visitor.status[0].reads == reads.status[0].reads)

      // A role that the replica doesn't let in reads from the primary, and the others go on there.
      let stranger = reads.reader(
        primary: connect(primary, as: "visitor"), replicas: [connect(copies[0], as: "nobody_of_this_name")])
      let fellBack = try await eventually(within: .seconds(20)) {
        let isFromReplica = try await ReplicaTests.isFromReplica(stranger)
        #expect(!isFromReplica)
        return reads.status[0].fallBacks > 0
      }
      #expect(fellBack && reads.status[0].isReachable)
      #expect(try await eventually(within: .seconds(20)) { try await ReplicaTests.isFromReplica(visitor) })
      measuring.cancel()
      await measuring.value
    }
  }

  @Test func `Without replicas all goes to the primary`() async throws {
    try await withDatabase { test in
      let reads = Replicas(primary: test.database, replicas: [], maxLag: .seconds(1))
      let position = try await reads.position()
      #expect(try await reads.one("SELECT 7 AS x")?.get("x") == 7)
      #expect(try await reads.reading(after: position).one("SELECT 7 AS x")?.get("x") == 7)
      #expect(reads.status.isEmpty)
      #expect(PoolSettings.replica(connections: 3).statementTimeout == .seconds(15))
    }
  }
}
