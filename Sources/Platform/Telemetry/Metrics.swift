import Synchronization

/// Counters, gauges and histograms in the text format of Prometheus (version 0.0.4).
public final class Metrics: Sendable {
  public typealias Labels = [(String, String)]

  private struct Histogram {
    var counts: [UInt64]
    var sum: Double
  }
  private struct State {
    var help: [String: (type: String, help: String)] = [:]
    var values: [String: [String: Double]] = [:]
    var histograms: [String: [String: Histogram]] = [:]
  }

  /// Seconds. From half a millisecond to ten seconds, denser where answers should be.
  static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

  private let state = Mutex(State())

  public init() {}

  public func count(_ name: String, _ labels: Labels = [], by amount: Double = 1, help: String) {
    state.withLock { state in
      state.help[name] = ("counter", help)
      state.values[name, default: [:]][Metrics.text(labels), default: 0] += amount
    }
  }

  public func gauge(_ name: String, _ labels: Labels = [], _ value: Double, help: String) {
    state.withLock { state in
      state.help[name] = ("gauge", help)
      state.values[name, default: [:]][Metrics.text(labels)] = value
    }
  }

  /// Notes a duration.
  public func observe(_ name: String, _ labels: Labels = [], _ duration: Duration, help: String) {
    let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    state.withLock { state in
      state.help[name] = ("histogram", help)
      let key = Metrics.text(labels)
      let empty = Histogram(counts: Array(repeating: 0, count: Metrics.bounds.count + 1), sum: 0)
      let slot = Metrics.bounds.firstIndex { seconds <= $0 } ?? Metrics.bounds.count
      state.histograms[name, default: [:]][key, default: empty].counts[slot] += 1
      state.histograms[name]![key]!.sum += seconds
    }
  }

  public func exposition() -> String {
    state.withLock { state in
      var out = ""
      for (name, about) in state.help.sorted(by: { $0.key < $1.key }) {
        out += "# HELP \(name) \(about.help)\n# TYPE \(name) \(about.type)\n"
        for (labels, value) in (state.values[name] ?? [:]).sorted(by: { $0.key < $1.key }) {
          out += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(Metrics.figure(value))\n"
        }
        for (labels, histogram) in (state.histograms[name] ?? [:]).sorted(by: { $0.key < $1.key }) {
          let head = labels.isEmpty ? "" : labels + ","
          var total: UInt64 = 0
          for (index, count) in histogram.counts.enumerated() {
            total += count
            let bound = index < Metrics.bounds.count ? "\(Metrics.bounds[index])" : "+Inf"
            out += "\(name)_bucket{\(head)le=\"\(bound)\"} \(total)\n"
          }
          let tail = labels.isEmpty ? "" : "{\(labels)}"
          out += "\(name)_sum\(tail) \(histogram.sum)\n\(name)_count\(tail) \(total)\n"
        }
      }
      return out
    }
  }

  private static func text(_ labels: Labels) -> String {
    labels.map { name, value in
      let safe = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
      return "\(name)=\"\(safe)\""
    }.joined(separator: ",")
  }

  private static func figure(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
  }
}
