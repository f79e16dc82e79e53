/// A value that may be a while old. It is loaded once however many ask for it, and kept for a time.
///
/// Per process: nodes may show figures of different ages.
actor Cached<Value: Sendable> {
  private let lifetime: Duration
  private var held: (value: Value, until: ContinuousClock.Instant)?
  private var loading: Task<Value, any Error>?
  /// Whether it was forgotten and not loaded since.
  private var isForgotten = false

  init(for lifetime: Duration) { self.lifetime = lifetime }

  /// - Parameter load: told whether the value was forgotten: then it has to see the change, and a replica might not yet.
  /// - Throws: what `load` throws, when no value is held; an old value is better than none.
  func value(_ load: @escaping @Sendable (_ isForgotten: Bool) async throws -> Value) async throws -> Value {
    if let held, held.until > .now { return held.value }
    let task = loading ?? Task { [isForgotten] in try await load(isForgotten) }
    loading = task
    do {
      let value = try await task.value
      if loading == task {
        (loading, isForgotten) = (nil, false)
        held = (value, .now + lifetime)
      }
      return value
    } catch {
      if loading == task { loading = nil }
      guard let held else { throw error }
      return held.value
    }
  }

  /// Forgets the value, after a change that its reader should see. What is being loaded may have begun before it, and is not
  /// kept.
  func forget() { (held, loading, isForgotten) = (nil, nil, true) }
}
