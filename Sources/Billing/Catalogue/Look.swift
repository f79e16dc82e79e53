import Database

/// What the nodes tell each other to look at again. It carries no data: whoever hears it asks the database.
enum Look: String {
  /// A plan was published or withdrawn.
  case atPlans = "plans"
  /// Somebody's subscription or seat is another now.
  case atHoldings = "holdings"

  func channel(of schema: Schema) -> String { "\(schema.name)_\(rawValue)" }

  /// Heard by every node, this one too, when the transaction is committed.
  func announce(of schema: Schema, in transaction: Transaction) async throws {
    try await transaction.execute("SELECT pg_notify(\(channel(of: schema)), '')")
  }
}

extension BillingService {
  /// Follows what other nodes publish and change, until the task is cancelled: each process runs one.
  ///
  /// - Parameter failed: told of a refresh of the catalogue that failed; it stays as it was, and the next one may succeed.
  public func run(failed: @escaping @Sendable (any Error) -> Void) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        for await _ in database.listen(on: Look.atPlans.channel(of: schema)) {
          do { try await live.refresh() } catch { if !Task.isCancelled { failed(error) } }
        }
      }
      group.addTask {
        for await _ in database.listen(on: Look.atHoldings.channel(of: schema)) {
          entitlements.forget()
          // While many renew, words come in dozens; a cache that is emptied at each of them is none.
          try? await Task.sleep(for: .milliseconds(50))
        }
      }
      group.addTask { await live.keepCurrent(failed: failed) }
    }
  }
}
