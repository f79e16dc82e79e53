/// A chart: an SVG made on the server, its colours from the tenant's accent, with a caption, a spoken summary and all values
/// as a table. In a template: `{{#chart}}{{>web.chart}}{{/chart}}` with ``model(_:)`` under `chart`.
///
/// Colour never says anything alone: series differ in pattern too, or in dashes and marks. Text keeps its size while the
/// plot takes the width there is; labels that have no room are left out, from the oldest on.
public struct Chart: Sendable {
  public enum Kind: Sendable {
    /// Bars, side by side where there are several series.
    case bar
    case line
    /// Bars of several series on top of each other; what is below zero hangs down.
    case stacked
  }

  public struct Series: Sendable {
    public let name: String
    /// One for each label, in order; a series may end early.
    public let values: [Int64]
    public init(_ name: String, _ values: [Int64]) { (self.name, self.values) = (name, values) }
  }

  let kind: Kind
  let title: String
  let labels: [String]
  let series: [Series]
  let format: @Sendable (Int64) -> String

  /// - Parameters:
  ///   - title: says what is counted, in what unit, of what time.
  ///   - labels: of the places from left to right, short.
  ///   - format: a value as its reader reads it, such as `visit.format.money(Money(…))`. The axis asks it for round values.
  public init(
    _ kind: Kind, title: String, labels: [String], series: [Series], format: @escaping @Sendable (Int64) -> String
  ) {
    (self.kind, self.title, self.labels, self.format) = (kind, title, labels, format)
    self.series = series.map { Series($0.name, Array($0.values.prefix(labels.count))) }
  }

  /// What `web.chart` shows.
  public func model(_ visit: Visit) -> [String: any Sendable] { model { visit.text($0, $1) } }

  // CSS pixels. The plot's box has `Chart.height`; the foot is for the labels.
  static let height = 244.0
  private static let top = 10.0
  private static let foot = 216.0

  func model(_ text: (String, [String: String]) -> String) -> [String: any Sendable] {
    let isEmpty = labels.isEmpty || series.allSatisfy(\.values.isEmpty)
    let plots = isEmpty ? [] : [plot(text)]
    return ["caption": title, "isEmpty": isEmpty, "plots": plots]
  }

  private func plot(_ text: (String, [String: String]) -> String) -> [String: any Sendable] {
    let values = series.map(\.values)
    let scale = ChartScale(covering: ChartGeometry.extent(values, stacked: kind == .stacked))
    let gutter = (scale.ticks.map { ChartGeometry.textWidth(format($0)) }.max() ?? 0) + 12
    let figures = series + (kind == .stacked && series.count > 1 ? [total(text)] : [])
    return [
      "summary": summary(text), "gutter": Chart.number(gutter), "height": Chart.number(Chart.height),
      "labelY": Chart.number(Chart.height - 4), "tickX": Chart.number(gutter - 8),
      "hasKeys": series.count > 1, "keys": series.indices.map(key),
      "patterns": kind == .line ? [] : series.indices.filter { mark($0).pattern != 0 }.map(pattern),
      "ticks": scale.ticks.map { tick -> [String: any Sendable] in
        let y = y(scale.fraction(tick))
        return ["tick": format(tick), "y": Chart.number(y), "tickY": Chart.number(y + 4), "zero": tick == 0]
      },
      "bars": kind == .line ? [] : bars(scale), "traces": kind == .line ? traces(scale) : [],
      "points": kind == .line ? points(scale) : [], "labels": thinned(gutter: gutter),
      "heads": figures.map { ["head": $0.name] },
      "rows": labels.indices.map { index -> [String: any Sendable] in
        [
          "label": labels[index],
          "cells": figures.map { figure in
            ["head": figure.name, "value": figure.values.indices.contains(index) ? format(figure.values[index]) : "–"]
          },
        ]
      },
    ]
  }

  private func total(_ text: (String, [String: String]) -> String) -> Series {
    let sums = labels.indices.map { index in
      series.compactMap { $0.values.indices.contains(index) ? $0.values[index] : nil }.saturatingSum
    }
    return Series(text("web.chart.total", [:]), sums)
  }

  // MARK: Looks of the series

  private static let dashes = ["", "7 4", "2 4", "11 4 2 4", "5 2", "1 6"]
  /// Circle, square, triangle, diamond, cross, triangle downwards; about 9 px wide around their middle.
  private static let shapes = [
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", "M-4-4h8v8h-8z", "M0-5L5 4H-5z", "M0-5.5L5.5 0L0 5.5L-5.5 0z",
    "M-1.5-5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z", "M0 5L5-4H-5z",
  ]
  /// Stripes and dots of 8 × 8 px, and by how much they are turned. The first is plain.
  private static let hatches = [
    ("", 0), ("M0 2H8", -45), ("M1 4h2M5 0h2M5 8h2", 0), ("M0 2H8M2 0V8", 0), ("M0 2H8", 45), ("M2 0V8", 0),
  ]

  /// Six colours and six marks: when the colours come round, the marks are shifted by one.
  private func mark(_ series: Int) -> (colour: Int, pattern: Int) { (series % 6 + 1, (series + series / 6) % 6) }

