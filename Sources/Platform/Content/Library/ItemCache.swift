import Synchronization

/// The index that this process answers from, kept in step with the database.
///
/// Versions are immutable, so the index is right until a package has another stamp. That is looked up at most once per
/// `freshness` and beside the request that noticed: nobody but the first waits, and while the database is away the
/// library goes on answering.
final class ItemCache: Sendable {
  private struct State {
    var index: ItemIndex?
    var checked: ContinuousClock.Instant?
    var refresh: Task<ItemIndex, any Error>?
  }

  private let state = Mutex(State())
  private let freshness: Duration
  private let read: @Sendable (ItemIndex) async throws -> ItemIndex

  /// - Parameter read: gives the index as the database has it now, from the one known so far.
  init(freshness: Duration, read: @escaping @Sendable (ItemIndex) async throws -> ItemIndex) {
    self.freshness = freshness
    self.read = read
  }

  /// - Throws: ``Database/DatabaseError`` as long as nothing has been read.
  func index() async throws -> ItemIndex {
    let now = ContinuousClock.now
    let (known, refresh): (ItemIndex?, Task<ItemIndex, any Error>?) = state.withLock { state in
      if state.index != nil, let checked = state.checked, now - checked < freshness { return (state.index, nil) }
      if state.refresh == nil {
        state.checked = now
        state.refresh = Task { try await self.reload() }
      }
      return (state.index, state.refresh)
    }
    if let known { return known }
    guard let refresh else { return ItemIndex() }
    return try await refresh.value
  }

  /// Reads what has changed now.
  @discardableResult
  func reload() async throws -> ItemIndex {
    defer { state.withLock { $0.refresh = nil } }
    let index = try await read(state.withLock { $0.index } ?? ItemIndex())
    state.withLock {
      $0.index = index
      $0.checked = .now
    }
    return index
  }
}
