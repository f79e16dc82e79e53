/// What texts take on the server, by their hash: the time that three of four don't exceed, as it goes up by an eighth when
/// one takes longer, and down by a twenty-fourth when not. A mean would follow the few that met a pause of the machine; a line
/// given up for those makes all others slower, as more connections then want the same cores.
struct StatementCosts {
  /// Texts that are known; beyond this all are forgotten.
  private static let most = 1_024
  /// Longer than most pauses: one such doubles what is known.
  private static let long = Duration.milliseconds(10)
  private static let least = Duration.microseconds(1)

  private var known: [Int: Duration] = [:]

  /// `nil`: the text has not been seen.
  func expected(of hash: Int) -> Duration? { known[hash] }

  mutating func note(_ time: Duration, of hash: Int) {
    guard let cost = known[hash] else {
      if known.count >= StatementCosts.most { known.removeAll(keepingCapacity: true) }
      known[hash] = max(time, StatementCosts.least)
      return
    }
    if time >= StatementCosts.long {
      known[hash] = min(time, cost * 2)
    } else if time > cost {
      known[hash] = cost + cost / 8
    } else {
      known[hash] = max(cost - cost / 24, StatementCosts.least)
    }
  }
}
