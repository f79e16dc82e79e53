import Foundation
import HTTPClient
import Kit
import PaymentSimulator
import Testing

@testable import Billing

/// The payment simulator in this process, on a port of its own.
struct RunningSimulator: Sendable {
  static let (key, secret) = ("sk_test", "whsec")

  /// Numbers that mean something to it.
  enum Card: String {
    case succeeds = "4242424242424242"
    case declined = "4000000000000002"
    case declinedLater = "4000000000000341"
    case pending = "4000000000003220"
  }

  let port: Int
  let client: HTTPClient

  var url: String { "http://127.0.0.1:\(port)" }
  var gateway: SimulatorGateway {
    SimulatorGateway(baseURL: url, key: RunningSimulator.key, webhookSecret: RunningSimulator.secret, client: client)
  }

  /// Cuts the next request of a kind: `before` it is done, `after`, or in the `mid-answer`.
  func cut(_ method: String, _ path: String, _ cuts: String...) async throws {
    let faults = cuts.map { ["path": .string(path), "method": .string(method), "cut": .string($0)] as JSONValue }
    let reply = try await send("POST", "/simulator/faults", JSONEncoder().encode(["next": JSONValue.array(faults)]))
    #expect(reply.status == 200, "\(String(decoding: reply.body, as: UTF8.self))")
  }

  /// Fills in the card form of a checkout.
  @discardableResult
  func pay(_ checkoutURL: String?, with card: Card = .succeeds) async throws -> Int {
    let form = "number=\(card.rawValue)&expiry=12%2F29&cvc=123"
    return try await client.send(
      .init(
        method: "POST", url: try #require(checkoutURL), headers: [("Content-Type", "application/x-www-form-urlencoded")],
        body: Data(form.utf8))
    ).status
  }

  /// Payments by reference and state, and refunds by reference, as the simulator counts them.
  func census() async throws -> (succeeded: [String: Int64], refunds: [String: Int64]) {
    let state = try JSONDecoder().decode(JSONValue.self, from: try await send("GET", "/simulator/state", nil).body)
    guard case .object(let payments)? = state["payments"], case .object(let refunds)? = state["refunds"] else {
      return ([:], [:])
    }
    return (payments.compactMapValues { $0["succeeded"]?.integer }, refunds.compactMapValues(\.integer))
  }

  private func send(_ method: String, _ path: String, _ body: Data?) async throws -> HTTPClient.Response {
    try await client.send(
      .init(method: method, url: url + path, headers: [("Authorization", "Bearer \(RunningSimulator.key)")], body: body))
  }
}

/// Runs the simulator while the body runs.
func withSimulator(
  journal: String? = nil, clock: DomainClock, webhookURL: String? = nil, _ body: (RunningSimulator) async throws -> Void
) async throws {
  let path = journal ?? NSTemporaryDirectory() + "simulator-\(UUID().uuidString).journal"
  defer { if journal == nil { try? FileManager.default.removeItem(atPath: path) } }
  let simulator = try PaymentSimulator(
    .init(
      journal: path, apiKey: RunningSimulator.key, webhookSecret: RunningSimulator.secret, webhookURL: webhookURL,
      allowsFaults: true,
      timetable: .init(pending: .milliseconds(400), late: .milliseconds(300), repetition: .milliseconds(50)),
      now: clock.now))
  let (ports, found) = AsyncStream.makeStream(of: Int.self)
  let running = Task {
    defer { found.finish() }
    try await simulator.run { found.yield($0) }
  }
  var port: Int?
  for await found in ports {
    port = found
    break
  }
  do {
    try await body(RunningSimulator(port: try #require(port), client: HTTPClient(workers: 8)))
  } catch {
    running.cancel()
    _ = await running.result
    throw error
  }
  running.cancel()
  _ = await running.result
}
