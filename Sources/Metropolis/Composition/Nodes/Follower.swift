import Database
import Dispatch
import Foundation
import Kit
import Logging
import Synchronization

/// Keeps this node at the newest stored configuration, and says in the table of nodes which one it follows.
final class Follower: Sendable {
  /// How often it beats, and looks by itself.
  static let interval = Duration.seconds(1)

  typealias Apply = @Sendable (CityConfiguration, Int) async throws -> Void
  typealias Meet = @Sendable (_ isAlone: Bool) -> Void

  private struct State {
    var version: Int
    /// The version that can't be followed, and why.
    var refused: (version: Int, reason: String)?
  }

  private let store: ConfigurationStore
  private let database: Database
  private let register: NodeRegister
  private let id = UUID()
  private let role: NodeRole
  private let address: String
  private let logger: Logger
  private let meet: Meet
  private let apply: Apply
  private let state: Mutex<State>

  /// - Parameters:
  ///   - version: what the node follows already.
  ///   - meet: told again and again whether other nodes live.
  ///   - apply: puts a configuration in place; throws when it can't, and has changed nothing then.
  init(
    database: Database, register: NodeRegister, role: NodeRole, address: String, version: Int, logger: Logger,
    meet: @escaping Meet, apply: @escaping Apply
  ) {
    self.database = database
    store = ConfigurationStore(database)
    self.register = register
    self.role = role
    self.address = address
    self.logger = logger
    self.meet = meet
    self.apply = apply
    state = Mutex(State(version: version))
  }

  /// Works until the task is cancelled; then the node is taken from the table.
  func run() async {
    let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [database] in
        for await _ in database.listen(on: ConfigurationStore.channel) { signal.yield() }
      }
      group.addTask {
        while !Task.isCancelled {
          signal.yield()
          try? await Task.sleep(for: Follower.interval)
        }
        signal.finish()
      }
      for await _ in signals { await look() }
      group.cancelAll()
    }
    // The task is cancelled by now, and with it whatever it asked.
    await Task { [register, id] in try? await register.leave(id) }.value
  }

  /// Beats, and follows a newer version if there is one.
  private func look() async {
    do {
      let (newest, isAlone) = try await register.beat(node)
      meet(isAlone)
      guard newest > state.withLock({ max($0.version, $0.refused?.version ?? 0) }) else { return }
      guard let stored = try await store.newest() else { return }
      await follow(stored)
      _ = try await register.beat(node)
    } catch {
      if !Task.isCancelled { logger.warning("configuration not looked at", metadata: ["error": "\(error)"]) }
    }
  }

  private func follow(_ stored: ConfigurationStore.Version) async {
    let began = ContinuousClock.now
    do {
      // A large document takes a while to read: not on a thread that requests wait for.
      let configuration = try await aside { try stored.configuration() }
      try await apply(configuration, stored.number)
      state.withLock { $0 = State(version: stored.number) }
      logger.notice(
        "configuration followed",
        metadata: [
          "version": "\(stored.number)", "tenants": "\(configuration.tenants.count)",
          "ms": "\((ContinuousClock.now - began).milliseconds)",
        ])
    } catch let error as DatabaseError {
      // It may go well the next time.
      logger.warning("configuration not followed", metadata: ["version": "\(stored.number)", "error": "\(error)"])
    } catch {
      state.withLock { $0.refused = (stored.number, "\(error)") }
      logger.error("configuration refused", metadata: ["version": "\(stored.number)", "reason": "\(error)"])
    }
  }

  private var node: NodeRegister.Node {
    let (version, fault) = state.withLock { ($0.version, $0.refused.map { NodeRegister.Node.fault(at: $0.version, $0.reason) }) }
    return NodeRegister.Node(id: id, role: role, address: address, version: version, fault: fault)
  }
}

extension ConfigurationStore.Version {
  /// What nodes follow of it.
  /// - Throws: ``Failure`` when this release can't read it.
  func configuration() throws -> CityConfiguration {
    do {
      return try CityConfiguration(reading: live, file: "configuration version \(number)")
    } catch {
      throw Failure(description: "this release can't read the configuration that is applied:\n\(error)")
    }
  }
}

/// Does what takes the processor for long, on a thread that no request waits for.
func aside<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue.global().async { continuation.resume(with: Result { try work() }) }
  }
}
