import CPostgres
import Database
import Foundation

/// A connection in the hands of somebody who minds no rules of ours: any text goes to the server as it is, in one message, as
/// an injected script would with a client that sends scripts.
///
/// Unchecked: the handle is used by one call at a time, on a thread of its own.
final class RawSession: @unchecked Sendable {
  /// What came back, in full.
  struct Answer: Sendable {
    /// SQLSTATE of the error, if the server refused.
    var state: String?
    /// Values and messages, as one text.
    var text = ""
    var rows = 0
    var isRefused: Bool { state != nil }
  }

  private let handle: OpaquePointer
  private let turns = NSLock()

  /// - Parameter parameters: further keywords of libpq.
  /// - Throws: ``Refused`` with the server's words.
  init(_ settings: ConnectionSettings, _ parameters: [String: String] = [:]) async throws {
    var keywords = [
      "host": settings.host, "port": settings.port, "dbname": settings.database, "user": settings.user,
      "password": settings.password, "application_name": "mole",
    ]
    keywords.merge(settings.options) { $1 }
    keywords.merge(parameters) { $1 }
    let info = keywords.map { "\($0)='\($1.replacing("\\", with: "\\\\").replacing("'", with: "\\'"))'" }.joined(separator: " ")
    let opened = await onThread { Opened(handle: PQconnectdb(info)) }
    handle = opened.handle!
    guard PQstatus(handle) == CONNECTION_OK else { throw Refused(words: String(cString: PQerrorMessage(handle))) }
    PQsetNoticeProcessor(handle, { _, _ in }, nil)
  }

  deinit { PQfinish(handle) }

  struct Refused: Error { let words: String }
  private struct Opened: @unchecked Sendable { let handle: OpaquePointer? }

  var backend: Int32 { PQbackendPID(handle) }

  /// Runs a script to its end or its first error.
  func run(_ script: String) async -> Answer {
    await onThread { [self] in
      turns.lock()
      defer { turns.unlock() }
      var answer = Answer()
      guard PQsendQuery(handle, script) == 1 else {
        return Answer(state: "08006", text: String(cString: PQerrorMessage(handle)))
      }
      while let result = PQgetResult(handle) {
        defer { PQclear(result) }
        take(result, into: &answer)
        // The other side of a COPY is not played.
        let status = PQresultStatus(result)
        if status == PGRES_COPY_IN { PQputCopyEnd(handle, nil) }
        if status == PGRES_COPY_OUT { drainCopy(into: &answer) }
        if PQstatus(handle) != CONNECTION_OK { break }
      }
      if PQstatus(handle) != CONNECTION_OK, answer.state == nil { answer.state = "08006" }
      return answer
    }
  }

  /// The notifications that have come, as "channel:payload".
  func notifications() async -> [String] {
    await onThread { [self] in
      turns.lock()
      defer { turns.unlock() }
      PQconsumeInput(handle)
      var heard: [String] = []
      while let notification = PQnotifies(handle) {
        heard.append("\(String(cString: notification.pointee.relname)):\(String(cString: notification.pointee.extra))")
        PQfreemem(notification)
      }
      return heard
    }
  }

  /// Makes a large object by the protocol's function call, past all SQL.
  func makeLargeObject() async -> Bool { await onThread { [self] in lo_creat(handle, 0x60000) != 0 } }

  private func take(_ result: OpaquePointer, into answer: inout Answer) {
    answer.text += String(cString: PQresultErrorMessage(result))
    if let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))), answer.state == nil {
      answer.state = String(cString: state)
    }
    for row in 0..<PQntuples(result) {
      answer.rows += 1
      for column in 0..<PQnfields(result) { answer.text += String(cString: PQgetvalue(result, row, column)) + "\n" }
    }
  }

  private func drainCopy(into answer: inout Answer) {
    var line: UnsafeMutablePointer<CChar>?
    while PQgetCopyData(handle, &line, 0) > 0, let text = line {
      answer.text += String(cString: text)
      PQfreemem(text)
    }
  }
}

/// libpq's calls block; the pool of tasks must not.
private func onThread<R: Sendable>(_ body: @escaping @Sendable () -> R) async -> R {
  await withCheckedContinuation { continuation in Thread.detachNewThread { continuation.resume(returning: body()) } }
}
