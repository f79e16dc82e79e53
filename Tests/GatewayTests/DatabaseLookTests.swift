import Database
import Hummingbird
import Kit
import Testing
import Web

@testable import Gateway

@Suite("Looks at databases that were given up") struct DatabaseLookTests {
  @Test("one that answers is asked again at once, while the look at another still waits", .timeLimit(.minutes(1)))
  func looks() async throws {
    let city = try TestGateway()
    let isDown = Shared(true)
    let directory = try city.directory(
      of: [
        Endpoint(.get, "/row") { _, _ in
          if isDown.withLock({ $0 }) { throw DatabaseError(.connectionFailed) }
          return .json(["row": 1])
        }
      ], databases: ["jeju": "east", "busan": "west"])
    let gateway = Gateway(
      directory: { directory }, operations: .init(ready: { [] }, metrics: { "" }, metricsToken: nil),
      clock: DomainClock { Instant(seconds: 1_795_000_000) }, logger: city.logger, report: { _ in })
    func ask(_ host: String) async throws -> Int {
      try await Reply(gateway.respond(to: city.request(.get, host, "/row"), network: "192.0.2.1")).status
    }
    for host in ["jeju.localhost:8080", "busan.example"] {
      for _ in 1...5 { #expect(try await ask(host) == 503) }
    }
    #expect(gateway.metrics.openSites == ["busan", "jeju"])
    isDown.withLock { $0 = false }
    // It answers, and yet: the pause has thirty seconds to go, and the clock stands still.
    #expect(try await ask("busan.example") == 503)

    let gate = Gate()
    let watch = Task {
      await gateway.watchDatabases(every: .milliseconds(10)) { database in
        if database == "east" { try? await gate.wait() }
        return database == "west"
      }
    }
    while try await ask("busan.example") != 200 { await Task.yield() }
    #expect(gateway.metrics.openSites == ["jeju"])
    #expect(try await ask("jeju.localhost:8080") == 503)
    // Nobody waits for the look that waits.
    watch.cancel()
    await watch.value
  }
}
