/// What texts have taken on the server, by their hash: an average that forgets.
struct StatementCosts {
  /// Texts that are known; beyond this all are forgotten.
  private static let most = 1_024
  /// One statement of so many changes the average by its whole difference.
  private static let memory = 16
  private static let long = Duration.milliseconds(1)

  private var known: [Int: Duration] = [:]

  /// `nil`: the text has not been seen.
  func expected(of hash: Int) -> Duration? { known[hash] }

  mutating func note(_ time: Duration, of hash: Int) {
    guard let average = known[hash] else {
      if known.count >= StatementCosts.most { known.removeAll(keepingCapacity: true) }
      known[hash] = time
      return
    }
    // What took long is believed at once. Of statements that crossed in one packet the first has the time of all.
    known[hash] = time >= StatementCosts.long ? time : average + (time - average) / StatementCosts.memory
  }
}
