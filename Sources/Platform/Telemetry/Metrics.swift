import Synchronization

/// Counters, gauges and histograms in the text format of Prometheus (version 0.0.4).
///
/// What is counted with every request is counted through a ``Counter`` and a ``Histogram`` that are asked for once.
public final class Metrics: Sendable {
  public typealias Labels = [(String, String)]

  private struct State {
    var help: [String: (type: String, help: String)] = [:]
    var gauges: [String: [String: Double]] = [:]
    var counters: [String: [String: Counter]] = [:]
    var histograms: [String: [String: Histogram]] = [:]
  }

  private let state = Mutex(State())

  public init() {}

  /// The counter of a name and labels: the same one for the same.
  public func counter(_ name: String, _ labels: Labels = [], help: String) -> Counter {
    let key = Metrics.text(labels)
    return state.withLock { state in
      if let known = state.counters[name]?[key] { return known }
      let made = Counter()
      state.help[name] = ("counter", help)
      state.counters[name, default: [:]][key] = made
      return made
    }
  }

  /// The histogram of a name and labels: the same one for the same.
  public func histogram(_ name: String, _ labels: Labels = [], help: String) -> Histogram {
    let key = Metrics.text(labels)
    return state.withLock { state in
      if let known = state.histograms[name]?[key] { return known }
      let made = Histogram()
      state.help[name] = ("histogram", help)
      state.histograms[name, default: [:]][key] = made
      return made
    }
  }

  public func count(_ name: String, _ labels: Labels = [], by amount: Int = 1, help: String) {
    counter(name, labels, help: help).add(amount)
  }

  public func gauge(_ name: String, _ labels: Labels = [], _ value: Double, help: String) {
    state.withLock { state in
      state.help[name] = ("gauge", help)
      state.gauges[name, default: [:]][Metrics.text(labels)] = value
    }
  }

  /// Notes a duration.
  public func observe(_ name: String, _ labels: Labels = [], _ duration: Duration, help: String) {
    histogram(name, labels, help: help).observe(duration)
  }

  public func exposition() -> String {
    state.withLock { state in
      var out = ""
      for (name, about) in state.help.sorted(by: { $0.key < $1.key }) {
        out += "# HELP \(name) \(about.help)\n# TYPE \(name) \(about.type)\n"
        var values = state.gauges[name] ?? [:]
        for (labels, counter) in state.counters[name] ?? [:] { values[labels] = Double(counter.value) }
        for (labels, value) in values.sorted(by: { $0.key < $1.key }) {
          out += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(Metrics.figure(value))\n"
        }
        for (labels, histogram) in (state.histograms[name] ?? [:]).sorted(by: { $0.key < $1.key }) {
          histogram.write(name, labels, to: &out)
        }
      }
      return out
    }
  }

  private static func text(_ labels: Labels) -> String {
    labels.map { name, value in
      var safe = ""
      for scalar in value.unicodeScalars {
        switch scalar {
        case "\\": safe += "\\\\"
        case "\"": safe += "\\\""
        case "\n": safe += "\\n"
        default: safe.unicodeScalars.append(scalar)
        }
      }
      return "\(name)=\"\(safe)\""
    }.joined(separator: ",")
  }

  private static func figure(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
  }
}

/// What only grows.
public final class Counter: Sendable {
  private let count = Atomic<Int>(0)

  public var value: Int { count.load(ordering: .relaxed) }
  public func add(_ amount: Int = 1) { count.wrappingAdd(amount, ordering: .relaxed) }
}

/// How often durations fell under each of some bounds.
public final class Histogram: Sendable {
  /// Seconds. From half a millisecond to ten seconds, denser where answers should be.
  static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

  private struct State {
    var counts = [UInt64](repeating: 0, count: Histogram.bounds.count + 1)
    var sum = 0.0
  }

  private let state = Mutex(State())

  public func observe(_ duration: Duration) {
    let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    let slot = Histogram.bounds.firstIndex { seconds <= $0 } ?? Histogram.bounds.count
    state.withLock { state in
      state.counts[slot] += 1
      state.sum += seconds
    }
  }

  fileprivate func write(_ name: String, _ labels: String, to out: inout String) {
    let state = state.withLock { $0 }
    let head = labels.isEmpty ? "" : labels + ","
    var total: UInt64 = 0
    for (index, count) in state.counts.enumerated() {
      total += count
      let bound = index < Histogram.bounds.count ? "\(Histogram.bounds[index])" : "+Inf"
      out += "\(name)_bucket{\(head)le=\"\(bound)\"} \(total)\n"
    }
    let tail = labels.isEmpty ? "" : "{\(labels)}"
    out += "\(name)_sum\(tail) \(state.sum)\n\(name)_count\(tail) \(total)\n"
  }
}
