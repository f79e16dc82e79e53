import Foundation
import Kit
import Testing

@testable import Metropolis

@Suite("Phases and their figures") struct ConfigurationFigureTests {
  private typealias Sample = ConfigurationSample

  private func city(_ more: String, environment: String = "development") throws -> CityConfiguration {
    let text = Sample.replacing("  environment: development\n", "  environment: \(environment)\n  \(more)\n")
    return try Sample.read(text)
  }

  @Test(
    "what each phase needs and costs (R62)",
    arguments: [
      ("pilot", [1_000, 20, 0, 1, 1, 65, 200]), ("growth", [10_000, 100, 0, 2, 3, 162, 800]),
      ("scale", [100_000, 500, 0, 5, 10, 973, 3_000]), ("metro", [1_000_000, 1_000, 3, 10, 50, 6_730, -1]),
    ])
  func phases(name: String, figures: [Int]) throws {
    let need = try city("phase: \(name)", environment: "production").figures.phase
    #expect(
      [
        need.users, need.connections, need.replicas, need.cacheNodes, need.servers, need.usd, need.townsUSD ?? -1,
      ] == figures)
    // A node of production has twenty connections; all servers of a phase stay within its connections.
    #expect(PhaseFigures.connections(.production) * need.servers <= need.connections)
  }

  @Test("pools, queues, cache, gateway and scaling (R54-R58) are the defaults")
  func defaults() throws {
    let figures = try city("phase: growth", environment: "production").figures
    #expect(figures.pool.primary == 20 && PhaseFigures.Pool.primaryRange == 5...20 && PhaseFigures.Pool.replicaRange == 3...30)
    #expect(figures.pool.primaryStatement == .seconds(30) && figures.pool.replicaStatement == .seconds(15))
    #expect(
      figures.pool.connect == .seconds(2) && figures.pool.idle == .seconds(30) && figures.pool.idleInTransaction == .seconds(60))
    #expect(figures.queues.notifications == .init(concurrency: 10, tries: 3, perMinute: 1_000))
    #expect(figures.queues.mail == .init(concurrency: 5, tries: 5, perMinute: 100))
    #expect(
      figures.queues.analytics == .init(concurrency: 3, tries: 2) && figures.queues.images == .init(concurrency: 2, tries: 3))
    #expect(figures.queues.keptDone == 100 && figures.queues.keptFailed == 50)
    #expect(figures.cache.question == .seconds(1_800) && figures.cache.search == .seconds(600))
    #expect(
      figures.cache.profile == .seconds(3_600) && figures.cache.trending == .seconds(900) && figures.cache.process == .seconds(60)
    )
    #expect(figures.gateway.deadline == .seconds(30) && figures.gateway.notificationsDeadline == .seconds(10))
    #expect(figures.gateway.breakerErrors == 5 && figures.gateway.breakerOpen == .seconds(30) && figures.gateway.ejected == 50)
    #expect(figures.gateway.authTries == 3 && figures.gateway.authTry == .seconds(10))
    let questions = figures.scaling.questions
    #expect(questions.least == 3 && questions.most == 50 && questions.cpu == 70 && questions.memory == 80)
    #expect(questions.requestsPerMinute == 1_000 && questions.upAfter == .seconds(300) && questions.downAfter == .seconds(600))
    let letters = figures.scaling.notifications
    #expect(letters.least == 2 && letters.most == 30 && letters.depth == 100 && letters.upAfter == .seconds(120))
    #expect(figures.scaling.identity.least == 3 && figures.scaling.identity.most == 20)
  }

  @Test("an environment has its own pool and its own number of nodes")
  func environments() throws {
    #expect(try city("phase: metro").figures.pool.primary == 5)
    #expect(try city("phase: metro").figures.nodes == 3)
    #expect(try city("phase: metro", environment: "staging").figures.pool.primary == 10)
    #expect(try city("phase: metro", environment: "staging").figures.nodes == 10)
    #expect(try city("phase: metro", environment: "production").figures.nodes == 50)
    #expect(try city("phase: pilot", environment: "production").figures.nodes == 1)
  }

  @Test("any figure is overridden by its name, and only that one")
  func overriding() throws {
    let city = try city(
      """
      figures: {pool: {primary: 12, idle: 5m}, queues: {mail: {per_minute: 60}, kept_done: 10}, cache: {process: 30s},
          gateway: {breaker_errors: 7}, scaling: {questions: {most: 8, cpu: 60}}, phase: {servers: 2, usd: 130}}
      """)
    var expected = PhaseFigures(.pilot, in: .development)
    (expected.pool.primary, expected.pool.idle) = (12, .seconds(300))
    (expected.queues.mail.perMinute, expected.queues.keptDone) = (60, 10)
    (expected.cache.process, expected.gateway.breakerErrors) = (.seconds(30), 7)
    (expected.scaling.questions.most, expected.scaling.questions.cpu) = (8, 60)
    (expected.phase.servers, expected.phase.usd) = (2, 130)
    #expect(city.figures == expected)
    // What a node may have is what the pool says, unless the database says it itself.
    #expect(city.databases[0].connections == 12)
  }

  @Test(
    "a name that is no figure, or a figure out of its range, is a mistake at its place",
    arguments: [
      ("{pools: {primary: 12}}", "city.figures.pools: found an unknown key"),
      ("{pool: {primery: 12}}", "city.figures.pool.primery: found an unknown key"),
      ("{pool: {primary: 21}}", "city.figures.pool.primary: found “21”, expected a whole number from 5 to 20"),
      ("{pool: {connect: soon}}", "city.figures.pool.connect: found “soon”, expected a duration like"),
      ("{gateway: {deadline: 0s}}", "city.figures.gateway.deadline: found “0s”, expected a duration above 0"),
      ("{cache: {process: 5m}}", "city.figures.cache.process: found “5m”, expected 60s at most"),
      ("{scaling: {identity: {least: 9}}}", "city.figures.scaling.identity.least: found 9, expected not more than most, 3"),
      ("{queues: {mail: {tries: 0}}}", "city.figures.queues.mail.tries: found “0”, expected a whole number from 1 to 100"),
    ])
  func mistakes(figures: String, message: String) {
    let found = Sample.mistakes(
      Sample.replacing("  environment: development\n", "  environment: development\n  figures: \(figures)\n"))
    #expect(found.count == 1 && found[0].hasPrefix("city.yaml:5: \(message)"))
  }

  // MARK: Connections

  @Test("nodes × pool beyond what the server takes is refused, and the sum is said")
  func connections() throws {
    let city = try Sample.read(
      Sample.replacing("  environment: development\n", "  environment: production\n  phase: scale\n")
        + "databases: {main: {connections: 20, limit: 150}}\n")
    let load = try #require(ConnectionLoad.all(of: city).first)
    #expect(load.sum == 200 && load.limit == 147 && load.exceeds)
    #expect(load.description == "10 nodes × 20 connections = 200, of 147 the server takes")
    #expect(
      load.refusal == """
        databases.main.connections: found 10 nodes × 20 connections = 200, expected at most 147, which is what the server \
        takes: lower it to 14, or raise the server's max_connections
        """)
    let enough = try Sample.read(
      Sample.replacing("  environment: development\n", "  environment: production\n  phase: scale\n")
        + "databases: {main: {connections: 14, limit: 150}}\n")
    #expect(ConnectionLoad.all(of: enough)[0].refusal == nil)
  }

  @Test("without a limit in the file the server's own counts; with neither nothing is refused, and that is said")
  func unknownLimit() throws {
    let city = try Sample.read()
    #expect(ConnectionLoad.all(of: city, limits: ["main": 4])[0].refusal != nil)
    let open = ConnectionLoad.all(of: city)[0]
    #expect(open.refusal == nil && open.description.hasSuffix("the server's limit is not known (databases.main.limit)"))
    let pooled = try Sample.read(
      Sample.yaml + "databases: {main: {url: env:A, direct_url: env:B, pooler: transaction, limit: 5}}\n")
    #expect(ConnectionLoad.all(of: pooled)[0].refusal == nil)
  }

  // MARK: Capacity

  @Test("a file as its phase needs it has no findings; one phase on, it has those that are missing")
  func capacity() throws {
    let city = try city("phase: growth", environment: "production")
    let fits = CapacityReport(city, limits: ["main": 97])
    #expect(fits.findings.isEmpty && fits.rows.allSatisfy { !$0.isFlagged })
    let next = CapacityReport(city, phase: .scale, limits: ["main": 97])
    #expect(next.findings.map(\.resource) == ["servers", "connections", "cache nodes", "USD a month", "towns, USD a month"])
    #expect(next.findings.allSatisfy { $0.kind == .undersized && $0.saving == nil && !$0.risk.isEmpty })
    #expect(next.text.contains("servers                     3       10   ! -70%"))
  }

  @Test("more than ten percent above the need is oversized, with what it saves")
  func oversized() throws {
    let ten = CapacityReport(try city("figures: {phase: {usd: 71}}"))
    #expect(ten.findings.isEmpty)
    let city = try city("figures: {phase: {servers: 3, usd: 195}}")
    let report = CapacityReport(city, measured: .init(cpu: 12, spent: 160))
    let savings = report.findings.filter { $0.kind == .oversized }.map { [$0.resource, "\($0.saving ?? -1)"] }
    #expect(savings == [["servers", "130"], ["USD a month", "130"], ["servers", "65"]])
    #expect(report.findings.last?.kind == .budget && report.findings.last?.text == "160 of 195 spent: 82%")
  }

  @Test("the same as JSON")
  func json() throws {
    let report = CapacityReport(try city("figures: {phase: {servers: 2}}"), limits: ["main": 97])
    let value = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(report))
    #expect(value["phase"] == "pilot" && value["users"] == 1_000)
    guard case .array(let rows) = value["rows"], case .array(let findings) = value["findings"] else {
      Issue.record("no rows")
      return
    }
    #expect(rows[0] == ["resource": "servers", "declared": 2, "needed": 1, "variance": 100, "flagged": true])
    #expect(findings.count == 1 && findings[0]["saving"] == 32)
  }
}
