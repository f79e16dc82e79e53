import Database
import Foundation
import Synchronization

/// PostgreSQL's own programs, of the server's version or a newer one: a dump is read back by whatever reads dumps.
struct PostgresTools: Sendable {
  let folder: String

  /// - Parameter major: of the server.
  /// - Throws: ``FleetFailure`` when there is none that is new enough.
  init(forServer major: Int) throws {
    let root = "/usr/lib/postgresql"
    let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }
    // The oldest that can: a dump of a newer program can't always be read by the server's own.
    let found = versions.filter { $0 >= major }.sorted().map { "\(root)/\($0)/bin" }.first {
      access("\($0)/pg_dump", X_OK) == 0 && access("\($0)/pg_restore", X_OK) == 0
    }
    guard let found else {
      throw FleetFailure(reason: "pg_dump \(major) or newer is not installed: package postgresql-client-\(major)")
    }
    folder = found
  }

  /// Runs a program to its end.
  ///
  /// - Parameters:
  ///   - output: takes what it writes, piece by piece, on a thread of its own.
  /// - Throws: ``FleetFailure`` with its last words, which may name objects and never holds rows.
  func run(
    _ program: String, _ arguments: [String], on settings: ConnectionSettings? = nil,
    output: @escaping @Sendable (Data) throws -> Void = { _ in }
  ) async throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "\(folder)/\(program)")
    process.arguments = arguments
    var environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"]
    // Not on the command line: every user of the machine can read those.
    if let settings { environment["PGPASSWORD"] = settings.password }
    process.environment = environment
    let (out, errors) = (Pipe(), Pipe())
    process.standardInput = FileHandle.nullDevice
    (process.standardOutput, process.standardError) = (out, errors)
    let refusal = Mutex<(any Error)?>(nil)
    let words = Mutex(Data())
    let status: Int32 = try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let ended = DispatchGroup()
        ended.enter()
        process.terminationHandler = { _ in ended.leave() }
        do { try process.run() } catch {
          return continuation.resume(throwing: FleetFailure(reason: "\(program) can't be started"))
        }
        PostgresTools.drain(out, ended) { data in
          do { try output(data) } catch {
            refusal.withLock { $0 = $0 ?? error }
            process.terminate()
          }
        }
        PostgresTools.drain(errors, ended) { data in words.withLock { $0 = ($0 + data).suffix(2_000) } }
        ended.notify(queue: .global()) { continuation.resume(returning: process.terminationStatus) }
      }
    } onCancel: {
      if process.isRunning { process.terminate() }
    }
    if let refusal = refusal.withLock({ $0 }) { throw refusal }
    try Task.checkCancellation()
    guard status == 0 else {
      let said = words.withLock { String(decoding: $0, as: UTF8.self) }
      let last = said.split(separator: "\n").first { $0.contains("error") } ?? said.split(separator: "\n").last ?? "no words"
      throw FleetFailure(reason: "\(program) ended with \(status): \(last.prefix(300))")
    }
  }

  /// A thread for each pipe: both must be read, or the program stands still.
  private static func drain(_ pipe: Pipe, _ group: DispatchGroup, _ take: @escaping @Sendable (Data) -> Void) {
    group.enter()
    let handle = pipe.fileHandleForReading
    Thread.detachNewThread {
      while let data = try? handle.read(upToCount: 64 * 1024), !data.isEmpty { take(data) }
      group.leave()
    }
  }

  /// The server as libpq's keywords (manual §34.1.1.1), without the password.
  static func connection(_ settings: ConnectionSettings) -> String {
    var words = ["host": settings.host, "port": settings.port, "dbname": settings.database, "user": settings.user]
    words.merge(settings.options) { own, _ in own }
    return words.sorted { $0.key < $1.key }.map { key, value in
      "\(key)='\(value.replacing("\\", with: "\\\\").replacing("'", with: "\\'"))'"
    }.joined(separator: " ")
  }
}
