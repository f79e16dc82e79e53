import Foundation
import Kit
import Logging
import Testing

@testable import Telemetry

@Suite("Metrics") struct MetricsTests {
  @Test("counters and gauges are written as Prometheus reads them, by name and label")
  func countersAndGauges() {
    let metrics = Metrics()
    metrics.count("requests_total", [("site", "jeju"), ("status", "200")], help: "Requests.")
    metrics.count("requests_total", [("site", "jeju"), ("status", "200")], by: 2, help: "Requests.")
    metrics.count("requests_total", [("site", "busan"), ("status", "404")], help: "Requests.")
    metrics.gauge("pool_share", [], 0.25, help: "Share of connections in use.")
    metrics.gauge("pool_share", [], 0.5, help: "Share of connections in use.")
    metrics.gauge("connections", [("pool", "main")], 16, help: "Connections open.")
    #expect(
      metrics.exposition() == """
        # HELP connections Connections open.
        # TYPE connections gauge
        connections{pool="main"} 16
        # HELP pool_share Share of connections in use.
        # TYPE pool_share gauge
        pool_share 0.5
        # HELP requests_total Requests.
        # TYPE requests_total counter
        requests_total{site="busan",status="404"} 1
        requests_total{site="jeju",status="200"} 3

        """)
  }

  @Test("a value of a label is escaped, so that it can't end its line or its quotes")
  func labels() {
    let metrics = Metrics()
    metrics.count("c", [("path", "a\"b\\c\nd"), ("name", "제주")], help: "h")
    #expect(
      metrics.exposition() == """
        # HELP c h
        # TYPE c counter
        c{path="a\\"b\\\\c\\nd",name="제주"} 1

        """)
  }

  @Test("a histogram counts into its bounds, cumulatively, with sum and count")
  func histogram() {
    let metrics = Metrics()
    for duration in [Duration.microseconds(500), .milliseconds(3), .milliseconds(250), .seconds(30)] {
      metrics.observe("latency_seconds", [("site", "jeju")], duration, help: "Answers.")
    }
    #expect(
      metrics.exposition() == """
        # HELP latency_seconds Answers.
        # TYPE latency_seconds histogram
        latency_seconds_bucket{site="jeju",le="0.0005"} 1
        latency_seconds_bucket{site="jeju",le="0.001"} 1
        latency_seconds_bucket{site="jeju",le="0.0025"} 1
        latency_seconds_bucket{site="jeju",le="0.005"} 2
        latency_seconds_bucket{site="jeju",le="0.01"} 2
        latency_seconds_bucket{site="jeju",le="0.025"} 2
        latency_seconds_bucket{site="jeju",le="0.05"} 2
        latency_seconds_bucket{site="jeju",le="0.1"} 2
        latency_seconds_bucket{site="jeju",le="0.25"} 3
        latency_seconds_bucket{site="jeju",le="0.5"} 3
        latency_seconds_bucket{site="jeju",le="1.0"} 3
        latency_seconds_bucket{site="jeju",le="2.5"} 3
        latency_seconds_bucket{site="jeju",le="5.0"} 3
        latency_seconds_bucket{site="jeju",le="10.0"} 3
        latency_seconds_bucket{site="jeju",le="+Inf"} 4
        latency_seconds_sum{site="jeju"} 30.2535
        latency_seconds_count{site="jeju"} 4

        """)
  }

  @Test("a histogram without labels has the bound as its only one")
  func bareHistogram() {
    let metrics = Metrics()
    metrics.observe("wait", [], .seconds(1), help: "h")
    let text = metrics.exposition()
    #expect(text.contains("\nwait_bucket{le=\"+Inf\"} 1\nwait_sum 1.0\nwait_count 1\n"))
  }

  @Test("counts from many tasks at once all arrive")
  func concurrency() async {
    let metrics = Metrics()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 { group.addTask { for _ in 0..<1_000 { metrics.count("c", help: "h") } } }
    }
    #expect(metrics.exposition().hasSuffix("\nc 8000\n"))
  }
}

