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
