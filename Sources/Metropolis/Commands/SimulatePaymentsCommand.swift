import ArgumentParser
import Foundation
import PaymentSimulator

struct SimulatePaymentsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate-payments", abstract: "A payment gateway for development: hosted card page, signed webhooks, no money.")

  @Option(name: .long, help: "The port on 127.0.0.1; 0 for any free one.")
  var port = 0

  @Option(name: .long, help: "The file that keeps what happened; made when it is not there.")
  var journal: String

  @Option(name: .long, help: "Where signed webhooks are sent.")
  var webhookUrl: String?

  @Option(name: .long, help: "What callers show as a bearer token; METROPOLIS_PAYMENTS_KEY by default.")
  var apiKey: String?

  @Option(name: .long, help: "The key of the webhooks' signatures; METROPOLIS_PAYMENTS_SECRET by default.")
  var webhookSecret: String?

  @Flag(name: .long, help: "Open /simulator, where tests ask for faults.")
  var allowFaults = false

  @Flag(name: .long, help: "End when standard input is closed: a child that dies with its parent.")
  var exitWithStdin = false

  func run() async throws {
    let environment = ProcessInfo.processInfo.environment
    guard let apiKey = apiKey ?? environment["METROPOLIS_PAYMENTS_KEY"], !apiKey.isEmpty else {
      throw Failure(description: "the API key is missing: set METROPOLIS_PAYMENTS_KEY or --api-key")
    }
    guard let secret = webhookSecret ?? environment["METROPOLIS_PAYMENTS_SECRET"], !secret.isEmpty else {
      throw Failure(description: "the webhook secret is missing: set METROPOLIS_PAYMENTS_SECRET or --webhook-secret")
    }
    if exitWithStdin { Self.exitWithStandardInput() }
    let simulator = try PaymentSimulator(
      .init(
        journal: journal, apiKey: apiKey, webhookSecret: secret, webhookURL: webhookUrl, port: port,
        allowsFaults: allowFaults))
    try await simulator.run { say("payments http://127.0.0.1:\($0)") }
  }

  /// A thread of its own waits for the end: reading blocks. Nothing needs an orderly stop, the journal takes any.
  private static func exitWithStandardInput() {
    let thread = Thread {
      var buffer = [UInt8](repeating: 0, count: 256)
      while true {
        let count = read(STDIN_FILENO, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { Foundation.exit(0) }
      }
    }
    thread.start()
  }
}
