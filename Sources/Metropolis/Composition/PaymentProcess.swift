import Foundation
import Keys
import Kit
import Logging
import Synchronization

/// The payment simulator of a development city: a process of its own, started with the city and ended with it.
///
/// It keeps its port and its journal in the data directory, so that a page opened before a restart still works after it.
final class PaymentProcess: Sendable {
  /// What callers show, and what webhooks are signed with.
  struct Credentials: Sendable {
    let key: String
    let secret: String

    init(_ master: MasterKey) {
      key = master.password("payments:key")
      secret = master.password("payments:secret")
    }
  }

  private struct State {
    var process: Process?
    var isStopping = false
  }

  private let data: String
  private let credentials: Credentials
  private let webhookURL: String
  private let logger: Logger
  private let state = Mutex(State())

  init(data: String, credentials: Credentials, webhookURL: String, logger: Logger) {
    self.data = data
    self.credentials = credentials
    self.webhookURL = webhookURL
    self.logger = logger
  }

  /// Starts it, and again whenever it ends before its time.
  /// - Returns: its origin, `http://127.0.0.1:41234`.
  func start() async throws -> String {
    let port: Int
    if let kept = PaymentProcess.keptPort(data: data), let again = try? await launch(port: kept) {
      port = again
    } else {
      port = try await launch(port: 0)
    }
    try "\(port)\n".write(toFile: "\(data)/payments.port", atomically: true, encoding: .utf8)
    return "http://127.0.0.1:\(port)"
  }

  /// Where the simulator of a city with this data directory is; `nil` when there was none yet.
  static func origin(data: String) -> String? { keptPort(data: data).map { "http://127.0.0.1:\($0)" } }

  private static func keptPort(data: String) -> Int? {
    (try? String(contentsOfFile: "\(data)/payments.port", encoding: .utf8)).flatMap { Int($0.trimmed) }
  }

  func stop() {
    let process = state.withLock { state in
      state.isStopping = true
      return state.process
    }
    process?.terminate()
  }

  private func launch(port: Int) async throws -> Int {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = [
      "simulate-payments", "--port", "\(port)", "--journal", "\(data)/payments.journal", "--webhook-url", webhookURL,
      "--exit-with-stdin",
    ]
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["METROPOLIS_PAYMENTS_KEY": credentials.key, "METROPOLIS_PAYMENTS_SECRET": credentials.secret]
    ) { $1 }
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    let ended = AsyncStream<Void>.makeStream()
    process.terminationHandler = { _ in
      ended.continuation.finish()
      // Held until now: its end is the end of the child.
      try? input.fileHandleForWriting.close()
    }
    try process.run()
    guard let announced = await PaymentProcess.port(from: output.fileHandleForReading) else {
      process.terminate()
      throw Failure(description: "the payment simulator did not start on port \(port): its reason stands above")
    }
    state.withLock { $0.process = process }
    Task {
      for await _ in ended.stream {}
      await revive(port: announced)
    }
    return announced
  }

  private func revive(port: Int) async {
    if state.withLock({ $0.isStopping }) { return }
    logger.warning("payment simulator ended; starting it again")
    do {
      try await Task.sleep(for: .seconds(1))
      _ = try await launch(port: port)
    } catch {
      logger.error("payment simulator not started again", metadata: ["error": "\(error)"])
    }
  }

  /// Reads the line it prints when it is ready; blocking, so on a thread of its own.
  private static func port(from handle: FileHandle) async -> Int? {
    await withCheckedContinuation { continuation in
      let thread = Thread {
        var text = ""
        // What is there is taken: `read(upToCount:)` would wait for the whole count.
        while case let chunk = handle.availableData, !chunk.isEmpty {
          text += String(decoding: chunk, as: UTF8.self)
          guard text.contains("\n"), let line = text.split(separator: "\n").first else { continue }
          continuation.resume(returning: line.split(separator: ":").last.flatMap { Int($0.trimmed) })
          // What it prints later is read too, or it would stand still with a full pipe.
          while !handle.availableData.isEmpty {}
          return
        }
        continuation.resume(returning: nil)
      }
      thread.start()
    }
  }
}
