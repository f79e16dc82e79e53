import CCurl
import Foundation
import Synchronization

/// One request on its way: from the waiting task to a worker's thread and back.
final class Transfer: Sendable {
  typealias Outcome = Result<HTTPClient.Response, HTTPClientError>

  private enum State {
    case new
    case waiting(CheckedContinuation<Outcome, Never>)
    case running(CheckedContinuation<Outcome, Never>, Worker.Line)
    case done
  }

  let request: HTTPClient.Request
  let deadline: ContinuousClock.Instant
  private let state = Mutex(State.new)
  private let cancelled = Atomic(false)

  init(_ request: HTTPClient.Request) {
    self.request = request
    deadline = .now + request.timeout
  }

  var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

  /// - Returns: whether there is work to do; a task that was cancelled already gets its answer here.
  func begin(_ continuation: CheckedContinuation<Outcome, Never>) -> Bool {
    let isNew = state.withLock { state in
      guard case .new = state else { return false }
      state = .waiting(continuation)
      return true
    }
    if !isNew { continuation.resume(returning: .failure(.cancelled)) }
    return isNew
  }

  /// Claims it for a worker.
  /// - Returns: `false` when it was cancelled while it waited.
  func start(on line: Worker.Line) -> Bool {
    state.withLock { state in
      guard case .waiting(let continuation) = state else { return false }
      state = .running(continuation, line)
      return true
    }
  }

  func finish(_ outcome: Outcome) {
    let continuation = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
      switch state {
      case .waiting(let continuation), .running(let continuation, _):
        state = .done
        return continuation
      case .new, .done:
        return nil
      }
    }
    continuation?.resume(returning: outcome)
  }

  func cancel() {
    cancelled.store(true, ordering: .releasing)
    let (waiting, line) = state.withLock { state -> (CheckedContinuation<Outcome, Never>?, Worker.Line?) in
      switch state {
      case .new:
        state = .done
        return (nil, nil)
      case .waiting(let continuation):
        state = .done
        return (continuation, nil)
      case .running(_, let line):
        return (nil, line)
      case .done:
        return (nil, nil)
      }
    }
    waiting?.resume(returning: .failure(.cancelled))
    line?.wake()
  }
}

/// What libcurl's callbacks fill and read. Used by one worker's thread only.
final class Exchange {
  static let headerLimit = 64 << 10

  let transfer: Transfer
  private let bodyLimit: Int
  private var unsent: Data
  private var headers: [(name: String, value: String)] = []
  private var headerBytes = 0
  private var body = Data()
  private(set) var isTooLarge = false

  init(_ transfer: Transfer) {
    self.transfer = transfer
    bodyLimit = transfer.request.bodyLimit
    unsent = transfer.request.body ?? Data()
  }

  func response(status: Int) -> HTTPClient.Response { .init(status: status, headers: headers, body: body) }

  /// - Returns: the bytes given to libcurl; 0 at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(buffer.count, unsent.count)
    unsent.prefix(count).copyBytes(to: buffer)
    unsent = unsent.dropFirst(count)
    return count
  }

  /// - Returns: whether the transfer may go on.
  func receive(body bytes: UnsafeRawBufferPointer) -> Bool {
    guard body.count + bytes.count <= bodyLimit else {
      isTooLarge = true
      return false
    }
    body.append(contentsOf: bytes)
    return true
  }

  /// Takes one line of the header section, or of the trailers.
  func receive(header bytes: UnsafeRawBufferPointer) -> Bool {
    headerBytes += bytes.count
    guard headerBytes <= Self.headerLimit else {
      isTooLarge = true
      return false
    }
    let line = String(decoding: bytes, as: UTF8.self)
    if line.hasPrefix("HTTP/") {
      // A status line; before it there can have been an interim answer (1xx), which doesn't count.
      headers = []
    } else if let colon = line.firstIndex(of: ":") {
      let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespacesAndNewlines)
      headers.append((name: String(line[..<colon]), value: value))
    }
    return true
  }
}
