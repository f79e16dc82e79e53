public import Kit
import Synchronization

/// What is kept of each request: a line of the log, a count, and how long it took.
///
/// All that is the same for the requests of one site, route, method and status is made once.
public final class RequestLog: Sendable {
  private struct Kind: Hashable {
    let site: String
    let route: String
    let method: String
    let status: Int
  }

  /// What the requests of a kind have in common.
  private struct Common: Sendable {
    let count: Counter
    let duration: Histogram
    /// The line between its time and its milliseconds, and after its number.
    let start: [UInt8]
    let end: [UInt8]
  }

  /// Methods with a name of their own in the figures: a client can make up others without end.
  private static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]

  private let metrics: Metrics
  private let writer: LogWriter?
  private let label: String
  private let kinds = Mutex<[Kind: Common]>([:])

  /// - Parameters:
  ///   - writesLines: whether requests are logged at all.
  ///   - label: the `logger` of the lines.
  public init(metrics: Metrics, writesLines: Bool = true, label: String = "metropolis") {
    self.metrics = metrics
    self.label = label
    writer = writesLines ? .standardError : nil
  }

  init(metrics: Metrics, writer: LogWriter, label: String = "metropolis") {
    self.metrics = metrics
    self.label = label
    self.writer = writer
  }

  /// - Parameters:
  ///   - route: the route's pattern, never the path.
  ///   - id: the request's number.
  public func note(
    site: String, route: String, method: String, status: Int, duration: Duration, id: String, at now: Instant = .now
  ) {
    let kind = Kind(
      site: site, route: route, method: RequestLog.methods.contains(method) ? method : "OTHER", status: status)
    let common = kinds.withLock { kinds in
      if let known = kinds[kind] { return known }
      let made = inCommon(kind)
      kinds[kind] = made
      return made
    }
    common.count.add()
    common.duration.observe(duration)
    writer?.write { line in
      line.append("{\"time\":\"")
      line.append(contentsOf: now.rfc3339.utf8)
      line += common.start
      let microseconds = max(0, duration.microseconds)
      line.append(microseconds / 1_000)
      line.append(".")
      line.append(microseconds % 1_000, digits: 3)
      line.append("\",\"request\":\"")
      line.append(escaped: id)
      line += common.end
    }
  }

  private func inCommon(_ kind: Kind) -> Common {
    var (start, end): ([UInt8], [UInt8]) = ([], [])
    start.append("\",\"level\":\"info\",\"logger\":")
    start.append(quoted: label)
    start.append(",\"message\":\"request\",\"method\":")
    start.append(quoted: kind.method)
    start.append(",\"ms\":\"")
    end.append("\",\"route\":")
    end.append(quoted: kind.route)
    end.append(",\"status\":\"")
    end.append(Int64(kind.status))
    end.append("\",\"tenant\":")
    end.append(quoted: kind.site)
    end.append("}\n")
    return Common(
      count: metrics.counter(
        "http_requests_total",
        [("site", kind.site), ("route", kind.route), ("method", kind.method), ("status", "\(kind.status)")],
        help: "Requests answered."),
      duration: metrics.histogram(
        "http_request_duration_seconds", [("site", kind.site)], help: "From a request's head to its answer."),
      start: start, end: end)
  }
}
