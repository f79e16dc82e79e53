import Database
import Kit
import Logging
import Synchronization

/// Words between the nodes: “look at this schema”. One connection on each server listens, on one channel for each schema, named
/// as it. A word carries nothing, may be lost, and may come twice; whoever hears it looks, and looks by itself now and then.
final class Looks: Sendable {
  typealias Place = (schema: Schema, server: DatabaseServer)

  private struct State {
    /// Of each schema, the client of its server and what listens there.
    var places: [Schema: Database] = [:]
    var listeners: [Schema: Task<Void, Never>] = [:]
    /// To be said, and not on its way yet.
    var unsaid: Set<Schema> = []
    var isSaying = false
    var isListening = false
    /// Nobody else is there to hear.
    var isAlone = false
  }

  private let logger: Logger
  private let state = Mutex(State())
  private let heard: @Sendable (Schema) -> Void

  /// - Parameter heard: told of each word, this node's own too.
  init(logger: Logger, heard: @escaping @Sendable (Schema) -> Void) {
    self.logger = logger
    self.heard = heard
  }

  /// These schemas from now on.
  func follow(_ places: [Place]) {
    let clients = Dictionary(places.map { ($0.schema, $0.server.core) }) { first, _ in first }
    state.withLock { state in
      for (schema, task) in state.listeners where clients[schema] !== state.places[schema] {
        task.cancel()
        state.listeners[schema] = nil
      }
      state.places = clients
      if state.isListening { listen(&state) }
    }
  }

  /// Listens until the task is cancelled.
  func run() async {
    state.withLock { state in
      state.isListening = true
      listen(&state)
    }
    while (try? await Task.sleep(for: .seconds(3_600))) != nil {}
    state.withLock { state in
      state.isListening = false
      for task in state.listeners.values { task.cancel() }
      state.listeners = [:]
    }
  }

  private func listen(_ state: inout State) {
    for (schema, client) in state.places where state.listeners[schema] == nil {
      state.listeners[schema] = Task { [heard] in
        for await _ in client.listen(on: schema.name) { heard(schema) }
      }
    }
  }

  /// Says to all nodes: look at this schema. To be called after the commit of what there is to see.
  ///
  /// Words of one moment go out together, in a statement of their own: a NOTIFY within the transaction of an effect would make
  /// every COMMIT of the database wait for every other.
  func announce(_ schema: Schema) {
    begin { $0.unsaid.insert(schema) }
  }

  /// Whether other processes are there. What is said to nobody is said again when somebody comes: she may have begun to
  /// remember before this node saw her.
  func isAlone(_ isAlone: Bool) { begin { $0.isAlone = isAlone } }

  private func begin(_ change: (inout State) -> Void) {
    let begins = state.withLock { state in
      change(&state)
      guard !state.isAlone, !state.isSaying, !state.unsaid.isEmpty else { return false }
      state.isSaying = true
      return true
    }
    if begins { Task { await say() } }
  }

  private func say() async {
    while let (schemas, places) = next() {
      let byClient = Dictionary(grouping: schemas) { places[$0].map { ObjectIdentifier($0) } }
      for schemas in byClient.values {
        guard let client = schemas.first.flatMap({ places[$0] }) else { continue }
        do {
          // Nothing is lost with a word, so it doesn't wait for the disk.
          _ = try await client.query(
            """
            SELECT set_config('synchronous_commit', 'off', true), pg_notify(channel, '')
            FROM unnest(\(schemas.map(\.name))) AS said (channel)
            """)
        } catch {
          logger.debug("nodes not told to look", metadata: ["error": "\(type(of: error))"])
        }
      }
    }
  }

  private func next() -> ([Schema], [Schema: Database])? {
    state.withLock { state in
      guard !state.unsaid.isEmpty else {
        state.isSaying = false
        return nil
      }
      defer { state.unsaid = [] }
      return (Array(state.unsaid), state.places)
    }
  }
}
