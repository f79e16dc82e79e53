import Synchronization
import Web

/// What the gateway has decided since start, and how things stand.
public struct GatewayMetrics: Sendable {
  public struct Sample: Sendable {
    public let name: String
    public let labels: [(String, String)]
    public let value: Double
    public let help: String
  }

  public let cache: ResponseCache.Figures
  /// By route class; of a ``SharedRateLimiter`` only.
  public let limits: [String: SharedRateLimiter.Figures]
  public let countsAlone: Bool
  public let inFlight: Int
  public let sheddingLevel: Int
  /// Requests turned away, by priority: `low`, `normal`, `high`.
  public let shed: [String: Int]
  public let deadlines: Int
  public let retries: Int
  /// Requests refused by an open circuit.
  public let refused: Int
  public let openDatabases: [String]
  public let openSites: [String]

  /// As lines of `/metrics`, whose names begin with `gateway_`.
  public var samples: [Sample] {
    var samples: [Sample] = []
    func add(_ name: String, labels: [(String, String)] = [], _ value: Int, _ help: String) {
      samples.append(Sample(name: "gateway_\(name)", labels: labels, value: Double(value), help: help))
    }
    add("cache_entries", cache.entries, "Answers kept.")
    add("cache_bytes", cache.bytes, "Bytes of answers kept.")
    add("cache_hits", cache.hits, "Requests answered with a kept answer.")
    add("cache_misses", cache.misses, "Requests whose answer was made to be kept.")
    add("cache_collapsed", cache.collapsed, "Requests that got the answer of another one under way.")
    add("cache_dropped", cache.dropped, "Kept answers dropped because something changed.")
    add("cache_overtaken", cache.overtaken, "Answers not kept because something changed while they were made.")
    add("cache_evicted", cache.evicted, "Kept answers dropped for want of room.")
    for (name, figures) in limits.sorted(by: { $0.key < $1.key }) {
      let help = "Requests by what the limit of their class said."
      add("limited", labels: [("class", name), ("decision", "admitted")], figures.admitted, help)
      add("limited", labels: [("class", name), ("decision", "refused")], figures.refused, help)
      add("limited_alone", labels: [("class", name)], figures.alone, "Requests limited by this node alone.")
    }
    add("limits_alone", countsAlone ? 1 : 0, "Whether this node counts for itself because the table of limits is away.")
    add("in_flight", inFlight, "Requests under way.")
    add("shedding_level", sheddingLevel, "Classes of requests turned away: 0 none, 1 low, 2 normal.")
    for (priority, count) in shed.sorted(by: { $0.key < $1.key }) {
      add("shed", labels: [("priority", priority)], count, "Requests turned away because of load.")
    }
    add("deadlines_exceeded", deadlines, "Requests given up at their deadline.")
    add("retries", retries, "Reads run again because a connection failed.")
    add("circuit_refused", refused, "Requests refused because their database doesn't answer.")
    for name in openDatabases { add("circuit_open", labels: [("database", name)], 1, "Databases given up for a time.") }
    for name in openSites { add("circuit_open", labels: [("site", name)], 1, "Databases given up for a time.") }
    if openDatabases.isEmpty, openSites.isEmpty { add("circuit_open", 0, "Databases given up for a time.") }
    return samples
  }
}

/// Counters of the gateway.
final class GatewayCounters: Sendable {
  let deadlines = Atomic(0)
  let retries = Atomic(0)
  let refused = Atomic(0)
  let shed = Mutex<[String: Int]>([:])
}