  /// A name that no other chart of the page has, unless it is the same chart.
  private func patternID(_ series: Int) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a, 64 bits.
    for byte in ([title] + labels + self.series.map(\.name)).joined(separator: "\u{1F}").utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    return "p\(String(hash, radix: 36))-\(series)"
  }

  private func look(_ series: Int) -> [String: any Sendable] {
    let mark = mark(series)
    return [
      "colour": mark.colour, "patterned": kind != .line && mark.pattern != 0, "pattern": patternID(series),
      "line": kind == .line, "dashed": mark.pattern != 0, "dashes": Chart.dashes[mark.pattern],
      "shape": Chart.shapes[mark.pattern],
    ]
  }

  private func key(_ series: Int) -> [String: any Sendable] {
    look(series).merging(["name": self.series[series].name]) { _, new in new }
  }

  private func pattern(_ series: Int) -> [String: any Sendable] {
    let (hatch, turn) = Chart.hatches[mark(series).pattern]
    return look(series).merging(["hatch": hatch, "turn": turn, "turned": turn != 0]) { _, new in new }
  }

  // MARK: Marks

  private func y(_ fraction: Double) -> Double { Chart.foot - fraction * (Chart.foot - Chart.top) }

  private func tip(_ series: Int, _ index: Int) -> String {
    let value = "\(labels[index]): \(format(self.series[series].values[index]))"
    return self.series.count > 1 ? "\(self.series[series].name), \(value)" : value
  }

  private func bars(_ scale: ChartScale) -> [[String: any Sendable]] {
    ChartGeometry.bars(series.map(\.values), count: labels.count, stacked: kind == .stacked, scale: scale).map { bar in
      // What is not zero is seen, if only as a line; parts of a stack keep a pixel's distance.
      let tall = max(1, (bar.high - bar.low) * (Chart.foot - Chart.top) - (kind == .stacked ? 1 : 0))
      return look(bar.series).merging([
        "x": Chart.number(bar.x * 100), "width": Chart.number(bar.width * 100), "y": Chart.number(y(bar.high)),
        "tall": Chart.number(tall), "tip": tip(bar.series, bar.index),
      ]) { _, new in new }
    }
  }

  private func traces(_ scale: ChartScale) -> [[String: any Sendable]] {
    series.indices.filter { series[$0].values.count > 1 }.map { number in
      let steps = series[number].values.enumerated().map { index, value in
        let x = ChartGeometry.middle(index, of: labels.count) * 1000
        return "\(index == 0 ? "M" : "L")\(Chart.number(x)) \(Chart.number(y(scale.fraction(value))))"
      }
      return look(number).merging(["path": steps.joined()]) { _, new in new }
    }
  }

  /// Marks on the line: on every value while they are few, else on some, the last always.
  private func points(_ scale: ChartScale) -> [[String: any Sendable]] {
    let interval = ChartGeometry.interval(count: labels.count, labelWidth: 12, room: 560)
    return series.indices.flatMap { number in
      let last = series[number].values.count - 1
      return series[number].values.enumerated().filter { (last - $0.offset) % interval == 0 }.map { index, value in
        look(number).merging([
          "x": Chart.number(ChartGeometry.middle(index, of: labels.count) * 100),
          "y": Chart.number(y(scale.fraction(value))), "tip": tip(number, index),
        ]) { _, new in new }
      }
    }
  }

  /// The labels that have room; the fine ones only where the plot is wide. The last is always among them: it is the newest.
  private func thinned(gutter: Double) -> [[String: any Sendable]] {
    let short = labels.map { ChartGeometry.cut($0, to: 96) }
    let widest = short.map(ChartGeometry.textWidth).max() ?? 0
    let narrowRoom = max(320 - gutter, 120)
    let wide = ChartGeometry.interval(count: labels.count, labelWidth: widest, room: 600 - gutter)
    // A multiple, so that what a phone shows is a part of what a desk shows.
    let narrow = ChartGeometry.interval(count: labels.count, labelWidth: widest, room: narrowRoom)
    let coarse = (narrow + wide - 1) / wide * wide
    let last = labels.count - 1
    return labels.indices.filter { (last - $0) % wide == 0 }.map { index in
      let middle = ChartGeometry.middle(index, of: labels.count)
      // A text that would leave the plot by more than a page's margin ends at its edge instead.
      let isAtEdge = ChartGeometry.textWidth(short[index]) / 2 - (1 - middle) * narrowRoom > 12
      return [
        "short": short[index], "x": isAtEdge ? "100" : Chart.number(middle * 100), "anchor": isAtEdge ? "end" : "middle",
        "fine": (last - index) % coarse != 0,
      ]
    }
  }

  // MARK: Words

  /// What a reader hears who can't see the plot; the table has the rest.
  private func summary(_ text: (String, [String: String]) -> String) -> String {
    let sentences = series.filter { !$0.values.isEmpty }.map { series -> String in
      let values = series.values
      let most = values.indices.max { values[$0] < values[$1] } ?? 0
      let least = values.indices.min { values[$0] < values[$1] } ?? 0
      if values.count == 1 {
        return text("web.chart.one", ["name": series.name, "at": labels[0], "value": format(values[0])])
      }
      return text(
        kind == .line ? "web.chart.trend" : "web.chart.range",
        [
          "name": series.name, "most": format(values[most]), "mostAt": labels[most], "least": format(values[least]),
          "leastAt": labels[least], "first": format(values[0]), "firstAt": labels[0],
          "last": format(values[values.count - 1]), "lastAt": labels[values.count - 1],
        ])
    }
    return "\(title). \(sentences.joined(separator: ". "))"
  }

  /// A coordinate with at most two places, with a point whatever the language.
  private static func number(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
    let sign = hundredths < 0 ? "-" : ""
    if rest == 0 { return "\(sign)\(whole)" }
    return "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest % 10 == 0 ? rest / 10 : rest)"
  }
}
