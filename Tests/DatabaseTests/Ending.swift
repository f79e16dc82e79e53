import Database
import Synchronization
import Testing

/// How a call ended.
enum Ending<Value: Sendable>: Sendable {
  case success(Value)
  case failure(DatabaseError)
  /// Some other error.
  case other(String)
  /// It has not ended in its time.
  case never

  var value: Value? {
    guard case .success(let value) = self else { return nil }
    return value
  }

  /// `nil` when it succeeded, or never ended.
  var kind: DatabaseError.Kind? {
    guard case .failure(let error) = self else { return nil }
    return error.kind
  }

  var hasSucceeded: Bool { value != nil }
}

/// Waits for the end of a call, but not for ever: a call that hangs is an answer too.
func ending<Value: Sendable>(
  within limit: Duration = .seconds(20), _ call: @escaping @Sendable () async throws -> Value
) async -> Ending<Value> {
  let waiting = Shared<CheckedContinuation<Ending<Value>, Never>?>(nil)
  @Sendable func end(_ ending: Ending<Value>) {
    waiting.withLock { continuation in
      continuation?.resume(returning: ending)
      continuation = nil
    }
  }
  return await withCheckedContinuation { continuation in
    waiting.withLock { $0 = continuation }
    let clock = Task {
      try await Task.sleep(for: limit)
      end(.never)
    }
    Task {
      do {
        end(.success(try await call()))
      } catch let error as DatabaseError {
        end(.failure(error))
      } catch {
        end(.other("\(error)"))
      }
      clock.cancel()
    }
  }
}

/// Whether nothing is under way in a pool, nothing waits, and it holds no more connections than it may.
func isAtRest(_ database: Database, connections: Int) async -> Bool {
  await eventually(within: .seconds(20)) {
    let status = database.status
    return status.leased == 0 && status.waiting == 0 && status.size <= connections
  }
}
