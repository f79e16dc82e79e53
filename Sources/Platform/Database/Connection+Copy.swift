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

  // Rows go past libpq, which does not look at what the server says while they flow, but takes it off the socket when that is
  // full: an error that it holds would not be seen before the last row, and there may be no last one. Through TLS they have to
  // go by libpq, and rows that are in vain are sent.

  /// - Returns: whether more may be put.
  func put(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard PQsslInUse(handle) == 0 else { return putThroughLibrary(bytes) }
    // CopyData (PostgreSQL manual §55.7): the type, the length with its own four bytes, the rows.
    rowBytes.append(UInt8(ascii: "d"))
    withUnsafeBytes(of: UInt32(bytes.count + 4).bigEndian) { rowBytes.append(contentsOf: $0) }
    rowBytes.append(contentsOf: bytes)
    flush()
    return phase == .open
  }

  private func putThroughLibrary(_ bytes: ArraySlice<UInt8>) -> Bool {
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

  /// Sends what is left of the rows, and what ends them.
  /// - Returns: whether the socket took all of it.
  func flushRows() -> Bool {
    var sent = 0
    while sent < rowBytes.count {
      let count = rowBytes.withUnsafeBytes {
        send(PQsocket(handle), $0.baseAddress! + sent, $0.count - sent, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
      }
      if count >= 0 {
        sent += count
      } else if errno == EAGAIN {
        break
      } else if errno != EINTR {
        breakOff()
        return false
      }
    }
    guard sent == rowBytes.count else {
      rowBytes.removeFirst(sent)
      return false
    }
    rowBytes.removeAll(keepingCapacity: true)
    guard let reason = rowsEnd else { return true }
    rowsEnd = nil
    if PQputCopyEnd(handle, reason) != 1 { breakOff() }
    return phase == .open
  }

  /// - Parameter reason: why nothing is to be stored; `nil`: the rows are complete.
  func endCopyIn(_ reason: String?) {
    rowsEnd = .some(reason)
    flush()
    continueReading()
  }

  /// What the server says while rows are sent to it, message by message, and no byte more, for what comes behind an error is
  /// libpq's. Notices are nobody's.
  func listenWhileSending() {
    guard PQsslInUse(handle) == 0 else { return }
    var bytes = (UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0), UInt64(0))
    while copy?.isSending == true {
      let isSkipping = noticeRest > 0
      let count = withUnsafeMutableBytes(of: &bytes) {
        isSkipping
          ? recv(PQsocket(handle), $0.baseAddress, min(noticeRest, $0.count), Int32(MSG_DONTWAIT))
          : recv(PQsocket(handle), $0.baseAddress, 5, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
      }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN { return }
      guard count > 0 else { return breakOff() }
      if isSkipping {
        noticeRest -= count
        continue
      }
      let (type, length) = withUnsafeBytes(of: bytes) { bytes in
        (bytes[0], bytes[1..<5].reduce(0) { $0 << 8 | Int($1) })
      }
      if type == UInt8(ascii: "E") {
        copy?.connection = nil
        return endCopyIn("the server has refused a row")
      }
      guard count == 5 else { return }
      noticeRest = 1 + length
    }
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
