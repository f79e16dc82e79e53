import Database
import Foundation
import HTTPTypes
import Hummingbird
import Kit
import NIOCore
import Testing
import Web

@testable import Gateway

@Suite("Deadlines") struct DeadlineTests {
  @Test("work within its time is left alone; work over it is cancelled, each by its own deadline", .timeLimit(.minutes(1)))
  func cancels() async throws {
    let watch = DeadlineWatch(tick: .milliseconds(5))
    #expect(await watch.run(for: .seconds(30)) { Task.isCancelled } == false)
    let wasCancelled = await watch.run(for: .milliseconds(20)) { () -> Bool in
      try? await Task.sleep(for: .seconds(3_600))
      return Task.isCancelled
    }
    #expect(wasCancelled)
    // The task that waits lives on.
    #expect(!Task.isCancelled)
  }

  @Test("many at once, ending before and after their time", .timeLimit(.minutes(1)))
  func many() async {
    let watch = DeadlineWatch(tick: .milliseconds(5))
    let cancelled = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<400 {
        group.addTask {
          await watch.run(for: .milliseconds(number.isMultiple(of: 2) ? 10 : 600_000)) {
            if number.isMultiple(of: 2) { try? await Task.sleep(for: .seconds(3_600)) } else { await Task.yield() }
            return Task.isCancelled
          }
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(cancelled == 200)
  }

  @Test("who is given up gives up what she waits for", .timeLimit(.minutes(1)))
  func outer() async {
    let watch = DeadlineWatch(tick: .milliseconds(5))
    let task = Task {
      await watch.run(for: .seconds(600)) { () -> Bool in
        try? await Task.sleep(for: .seconds(3_600))
        return Task.isCancelled
      }
    }
    task.cancel()
    #expect(await task.value)
  }
}

@Suite("Tries") struct TriesTests {
  private let city: TestGateway
  init() throws { city = try TestGateway() }

  private func gateway(_ endpoints: [Endpoint<TestGateway.Owner>]) throws -> Gateway {
    let directory = try city.directory(of: endpoints)
    return Gateway(
      directory: { directory }, operations: .init(ready: { [] }, metrics: { "" }, metricsToken: nil),
      clock: DomainClock { Instant(seconds: 1_795_000_000) }, logger: city.logger, report: { _ in })
  }

  /// A route that fails so often before it answers.
  private func failing(
    _ method: HTTPRequest.Method, _ kind: DatabaseError.Kind, times: Int, _ calls: Shared<Int>
  ) -> Endpoint<TestGateway.Owner> {
    Endpoint(method, "/flaky", .init(checksForgery: false)) { _, _ in
      let call = calls.withLock { calls in
        calls += 1
        return calls
      }
      if call <= times { throw DatabaseError(kind) }
      return .json(["call": call])
    }
  }

  @Test(
    "a read whose connection fails is run again, twice at most",
    arguments: [(DatabaseError.Kind.connectionFailed, 2, 3, 200), (.connectionLost, 1, 2, 200), (.connectionFailed, 9, 3, 503)])
  func reads(kind: DatabaseError.Kind, times: Int, calls: Int, status: Int) async throws {
    let made = Shared(0)
    let gateway = try gateway([failing(.get, kind, times: times, made)])
    let reply = try await Reply(gateway.respond(to: city.request(.get, "busan.example", "/flaky"), network: "192.0.2.1"))
    #expect(reply.status == status)
    #expect(made.withLock { $0 } == calls)
    #expect(gateway.metrics.retries == calls - 1)
  }

  @Test("no other failure is, and what changes something never", arguments: [DatabaseError.Kind.poolExhausted, .timeout])
  func others(kind: DatabaseError.Kind) async throws {
    let made = Shared(0)
    let gateway = try gateway([failing(.get, kind, times: 9, made), failing(.post, .connectionFailed, times: 9, made)])
    for method in [HTTPRequest.Method.get, .post] {
      _ = await gateway.respond(to: city.request(method, "busan.example", "/flaky"), network: "192.0.2.1")
    }
    #expect(made.withLock { $0 } == 2)
  }

  @Test(
    "the city's own calls to the issuer are tried three times; what may have been done is not done again",
    arguments: [(DatabaseError.Kind.connectionFailed, 3, 200), (.connectionLost, 1, 503)])
  func issuer(kind: DatabaseError.Kind, calls: Int, status: Int) async throws {
    let made = Shared(0)
    let gateway = try gateway([failing(.post, kind, times: 2, made)])
    let head = city.request(.post, "busan.example", "/flaky").head
    let reply = try await Reply(await gateway.respond(to: head, body: ByteBuffer(string: "code=1"), network: "city"))
    #expect(reply.status == status)
    #expect(made.withLock { $0 } == calls)
  }

  @Test("a route may have a deadline of its own", .timeLimit(.minutes(1)))
  func ownDeadline() async throws {
    let endpoint = Endpoint<TestGateway.Owner>(.get, "/short", .init(deadline: .milliseconds(20))) { _, _ in
      try await Task.sleep(for: .hours(1))
      return .noContent
    }
    let gateway = try gateway([endpoint])
    let reply = try await Reply(gateway.respond(to: city.request(.get, "busan.example", "/short"), network: "192.0.2.1"))
    #expect(reply.status == 503)
    #expect(gateway.metrics.deadlines == 1)
  }

  @Test("with as many under way as may be, the next is turned away at once, and who pays is not", .timeLimit(.minutes(1)))
  func shed() async throws {
    let gate = Gate()
    let endpoints: [Endpoint<TestGateway.Owner>] = [
      .get("/held") { _, _ in
        try await gate.wait()
        return .noContent
      },
      .get("/free") { _, _ in .noContent },
      .get("/payments/one") { _, _ in .noContent },
    ]
    let directory = try city.directory(of: endpoints)
    var settings = Gateway.Settings()
    settings.shedding.inFlightMost = 3
    let gateway = Gateway(
      directory: { directory }, operations: .init(ready: { [] }, metrics: { "" }, metricsToken: nil), settings: settings,
      clock: .system, logger: city.logger, report: { _ in })
    let city = city
    let held = (0..<2).map { _ in
      Task { await gateway.respond(to: city.request(.get, "busan.example", "/held"), network: "192.0.2.1").status.code }
    }
    await gate.came(2)
    let refused = try await Reply(gateway.respond(to: city.request(.get, "busan.example", "/free"), network: "192.0.2.1"))
    #expect(refused.status == 503)
    #expect(refused["Retry-After"] == "1")
    for (path, status) in [("/payments/one", 204), ("/health", 200)] {
      let response = await gateway.respond(to: city.request(.get, "busan.example", path), network: "192.0.2.1")
      #expect(response.status.code == status)
    }
    #expect(gateway.metrics.shed == ["low": 1])
    gate.open()
    for task in held { #expect(await task.value == 204) }
    #expect(gateway.metrics.inFlight == 0)
  }
}

@Suite("Ids of requests") struct RequestIDTests {
  @Test("each is a UUID of version 7 with the request's time, and no two are alike")
  func form() throws {
    let (ids, now) = (RequestIDs(), Instant(seconds: 1_795_000_000))
    let made = (0..<10_000).map { _ in ids.make(at: now) }
    #expect(Set(made).count == 10_000)
    let text = try #require(made.first)
    #expect(UUID(uuidString: text)?.text == text)
    #expect(text.hasPrefix("01a1ee56-"))
    #expect(text.dropFirst(14).first == "7")
    #expect("89ab".contains(text.dropFirst(19).first!))
  }
}
