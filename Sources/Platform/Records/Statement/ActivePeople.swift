public import Kit

extension RecordsService {
  /// How many different people did something at each tenant since a time.
  ///
  /// It reads what was stored since then, no index: ask seldom, and remember the answer.
  public func activePeople(since: Instant) async throws -> [String: Int] { try await store.activePeople(since: since) }
}
