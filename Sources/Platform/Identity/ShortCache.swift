import Synchronization

/// Answers that hold for a short time, unless all are dropped before.
///
/// A value whose loading began before a drop is not kept: it may be what the drop was about.
final class ShortCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct State {
    var entries: [Key: (value: Value, until: ContinuousClock.Instant)] = [:]
    var generation = 0
  }

  private let state = Mutex(State())
  private let lifetime: Duration
  private let capacity: Int

  init(lifetime: Duration, capacity: Int = 50_000) {
    self.lifetime = lifetime
    self.capacity = capacity
  }

  subscript(key: Key) -> Value? {
    let now = ContinuousClock.now
    return state.withLock { state in state.entries[key].flatMap { $0.until > now ? $0.value : nil } }
  }

  var generation: Int { state.withLock { $0.generation } }

  /// Keeps a value that was loaded from `generation` on.
  func keep(_ value: Value, for key: Key, generation: Int) {
    let until = ContinuousClock.now + lifetime
    state.withLock { state in
      guard state.generation == generation else { return }
      if state.entries.count >= capacity { state.entries.removeAll(keepingCapacity: true) }
      state.entries[key] = (value, until)
    }
  }

  func value(for key: Key, load: () async throws -> Value) async throws -> Value {
    if let known = self[key] { return known }
    let generation = generation
    let value = try await load()
    keep(value, for: key, generation: generation)
    return value
  }

  func drop() {
    state.withLock { state in
      state.generation += 1
      state.entries.removeAll(keepingCapacity: true)
    }
  }
}
