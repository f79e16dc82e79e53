import CPostgres
import Foundation

extension Connection {
  enum CopyRead {
    case row([UInt8])
    case wait
    case end
    case broken
  }

  /// The server is ready for rows, or has some.
  func startCopy(_ status: ExecStatusType) {
    if let copy, status != PGRES_COPY_BOTH, copy.start(on: self, incoming: status == PGRES_COPY_OUT) {
      meter.status.copies += 1
      return meter.didChange()
    }
    // libpq would wait for the data for ever.
    breakOff(
      as: DatabaseError(
        .unsupported, explanation: "COPY is not for query(); TO STDOUT and FROM STDIN have calls"))
  }

  /// The flow of rows has ended; results follow.
  func continueReading() { if phase == .open { readAnswers() } }

  // MARK: To the server

  /// - Returns: whether more may be put.
  func put(_ bytes: ArraySlice<UInt8>) -> Bool {
    let accepted = bytes.withUnsafeBytes {
      PQputCopyData(handle, $0.assumingMemoryBound(to: CChar.self).baseAddress, Int32($0.count))
    }
    // Not 0 either: libpq says that only when it has no memory to keep the bytes until the socket takes them.
    guard accepted == 1 else {
      breakOff()
      return false
    }
    flush()
    return phase == .open
  }

  func endCopyIn(_ reason: String?) {
    guard PQputCopyEnd(handle, reason) == 1 else { return breakOff() }
    flush()
    continueReading()
  }

  /// libpq does not look at what the server says while rows are sent to it. An error is looked for in the socket, so that
  /// rows that are in vain are not sent to the last (not through TLS, where they are).
  func readServerError() {
    guard copy?.isFlowing == true, PQsslInUse(handle) == 0 else { return }
    var first: UInt8 = 0
    guard recv(PQsocket(handle), &first, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 1,
      first == UInt8(ascii: "E")
    else { return }
    copy?.connection = nil
    endCopyIn("the server has refused a row")
  }

  // MARK: From the server

  func takeCopyRow() -> CopyRead {
    var row: UnsafeMutablePointer<CChar>?
    switch PQgetCopyData(handle, &row, 1) {
    case 0: return .wait
    case -1: return .end
    case let count where count > 0:
      defer { PQfreemem(row) }
      return .row(Array(UnsafeRawBufferPointer(start: row, count: Int(count))))
    default:
      // The reason comes as a result, or the connection is gone.
      if PQstatus(handle) == CONNECTION_OK { return .end }
      breakOff()
      return .broken
    }
  }
}

extension SQL {
  /// Why it is not for `copy`.
  var refusalOfCopy: String? {
    if firstWord != "COPY" { return "copy is for COPY … FROM STDIN and COPY … TO STDOUT" }
    // The server takes none; they would be left out without a word.
    return parameters.isEmpty
      ? nil : "COPY takes no parameters; filter by a table of its own, or quote with \\(literal:)"
  }
}