@Suite("Logs") struct JSONLogTests {
  @Test(
    "a text is quoted as a JSON string (RFC 8259 §7)",
    arguments: [
      ("plain", #""plain""#), ("제주 🌊", #""제주 🌊""#), ("a\"b", #""a\"b""#), ("a\\b", #""a\\b""#), ("a\nb\r\tc", #""a\nb\r\tc""#),
      ("\u{0}\u{1f}", #""\u0000\u001f""#), ("", #""""#), ("a/b", #""a/b""#),
    ])
  func quoting(text: String, quoted: String) {
    #expect(JSONLogHandler.quote(text) == quoted)
  }

  @Test("line breaks of any kind can't forge a second line of the log")
  func oneLine() {
    let quoted = JSONLogHandler.quote("ok\r\n{\"level\":\"error\"}\n")
    #expect(!quoted.utf8.contains(10))
    #expect(!quoted.utf8.contains(13))
  }

  @Test("metadata is kept by key and changed by assignment")
  func metadata() {
    var handler = JSONLogHandler(label: "l", level: .info)
    handler[metadataKey: "request"] = "1"
    handler[metadataKey: "request"] = "2"
    #expect(handler[metadataKey: "request"]?.description == "2")
    #expect(handler[metadataKey: "absent"] == nil)
  }
}

@Suite("Log writing") struct LogWriterTests {
  /// What a writer wrote into a pipe.
  private func written(_ act: (LogWriter) throws -> Void) throws -> String {
    let pipe = Pipe()
    let writer = LogWriter(pipe.fileHandleForWriting.fileDescriptor)
    try act(writer)
    writer.flush()
    try pipe.fileHandleForWriting.close()
    return String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
  }

  @Test("lines of many threads are all written, whole, each thread's in its order")
  func whole() throws {
    let file = URL(fileURLWithPath: NSTemporaryDirectory()).appending(path: "log-\(UUID())")
    #expect(FileManager.default.createFile(atPath: file.path, contents: nil))
    defer { try? FileManager.default.removeItem(at: file) }
    let handle = try FileHandle(forWritingTo: file)
    let writer = LogWriter(handle.fileDescriptor)
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      for number in 0..<2_000 { writer.write(Array("\(thread) \(number) \(String(repeating: "x", count: number % 90))\n".utf8)) }
    }
    writer.flush()
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 16_000)
    for thread in 0..<8 {
      let own = lines.filter { $0.hasPrefix("\(thread) ") }.compactMap { Int($0.split(separator: " ")[1]) }
      #expect(own == Array(0..<2_000))
    }
  }

  @Test("a line is written without anyone asking")
  func soon() throws {
    let pipe = Pipe()
    let writer = LogWriter(pipe.fileHandleForWriting.fileDescriptor)
    writer.write(Array("one\n".utf8))
    // Blocks until something is there.
    #expect(pipe.fileHandleForReading.availableData == Data("one\n".utf8))
  }

  @Test("a request's line has what the handler's lines have, and is counted")
  func requests() throws {
    let metrics = Metrics()
    let moment = try #require(Instant(rfc3339: "2026-11-21T05:02:30.123Z"))
    let text = try written { writer in
      let log = RequestLog(metrics: metrics, writer: writer)
      log.note(
        site: "jeju", route: "/questions/{id}", method: "GET", status: 200, duration: .microseconds(1_023), id: "7\"", at: moment)
      log.note(
        site: "jeju", route: "unmatched", method: "BREW", status: 404, duration: .seconds(2), id: "8", at: moment)
    }
    #expect(
      text == """
        {"time":"2026-11-21T05:02:30.123Z","level":"info","logger":"metropolis","message":"request","method":"GET","ms":"1.023",\
        "request":"7\\"","route":"/questions/{id}","status":"200","tenant":"jeju"}
        {"time":"2026-11-21T05:02:30.123Z","level":"info","logger":"metropolis","message":"request","method":"OTHER","ms":"2000.000",\
        "request":"8","route":"unmatched","status":"404","tenant":"jeju"}

        """)
    let figures = metrics.exposition()
    #expect(
      figures.contains(#"http_requests_total{site="jeju",route="/questions/{id}",method="GET",status="200"} 1"#))
    #expect(figures.contains(#"http_request_duration_seconds_count{site="jeju"} 2"#))
  }

  @Test("when nobody reads, lines are dropped and their number is told")
  func dropped() throws {
    let file = URL(fileURLWithPath: NSTemporaryDirectory()).appending(path: "log-\(UUID())")
    #expect(FileManager.default.createFile(atPath: file.path, contents: nil))
    defer { try? FileManager.default.removeItem(at: file) }
    let handle = try FileHandle(forWritingTo: file)
    let writer = LogWriter(handle.fileDescriptor, pause: 60)
    let line = [UInt8](repeating: UInt8(ascii: "x"), count: (1 << 20) - 1) + [10]
    for _ in 0..<11 { writer.write(line) }
    writer.flush()
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
    #expect(lines.filter { $0.hasPrefix("x") }.count == 8)
    #expect(lines.last?.contains(#""count":"3""#) == true)
  }
}
