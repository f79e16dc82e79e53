import CPostgres
import Synchronization

/// Rows on their way to the server. Unchecked as ``CopySession`` says.
final class CopyInSession: CopySession, @unchecked Sendable {
  private enum End {
    case finish
    case abort(String)
  }

  private struct State {
    var chunks = FIFO<[UInt8]>()
    var size = 0
    var end: End?
    /// The request has been answered: nothing more is wanted.
    var isOver = false
    var isPosted = false
    var producer: UnsafeContinuation<Bool, Never>?
  }

  private let state = Mutex(State())
  /// The chunk that is being handed to libpq, and how much of it has been.
  private var current: (bytes: [UInt8], sent: Int)?

  /// libpq copies what it is given and writes when it can: little at a time, to see when the socket is full.
  private static let portion = 64 * 1_024

  // MARK: On the caller's side

  /// Waits while the buffer is full.
  /// - Returns: `false` when the COPY is over; the request's answer says why.
  func write(_ chunk: [UInt8]) async -> Bool {
    if chunk.isEmpty { return state.withLock { !$0.isOver } }
    let (isOver, isFull, mustPost) = state.withLock { state -> (Bool, Bool, Bool) in
      guard !state.isOver, state.end == nil else { return (true, false, false) }
      state.chunks.append(chunk)
      state.size += chunk.count
      defer { state.isPosted = true }
      return (false, state.size >= CopySession.bufferSize, !state.isPosted)
    }
    if isOver { return false }
    if mustPost { inbox.post(.copy(self)) }
    guard isFull else { return true }
    return await withUnsafeContinuation { continuation in
      let answer = state.withLock { state -> Bool? in
        if state.isOver || state.end != nil { return false }
        if state.size < CopySession.bufferSize { return true }
        state.producer = continuation
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }

  /// All rows have been written.
  func finish() { end(.finish) }

  /// Nothing is to be stored. The reason is the server's message.
  func abort(_ reason: String) { end(.abort(reason)) }

  private func end(_ end: End) {
    let producer = state.withLock { state -> UnsafeContinuation<Bool, Never>? in
      guard state.end == nil else { return nil }
      state.end = end
      defer { state.producer = nil }
      return state.producer
    }
    producer?.resume(returning: false)
    inbox.post(.copy(self))
  }

  override func didEnd(_ outcome: Result<Rows, DatabaseError>) {
    let producer = state.withLock { state -> UnsafeContinuation<Bool, Never>? in
      state.isOver = true
      _ = state.chunks.removeAll()
      defer { state.producer = nil }
      return state.producer
    }
    producer?.resume(returning: false)
  }

  // MARK: On the loop's side

  override var isSending: Bool { isFlowing }

  override func start(on connection: Connection, incoming: Bool) -> Bool {
    guard !incoming else { return false }
    self.connection = connection
    proceed()
    return true
  }

  override func giveUp() -> Bool {
    abort("cancelled")
    return connection != nil
  }

  /// Hands over what the socket takes. Bounded: no more than the buffer holds.
  override func proceed() {
    state.withLock { $0.isPosted = false }
    guard let connection else { return }
    connection.listenWhileSending()
    while self.connection != nil, !connection.isBlocked, let portion = nextPortion() {
      guard connection.put(portion) else { return }
    }
    guard self.connection != nil, !connection.isBlocked, current == nil else { return }
    switch state.withLock({ $0.chunks.isEmpty ? $0.end : nil }) {
    case nil: return
    case .finish: end(connection, with: nil)
    case .abort(let reason): end(connection, with: reason)
    }
  }

  private func end(_ connection: Connection, with reason: String?) {
    self.connection = nil
    connection.endCopyIn(reason)
  }

  private func nextPortion() -> ArraySlice<UInt8>? {
    if current == nil {
      let (chunk, producer) = state.withLock {
        state -> ([UInt8]?, UnsafeContinuation<Bool, Never>?) in
        if case .abort = state.end { _ = state.chunks.removeAll() }
        guard let chunk = state.chunks.popFirst() else { return (nil, nil) }
        state.size -= chunk.count
        guard state.size < CopySession.bufferSize / 2 else { return (chunk, nil) }
        defer { state.producer = nil }
        return (chunk, state.producer)
      }
      producer?.resume(returning: true)
      guard let chunk else { return nil }
      current = (chunk, 0)
    }
    guard let (bytes, sent) = current else { return nil }
    let end = min(bytes.count, sent + CopyInSession.portion)
    current = end == bytes.count ? nil : (bytes, end)
    return bytes[sent..<end]
  }
}

extension Database {
  /// Stores rows in bulk, with a COPY … FROM STDIN (PostgreSQL manual, COPY): all of them, or none.
  ///
  /// The chunks are what the statement's FORMAT says, cut anywhere; ``CopyRow`` makes them from values. No more is asked of
  /// `chunks` than the server can take. When `chunks` throws, or the task is cancelled, nothing is stored.
  /// - Returns: how many rows were stored.
  /// - Throws: what `chunks` throws, or ``DatabaseError``.
  @discardableResult
  public func copy<Chunks: AsyncSequence>(into sql: SQL, from chunks: Chunks) async throws -> Int
  where Chunks.Element == [UInt8] {
    try await copyIn(sql, from: chunks, within: Lease(nil))
  }

  /// Stores rows in bulk from chunks that are there already, or are made one after the other.
  /// - Returns: how many rows were stored.
  /// - Throws: ``DatabaseError``.
  @discardableResult
  public func copy(into sql: SQL, from chunks: some Sequence<[UInt8]>) async throws -> Int {
    try await copy(into: sql, from: InTurn(chunks))
  }

  func copyIn<Chunks: AsyncSequence>(
    _ sql: SQL, from chunks: Chunks, within lease: Lease
  ) async throws -> Int where Chunks.Element == [UInt8] {
    if let reason = sql.refusalOfCopy { throw refuse(sql, reason) }
    let session = CopyInSession(handle: handle, inbox: loop.inbox)
    let request = Request(sql, as: .within(lease), form: .copy(session))
    async let answer = perform(request)
    do {
      for try await chunk in chunks {
        // Not `break`: it would be taken for the end of the rows.
        guard !Task.isCancelled, await session.write(chunk) else {
          session.abort("the sender gave up")
          return try await answer.affected
        }
      }
    } catch {
      session.abort("the sender failed")
      _ = try? await answer
      throw error
    }
    // A stream ends early when its task is cancelled.
    if Task.isCancelled { session.abort("cancelled") } else { session.finish() }
    return try await answer.affected
  }
}

extension Transaction {
  /// Stores rows in bulk, as ``Database/copy(into:from:)`` does, in this transaction.
  /// - Returns: how many rows were stored.
  /// - Throws: what `chunks` throws, or ``DatabaseError``.
  @discardableResult
  public func copy<Chunks: AsyncSequence>(into sql: SQL, from chunks: Chunks) async throws -> Int
  where Chunks.Element == [UInt8] {
    try await scope.run { try await $0.copyIn(sql, from: chunks, within: $1) }
  }

  /// Stores rows in bulk from chunks that are there already, or are made one after the other.
  /// - Returns: how many rows were stored.
  /// - Throws: ``DatabaseError``.
  @discardableResult
  public func copy(into sql: SQL, from chunks: some Sequence<[UInt8]>) async throws -> Int {
    try await copy(into: sql, from: InTurn(chunks))
  }
}

/// A sequence as an asynchronous one.
struct InTurn<Base: Sequence>: AsyncSequence {
  typealias Element = Base.Element
  private let base: Base
  init(_ base: Base) { self.base = base }

  struct AsyncIterator: AsyncIteratorProtocol {
    var base: Base.Iterator
    mutating func next() async -> Base.Element? { base.next() }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: base.makeIterator()) }
}
