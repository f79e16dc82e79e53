/// The axis of a chart's values: round numbers in equal steps, zero always among them, so that lengths can be compared.
struct ChartScale: Equatable {
  /// Round values in equal steps of 1, 2 or 5 × 10ⁿ, upwards; at most seven.
  let ticks: [Int64]
  private let low: Double
  private let high: Double

  init(covering values: [Int64]) {
    let (least, most) = (min(values.min() ?? 0, 0), max(values.max() ?? 0, 0))
    guard least < most else {
      (ticks, low, high) = ([0], 0, 1)
      return
    }
    let step = ChartScale.step(atLeast: (Double(most) - Double(least)) / 4)
    let half = Double(step) / 2
    // A value that passes a tick by little gets no further one: half a plot of nothing would follow.
    let bottom = least / step - (Double(-(least % step)) > half ? 1 : 0)
    let top = most / step + (Double(most % step) > half ? 1 : 0)
    // At the ends of Int64 a round value may lie outside: the axis goes there, its label doesn't.
    ticks = (bottom...top).compactMap { index in
      let (tick, overflow) = index.multipliedReportingOverflow(by: step)
      return overflow ? nil : tick
    }
    (low, high) = (min(Double(bottom) * Double(step), Double(least)), max(Double(top) * Double(step), Double(most)))
  }

  /// Where a value lies: 0 at the foot, 1 at the top.
  func fraction(_ value: Int64) -> Double { (Double(value) - low) / (high - low) }

  /// The smallest of 1, 2, 5, 10, 20, … that is not below a number.
  static func step(atLeast raw: Double) -> Int64 {
    var power: Int64 = 1
    while true {
      for digit: Int64 in [1, 2, 5] where Double(power * digit) >= raw { return power * digit }
      // Above are the values whose fourth is the most that Int64's whole span asks for.
      if power == 1_000_000_000_000_000_000 { return 5 * power }
      power *= 10
    }
  }
}

/// A bar, or a part of a stack. All numbers are parts of the plot's width and height; `low` and `high` count from the foot.
struct ChartBar: Equatable {
  let series: Int
  let index: Int
  let x: Double
  let width: Double
  let low: Double
  let high: Double
}

enum ChartGeometry {
  /// The middle of a label's band.
  static func middle(_ index: Int, of count: Int) -> Double { (Double(index) + 0.5) / Double(count) }

  /// Everything that the axis has to reach: the values, or for stacks the sums above and below zero.
  static func extent(_ series: [[Int64]], stacked: Bool) -> [Int64] {
    guard stacked else { return series.flatMap(\.self) }
    return (0..<(series.map(\.count).max() ?? 0)).flatMap { index in
      let values = series.compactMap { $0.indices.contains(index) ? $0[index] : nil }
      return [values.filter { $0 > 0 }.saturatingSum, values.filter { $0 < 0 }.saturatingSum]
    }
  }

  /// The bars of all series, side by side or stacked away from zero. A value of zero has none.
  static func bars(_ series: [[Int64]], count: Int, stacked: Bool, scale: ChartScale) -> [ChartBar] {
    guard count > 0 else { return [] }
    let places = stacked ? 1 : max(series.count, 1)
    // A single bar is no wall: an eighth of the plot is wide enough.
    let group = min(0.72 / Double(count), 0.125 * Double(places))
    let step = group / Double(places)
    var bars: [ChartBar] = []
    for index in 0..<count {
      var (above, below): (Int64, Int64) = (0, 0)
      for (number, values) in series.enumerated() where values.indices.contains(index) && values[index] != 0 {
        let value = values[index]
        var from: Int64 = 0
        if stacked { from = value > 0 ? above : below }
        let to = from.saturatingAdd(value)
        if value > 0 { above = to } else { below = to }
        let left = middle(index, of: count) - group / 2 + (stacked ? 0 : Double(number) * step)
        let ends = (scale.fraction(from), scale.fraction(to))
        bars.append(
          ChartBar(
            series: number, index: index, x: left, width: step * (places > 1 ? 0.92 : 1), low: min(ends.0, ends.1),
            high: max(ends.0, ends.1)))
      }
    }
    return bars
  }

  /// How wide a text of 12 px is, about: enough to see whether labels would meet.
  static func textWidth(_ text: String) -> Double {
    text.unicodeScalars.reduce(0) { $0 + ($1.value < 0x1100 ? 6.8 : 12) }
  }

  /// The text, cut to a width with an ellipsis.
  static func cut(_ text: String, to width: Double) -> String {
    guard textWidth(text) > width else { return text }
    var kept = text
    while !kept.isEmpty, textWidth(kept) + 12 > width { kept.removeLast() }
    while kept.last == " " { kept.removeLast() }
    return kept + "…"
  }

  /// Every how manieth label has room, when all are so wide.
  static func interval(count: Int, labelWidth: Double, room: Double) -> Int {
    guard count > 1 else { return 1 }
    return min(count, max(1, Int(((labelWidth + 10) * Double(count) / room).rounded(.up))))
  }
}

extension Int64 {
  /// The sum, or the end of the range it would leave.
  func saturatingAdd(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other > 0 ? .max : .min) : sum
  }
}

extension [Int64] {
  var saturatingSum: Int64 { reduce(0) { $0.saturatingAdd($1) } }
}
