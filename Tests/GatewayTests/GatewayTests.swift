import HTTPTypes
import Hummingbird
import Kit
import Testing
import Web

@testable import Gateway

@Suite("Hosts") struct HostDirectoryTests {
  private let directory: HostDirectory
  init() throws { directory = try TestGateway().directory }

  @Test(
    "a host is found by its whole authority, in any case of letters",
    arguments: [
      ("jeju.localhost:8080", "jeju"), ("JEJU.LocalHost:8080", "jeju"), ("localhost:8080", "city"), ("busan.example", "busan"),
    ])
  func found(authority: String, site: String) {
    #expect(directory.destination(authority)?.site.id == site)
  }

  @Test(
    "nothing else is found: no other port, no part of a name, no name around it",
    arguments: [
      "jeju.localhost", "jeju.localhost:8081", "jeju.localhost:80", "jeju", "x.jeju.localhost:8080",
      "jeju.localhost:8080.evil.example",
      "busan.example:8080", "busan.example.", "", "jeju.localhost:8080@evil.example", "127.0.0.1:8080", "jeju.localhost:08080",
    ])
  func notFound(authority: String) {
    #expect(directory.destination(authority) == nil)
  }
}

@Suite("The gateway") struct GatewayTests {
  private let city: TestGateway
  init() throws { city = try TestGateway() }

  private func ask(
    _ gateway: Gateway, _ path: String, host: String? = "jeju.localhost:8080", method: HTTPRequest.Method = .get,
    _ headers: HTTPFields = [.accept: "application/json"]
  ) async throws -> Reply {
    try await Reply(gateway.respond(to: city.request(method, host, path, headers), network: "192.0.2.1"))
  }

  @Test("a request reaches the owner of its host, and knows its network")
  func route() async throws {
    let gateway = city.gateway()
    #expect(try await ask(gateway, "/").text == #"{"network":"192.0.2.1","owner":"jeju"}"#)
    #expect(try await ask(gateway, "/", host: "busan.example").text == #"{"network":"192.0.2.1","owner":"busan"}"#)
  }

  @Test("a host that is nobody's gets 421 and no tenant's page", arguments: ["evil.example", "jeju.localhost:9", "", nil])
  func unknownHost(host: String?) async throws {
    let reply = try await ask(city.gateway(), "/", host: host)
    #expect(reply.status == 421)
    #expect(reply["Content-Type"] == "application/problem+json")
    #expect(reply.text.contains("/problems/unknown-host"))
  }

  @Test("HEAD is answered as GET would be, without the body")
  func head() async throws {
    let gateway = city.gateway()
    let get = try await ask(gateway, "/")
    let head = try await ask(gateway, "/", method: .head)
    #expect(head.status == 200)
    #expect(head.text.isEmpty)
    #expect(head["Content-Length"] == "\(get.text.utf8.count)")
    #expect(head["Content-Type"] == get["Content-Type"])
  }

  @Test("every request is reported once, by site, route, method and status, and has an id of its own")
  func reports() async throws {
    let gateway = city.gateway()
    let first = try await ask(gateway, "/")
    let second = try await ask(gateway, "/nowhere")
    _ = try await ask(gateway, "/", host: "evil.example")
    _ = try await ask(gateway, "/", method: .head)
    let lines = city.reports.withLock { $0.map { "\($0.site) \($0.route) \($0.method) \($0.status)" } }
    #expect(lines.count == 4)
    #expect(lines[0] == "jeju / GET 200")
    #expect(lines[1].hasSuffix("GET 404"))
    #expect(lines[2] == "city refused GET 421")
    #expect(lines[3] == "jeju / HEAD 200")
    #expect(first["X-Request-Id"] != nil)
    #expect(first["X-Request-Id"] != second["X-Request-Id"])
  }

  @Test("a tenant whose database is away is asked no more after five tries; the others don't notice")
  func breaker() async throws {
    let now = Shared(Instant(seconds: 1_795_000_000))
    let gateway = city.gateway(now: { now.withLock { $0 } })
    for _ in 0..<5 { #expect(try await ask(gateway, "/away").status == 503) }
    let refused = try await ask(gateway, "/")
    #expect(refused.status == 503)
    #expect(refused["Retry-After"] == "30")
    #expect(try await ask(gateway, "/", host: "busan.example").status == 200)
    now.withLock { $0 = $0 + .seconds(30) }
    #expect(try await ask(gateway, "/").status == 200)
    #expect(try await ask(gateway, "/").status == 200)
  }

  @Test("a request that outlives its deadline is stopped and answered with 503", .timeLimit(.minutes(1)))
  func deadline() async throws {
    let reply = try await ask(city.gateway(deadline: .milliseconds(20)), "/slow")
    #expect(reply.status == 503)
    #expect(reply.text.contains("/problems/deadline-exceeded"))
    #expect(reply["Retry-After"] == "5")
  }

  @Test("the process says that it lives and whether it can work, on any host")
  func probes() async throws {
    let gateway = city.gateway()
    #expect(try await ask(gateway, "/health", host: "10.0.0.1:8080").text == "{\"status\":\"ok\"}\n")
    #expect(try await ask(gateway, "/ready", host: nil).status == 200)
    let waiting = try await ask(city.gateway(ready: { ["database \"main\""] }), "/ready")
    #expect(waiting.status == 503)
    #expect(waiting.text == "{\"status\":\"not ready\",\"missing\":[\"database 'main'\"]}\n")
  }

  @Test("metrics are open where no token is set, and else for its bearer only")
  func metrics() async throws {
    let open = try await ask(city.gateway(), "/metrics")
    #expect(open.text == "up 1\n")
    #expect(open["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
    let shut = city.gateway(token: "secret")
    #expect(try await ask(shut, "/metrics").status == 401)
    #expect(try await ask(shut, "/metrics", [.authorization: "Bearer wrong1"]).status == 401)
    #expect(try await ask(shut, "/metrics", [.authorization: "Bearer secret"]).status == 200)
  }
}
