import Database
import Foundation
import Kit
import Support
import Testing

@testable import Metropolis

@Suite("A thousand tenants over four databases", .serialized) struct ThousandTests {
  private static let count = 1_000

  @Test("made, migrated, cut off in the middle, taken up again; one fails and the others don't care", .timeLimit(.minutes(5)))
  func thousand() async throws {
    try await withDatabases(4) { tests in
      let bench = FleetBench(tests)
      func time(_ work: () async -> FleetReport) async -> (FleetReport, Duration) {
        let began = ContinuousClock.now
        let report = await work()
        return (report, .now - began)
      }

      let (made, making) = await time { await bench.fleet.migrate(bench.members(ThousandTests.count)) }
      try #require(made.isComplete, "\(made.summary)")

      // Of up to three, as other tests have the cores too.
      var checking = Duration.seconds(60)
      for _ in 1...3 where checking >= .seconds(1) {
        let (same, took) = await time { await bench.fleet.migrate(bench.members(ThousandTests.count)) }
        #expect(same.count { $0 == .current } == ThousandTests.count)
        checking = min(checking, took)
      }
      #expect(checking < .seconds(1), "a check that finds nothing to do took \(checking)")

      // A column made by hand is in the way of the second release at one tenant.
      try await tests[417 % 4].database.execute("ALTER TABLE t_t417.note ADD COLUMN written int")
      let newer = bench.members(ThousandTests.count, plan: FleetBench.plan(2))

      // Cut off in the middle: what is done stays, what was under way ends or is rolled back.
      let heard = Heard()
      let run = Task { await bench.fleet.migrate(newer, progress: heard.hear, event: heard.hear) }
      while heard.progress.count < 200 { try await Task.sleep(for: .milliseconds(5)) }
      run.cancel()
      let cut = await run.value
      let done = cut.count { $0 == .migrated(["002-step2.sql"]) }
      #expect(done >= 190 && done < ThousandTests.count, "\(cut.summary)")
      #expect(cut.notReached.count > 0)

      let (resumed, migrating) = await time { await bench.fleet.migrate(newer) }
      #expect(resumed.failures.map(\.id) == ["t417"], "\(resumed.summary)")
      let refusal = try #require(resumed.refusal(of: "t417"))
      #expect(refusal.file == "002-step2.sql" && refusal.line == 2, "\(refusal)")
      #expect(resumed.count { $0 == .current } >= done)
      #expect(resumed.summary.contains("t417: schema t_t417, 002-step2.sql, line 2"))
      var migrated = 0
      for test in tests { migrated += try await FleetBench.schemas(with: "written", in: test) }
      #expect(migrated == ThousandTests.count)

      // A node that serves sees the same, and once somebody has mended it, nobody is refused.
      #expect(await bench.fleet.look(newer).failures.map(\.id) == ["t417"])
      try await tests[417 % 4].database.execute("ALTER TABLE t_t417.note DROP COLUMN written")
      let mended = await bench.fleet.migrate(newer)
      #expect(mended["t417"] == .migrated(["002-step2.sql"]))
      #expect(await bench.fleet.look(newer).isComplete)
      print("1,000 schemas on 4 databases: made in \(making), checked in \(checking), migrated (rest) in \(migrating)")
    }
  }
}
