import CCurl
import Foundation

/// The threads and what waits for them. Threads hold the queue, not the pool, so they end with the pool.
final class WorkerPool: Sendable {
  private let queue = TransferQueue()

  init(workers: Int, authorities: String?) {
    _ = WorkerPool.global
    for number in 1...workers {
      let thread = Thread { [queue] in Worker(queue: queue, authorities: authorities).run() }
      thread.name = "http-\(number)"
      thread.start()
    }
  }

  deinit { queue.close() }

  func enqueue(_ transfer: Transfer) { queue.push(transfer) }

  /// libcurl wants it once, before the first handle.
  private static let global = curl_global_init(Int(CURL_GLOBAL_DEFAULT))
}

/// A first-in first-out queue that blocks who takes from it: only for threads of our own.
/// Unchecked: both variables are touched under the condition's lock only.
final class TransferQueue: @unchecked Sendable {
  private let condition = NSCondition()
  private var waiting: [Transfer] = []
  private var isClosed = false

  func push(_ transfer: Transfer) {
    condition.withLock {
      waiting.append(transfer)
      condition.signal()
    }
  }

  func close() {
    condition.withLock {
      isClosed = true
      condition.broadcast()
    }
  }

  /// - Returns: `nil` when the pool is gone and nothing waits.
  func pop() -> Transfer? {
    condition.withLock {
      while waiting.isEmpty && !isClosed { condition.wait() }
      return waiting.isEmpty ? nil : waiting.removeFirst()
    }
  }
}

/// One thread's half: an easy handle inside a multi handle, which keeps the connections and can be woken.
final class Worker {
  /// The multi handle, kept alive by whoever may still wake it.
  /// Unchecked: curl_multi_wakeup is the one function that any thread may call; all others stay on the worker's.
  final class Line: @unchecked Sendable {
    fileprivate let multi: Handle

    fileprivate init?() {
      guard let multi = curl_multi_init() else { return nil }
      self.multi = multi
    }

    deinit { curl_multi_cleanup(multi) }

    func wake() { curl_multi_wakeup(multi) }
  }

  fileprivate typealias Handle = UnsafeMutableRawPointer

  private let queue: TransferQueue
  private let authorities: String?

  init(queue: TransferQueue, authorities: String?) {
    self.queue = queue
    self.authorities = authorities
  }

  func run() {
    let line = Line()
    let easy = curl_easy_init()
    defer { curl_easy_cleanup(easy) }
    while let transfer = queue.pop() {
      guard let line, let easy else {
        transfer.finish(.failure(.notSent(reason: "libcurl has no handle")))
        continue
      }
      guard transfer.start(on: line) else { continue }
      transfer.finish(perform(transfer, easy, line))
    }
  }

  private func perform(_ transfer: Transfer, _ easy: UnsafeMutableRawPointer, _ line: Line) -> Transfer.Outcome {
    let left = transfer.deadline - .now
    guard left > .zero else { return .failure(.notSent(reason: "out of time before it was its turn")) }
    let exchange = Exchange(transfer)
    curl_easy_reset(easy)
    var list: UnsafeMutablePointer<curl_slist>?
    defer { curl_slist_free_all(list) }
    for header in transfer.request.headerLines {
      guard let longer = curl_slist_append(list, header) else { return .failure(.notSent(reason: "out of memory")) }
      list = longer
    }
    let prepared = prepare(easy, exchange, list, timeout: left)
    guard prepared == CURLE_OK else { return .failure(.notSent(reason: text(of: prepared))) }
    let code = withExtendedLifetime(exchange) { drive(easy, line, transfer) }
    return outcome(code, easy, exchange)
  }

  /// Runs the transfer to its end, or to its cancellation.
  /// - Returns: `nil` when it was cancelled.
  private func drive(_ easy: UnsafeMutableRawPointer, _ line: Line, _ transfer: Transfer) -> CURLcode? {
    guard curl_multi_add_handle(line.multi, easy) == CURLM_OK else { return CURLE_FAILED_INIT }
    // Removing the handle in the middle closes its connection; after the end the connection stays for the next request.
    defer { curl_multi_remove_handle(line.multi, easy) }
    while !transfer.isCancelled {
      var running: Int32 = 0
      guard curl_multi_perform(line.multi, &running) == CURLM_OK else { return CURLE_RECV_ERROR }
      var code = CURLE_OK
      if ccurl_finished(line.multi, &code) != 0 { return code }
      curl_multi_poll(line.multi, nil, 0, 1_000, nil)
    }
    return nil
  }

  private func outcome(_ code: CURLcode?, _ easy: UnsafeMutableRawPointer, _ exchange: Exchange) -> Transfer.Outcome {
    guard let code, code != CURLE_ABORTED_BY_CALLBACK else { return .failure(.cancelled) }
    if exchange.isTooLarge { return .failure(.tooLarge) }
    if code == CURLE_OK {
      var status = 0
      ccurl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
      return .success(exchange.response(status: status))
    }
    // The one sure sign that the server can't have acted. libcurl's codes are none: the same one can stand for a refused
    // scheme and for an answer that isn't HTTP.
    var written = 0
    ccurl_get_long(easy, CURLINFO_REQUEST_SIZE, &written)
    let reason = text(of: code)
    return .failure(written == 0 ? .notSent(reason: reason) : .outcomeUnknown(reason: reason))
  }

