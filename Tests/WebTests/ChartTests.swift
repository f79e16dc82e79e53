import HTTPTypes
import Testing

@testable import Web

@Suite("The axis of a chart") struct ChartScaleTests {
  @Test(
    "steps are 1, 2 or 5 times a power of ten",
    arguments: [
      (0.0, 1), (0.3, 1), (1, 1), (1.1, 2), (2.5, 5), (5.01, 10), (19, 20), (21, 50), (1_234_567, 2_000_000),
      (4.6e18, 5_000_000_000_000_000_000),
    ] as [(Double, Int64)])
  func step(raw: Double, step: Int64) { #expect(ChartScale.step(atLeast: raw) == step) }

  @Test(
    "ticks are round and zero is always among them",
    arguments: [
      ([8_214, 120], [0, 5_000, 10_000]), ([3], [0, 1, 2, 3]), ([9, 8, 6], [0, 5, 10]), ([-3, 5], [-2, 0, 2, 4]),
      ([100, 101], [0, 50, 100]), ([-19_900], [-20_000, -15_000, -10_000, -5_000, 0]), ([], [0]), ([0, 0], [0]),
      ([1_499], [0, 500, 1_000, 1_500]), ([40_000_000, -600_000], [0, 20_000_000, 40_000_000]),
    ] as [([Int64], [Int64])])
  func ticks(values: [Int64], ticks: [Int64]) { #expect(ChartScale(covering: values).ticks == ticks) }

  @Test("every value lies inside, few ticks are enough, and order is kept, up to the ends of Int64")
  func inside() {
    var generator = SeededGenerator(3)
    for round in 0..<2_000 {
      let bits = Int64(round % 63)
      let values = (0..<(round % 9)).map { _ in Int64.random(in: .min ... .max, using: &generator) >> bits }
      let scale = ChartScale(covering: values)
      #expect(scale.ticks.contains(0) && scale.ticks.count <= 7)
      #expect(scale.ticks == scale.ticks.sorted())
      for value in values + scale.ticks { #expect((-1e-9...1 + 1e-9).contains(scale.fraction(value)), "\(value) of \(values)") }
      let sorted = values.sorted().map(scale.fraction)
      #expect(sorted == sorted.sorted())
    }
    let ends = ChartScale(covering: [.min, .max])
    #expect(ends.fraction(.max) > 0.9 && ends.fraction(.min) < 0.1)
  }
}

@Suite("The marks of a chart") struct ChartGeometryTests {
  private func bars(_ series: [[Int64]], count: Int, stacked: Bool = false) -> [ChartBar] {
    let scale = ChartScale(covering: ChartGeometry.extent(series, stacked: stacked))
    return ChartGeometry.bars(series, count: count, stacked: stacked, scale: scale)
  }

  @Test("bars stand on zero, none for zero, downwards below it")
  func plain() throws {
    let bars = bars([[10, 0, -10]], count: 3)
    #expect(bars.map(\.index) == [0, 2])
    #expect(bars[0].low == 0.5 && bars[0].high == 1)
    #expect(bars[1].low == 0 && bars[1].high == 0.5)
  }

  @Test("bars side by side don't overlap, and stay in their band", arguments: [1, 2, 5, 12, 40])
  func sideBySide(count: Int) {
    for places in 1...6 {
      let bars = bars(Array(repeating: Array(repeating: 7, count: count), count: places), count: count)
      #expect(bars.count == count * places)
      for (a, b) in zip(bars, bars.dropFirst()) { #expect(a.x + a.width <= b.x + 1e-12) }
      for bar in bars {
        #expect(bar.x >= Double(bar.index) / Double(count) && bar.x + bar.width <= Double(bar.index + 1) / Double(count))
      }
    }
  }

  @Test("a stack's parts touch: what is above zero goes up, what is below goes down, and the sums are the extent")
  func stacked() {
    #expect(ChartGeometry.extent([[5, 1], [-2], [4, 1]], stacked: true) == [9, -2, 2, 0])
    let bars = bars([[6], [-4], [4]], count: 1, stacked: true)
    #expect(bars.map(\.series) == [0, 1, 2])
    #expect(abs(bars[0].high - bars[2].low) < 1e-12 && abs(bars[1].high - bars[0].low) < 1e-12)
    #expect(Set(bars.map(\.x)).count == 1)
  }

  @Test("sums at the ends of Int64 stay there")
  func saturating() {
    #expect(ChartGeometry.extent([[.max], [.max], [.min], [.min]], stacked: true) == [.max, .min])
    #expect(bars([[.max], [.max]], count: 1, stacked: true).allSatisfy { $0.high <= 1.000001 })
  }

  @Test("nothing is drawn of nothing")
  func nothing() {
    #expect(bars([], count: 0).isEmpty)
    #expect(bars([[]], count: 3).isEmpty)
  }

  @Test("labels that have no room are left out")
  func interval() {
    #expect(ChartGeometry.interval(count: 12, labelWidth: 20, room: 560) == 1)
    #expect(ChartGeometry.interval(count: 12, labelWidth: 20, room: 240) == 2)
    #expect(ChartGeometry.interval(count: 365, labelWidth: 50, room: 500) == 44)
    #expect(ChartGeometry.interval(count: 1, labelWidth: 900, room: 100) == 1)
    #expect(ChartGeometry.interval(count: 3, labelWidth: 900, room: 1) == 3)
  }

  @Test("a long label is cut, a short one isn't")
  func cut() {
    #expect(ChartGeometry.cut("11월", to: 96) == "11월")
    let cut = ChartGeometry.cut("아주 긴 이름을 가진 서비스의 요금제", to: 96)
    #expect(cut.hasSuffix("…") && cut.hasPrefix("아주 긴"))
    #expect(ChartGeometry.textWidth(cut) <= 96)
  }
}

@Suite("The model of a chart") struct ChartModelTests {
  private func model(_ chart: Chart) -> [String: any Sendable] { chart.model { key, _ in key } }

  private func plot(_ chart: Chart) throws -> [String: any Sendable] {
    let plots = try #require(model(chart)["plots"] as? [[String: any Sendable]])
    return try #require(plots.first)
  }

  private func list(_ plot: [String: any Sendable], _ name: String) throws -> [[String: any Sendable]] {
    try #require(plot[name] as? [[String: any Sendable]])
  }

  private func chart(_ kind: Chart.Kind, labels: Int, _ values: [[Int64]]) -> Chart {
    Chart(
      kind, title: "매출", labels: (0..<labels).map { "\($0 + 1)월" },
      series: values.enumerated().map { .init("계열 \($0.offset)", $0.element) }, format: { "\($0)원" })
  }

  @Test("without values there is a word instead of a plot", arguments: [0, 3])
  func empty(labels: Int) {
    for kind in [Chart.Kind.bar, .line, .stacked] {
      let model = model(chart(kind, labels: labels, []))
      #expect(model["isEmpty"] as? Bool == true)
      #expect((model["plots"] as? [[String: any Sendable]])?.isEmpty == true)
    }
  }

  @Test("all values stand in the table, a missing one as a dash, and stacks with their sum")
  func table() throws {
    let rows = try list(plot(chart(.stacked, labels: 2, [[1, 2], [3]])), "rows")
    let cells = try rows.map { try #require($0["cells"] as? [[String: String]]).map { $0["value"] } }
    #expect(cells == [["1원", "3원", "4원"], ["2원", "–", "2원"]])
    #expect(try list(plot(chart(.bar, labels: 2, [[1, 2]])), "heads").count == 1)
  }

  @Test("values beyond the labels are left out, everywhere")
  func tooMany() throws {
    let plot = try plot(chart(.line, labels: 1, [[1, 2, 3]]))
    #expect(try list(plot, "points").count == 1)
    #expect(try list(plot, "traces").isEmpty)
  }

  @Test("no two of 36 series look alike without colour and with it")
  func looks() throws {
    let keys = try list(plot(chart(.line, labels: 1, Array(repeating: [1], count: 36))), "keys")
    #expect(Set(keys.map { "\($0["colour"] ?? 0) \($0["shape"] ?? "")" }).count == 36)
    #expect(Set(keys.prefix(6).map { "\($0["shape"] ?? "")" }).count == 6)
    #expect(Set(keys.prefix(6).map { "\($0["dashes"] ?? "")" }).count == 6)
  }

  @Test("labels that a phone shows are among those that a desk shows, the last always", arguments: [1, 2, 7, 31, 90, 366])
  func labels(count: Int) throws {
    let labels = try list(plot(chart(.line, labels: count, [Array(repeating: 1, count: count)])), "labels")
    #expect(labels.last?["short"] as? String == "\(count)월")
    #expect(labels.last?["fine"] as? Bool == false)
    #expect(labels.count <= 20)
    #expect(labels.count { $0["fine"] as? Bool == false } <= 9)
  }

  @Test("two charts of a page have patterns of different names, the same chart the same")
  func patterns() throws {
    func id(_ chart: Chart) throws -> String? { try list(plot(chart), "patterns").first?["pattern"] as? String }
    let one = chart(.bar, labels: 2, [[1], [2]])
    #expect(try id(one) == id(one))
    #expect(try id(one) != id(chart(.bar, labels: 3, [[1], [2]])))
  }

  @Test("the page holds the figure, its words and its table, with what a person wrote escaped")
  func rendered() async throws {
    let reply = try await TestCity().ask(.get, "/chart", ["Accept": "text/html", "Accept-Language": "en"])
    #expect(reply.text.contains("<figcaption><b>Sales &lt;2026&gt;</b></figcaption>"))
    #expect(reply.text.contains("Show as table"))
    #expect(reply.text.contains(#"role="img" aria-label="Sales &lt;2026&gt;. "#))
    #expect(reply.text.contains("highest 300 (Feb), lowest -100 (Jan)"))
    #expect(reply.text.contains(#"<td class="num" data-label="Student">300</td>"#))
    #expect(!reply.text.contains("style="))
  }
}
