/// How long to wait before the next attempt: doubled with every failure, bounded, and scattered so that many who failed
/// together do not come back together.
struct Backoff: Sendable {
  var first: Duration = .milliseconds(50)
  var longest: Duration = .seconds(5)

  /// - Parameters:
  ///   - failures: failures in a row, from 1.
  ///   - scatter: 0 to 1, at random.
  func delay(failures: Int, scatter: Double) -> Duration {
    let doubled = first * (1 << min(max(failures, 1) - 1, 20))
    return min(doubled, longest) * (0.5 + scatter / 2)
  }
}