  private func text(of code: CURLcode) -> String { String(cString: curl_easy_strerror(code)) }
}

extension Worker {
  private func prepare(
    _ easy: UnsafeMutableRawPointer, _ exchange: Exchange, _ headers: UnsafeMutablePointer<curl_slist>?, timeout: Duration
  ) -> CURLcode {
    let request = exchange.transfer.request
    let context = Unmanaged.passUnretained(exchange).toOpaque()
    let (seconds, attoseconds) = timeout.components
    let milliseconds = min(max(1, Int(clamping: seconds) &* 1_000 + Int(attoseconds / 1_000_000_000_000_000)), 86_400_000)
    var code = CURLE_OK
    func set(_ next: CURLcode) { if code == CURLE_OK { code = next } }

    set(ccurl_set_string(easy, CURLOPT_URL, request.url))
    set(ccurl_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https"))
    set(ccurl_set_long(easy, CURLOPT_HTTP_VERSION, 2))  // CURL_HTTP_VERSION_1_1
    set(ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1))
    set(ccurl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0))
    set(ccurl_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1))
    set(ccurl_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2))
    set(ccurl_set_long(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1))
    set(ccurl_set_string(easy, CURLOPT_PROXY, ""))  // "" also hides the variables of the environment
    set(ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, milliseconds))
    set(ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds))
    if let authorities { set(ccurl_set_string(easy, CURLOPT_CAINFO, authorities)) }
    set(ccurl_set_list(easy, CURLOPT_HTTPHEADER, headers))
    prepareBody(easy, request, context, set)

    set(ccurl_set_context(easy, CURLOPT_WRITEDATA, context))
    set(
      ccurl_set_data_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
        let length = size * count
        guard let context, length == 0 || exchangeOf(context).receive(body: .init(start: bytes, count: length)) else { return 0 }
        return length
      })
    set(ccurl_set_context(easy, CURLOPT_HEADERDATA, context))
    set(
      ccurl_set_data_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
        let length = size * count
        guard let context, exchangeOf(context).receive(header: .init(start: bytes, count: length)) else { return 0 }
        return length
      })
    set(ccurl_set_long(easy, CURLOPT_NOPROGRESS, 0))
    set(ccurl_set_context(easy, CURLOPT_XFERINFODATA, context))
    set(
      ccurl_set_progress_callback(easy) { context, _, _, _, _ in
        guard let context else { return 1 }
        return exchangeOf(context).transfer.isCancelled ? 1 : 0
      })
    return code
  }

  /// libcurl sends a request again by itself when a kept connection turns out to be closed. For what must not happen twice
  /// that is refused: a body can't be read a second time, and a request without one gets a connection of its own.
  private func prepareBody(
    _ easy: UnsafeMutableRawPointer, _ request: HTTPClient.Request, _ context: UnsafeMutableRawPointer, _ set: (CURLcode) -> Void
  ) {
    if let body = request.body, !body.isEmpty {
      set(ccurl_set_long(easy, CURLOPT_POST, 1))
      set(ccurl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)))
      set(ccurl_set_context(easy, CURLOPT_READDATA, context))
      set(
        ccurl_set_data_callback(easy, CURLOPT_READFUNCTION) { buffer, size, count, context in
          guard let context else { return 0x1000_0000 }  // CURL_READFUNC_ABORT
          return exchangeOf(context).read(into: .init(start: buffer, count: size * count))
        })
      set(ccurl_set_seek_callback(easy) { _, _, _ in CURL_SEEKFUNC_FAIL })
    } else if request.method == "HEAD" {
      set(ccurl_set_long(easy, CURLOPT_NOBODY, 1))
    } else if request.body != nil || ["POST", "PUT", "PATCH"].contains(request.method) {
      set(ccurl_set_long(easy, CURLOPT_POST, 1))
      set(ccurl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, 0))
      set(ccurl_set_string(easy, CURLOPT_COPYPOSTFIELDS, ""))
    } else {
      set(ccurl_set_long(easy, CURLOPT_HTTPGET, 1))
    }
    if !request.isIdempotent && request.body?.isEmpty != false { set(ccurl_set_long(easy, CURLOPT_FRESH_CONNECT, 1)) }
    if request.method != "HEAD" { set(ccurl_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method)) }
  }
}

private func exchangeOf(_ context: UnsafeMutableRawPointer) -> Exchange {
  Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
}

extension HTTPClient.Request {
  /// In libcurl's spelling: `Name;` is an empty value, `Name:` takes away what libcurl would add.
  fileprivate var headerLines: [String] {
    var lines = ["Expect:"]
    if !headers.contains(where: { $0.0.lowercased() == "content-type" }) { lines.append("Content-Type:") }
    return lines + headers.map { $0.1.isEmpty ? "\($0.0);" : "\($0.0): \($0.1)" }
  }
}
