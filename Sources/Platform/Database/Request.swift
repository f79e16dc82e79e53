import CPostgres

typealias PoolID = UInt64
typealias ConnectionID = UInt64

/// One statement on its way through the loop, and the caller who waits for it.
///
/// Unchecked: made by the caller; what may change belongs to the loop's thread from the moment it is posted.
final class Request: Identifiable, @unchecked Sendable {
  typealias Time = ContinuousClock.Instant

  enum Role {
    /// A transaction of its own, on any connection.
    case autocommit
    /// On the connection that the lease holds; the first one takes it.
    case within(Lease)
    /// Gives the connection back.
    case end(Lease, commits: Bool)
  }

  enum Form {
    /// The extended protocol, in a pipeline; prepared when it comes again.
    case prepared
    /// The simple protocol: several statements, no parameters, no time limit.
    case script
    /// Rows to the server, or from it.
    case copy(CopySession)
  }

  private enum Waiter {
    case task(UnsafeContinuation<Rows, any Error>)
    /// Nobody waits; of a failure it is told.
    case observer(@Sendable (DatabaseError) -> Void)
  }

  let sql: SQL
  /// Of the text; see ``StatementCache``.
  let hash: Int
  let role: Role
  let form: Form
  private var waiter: Waiter?

  // On the loop's thread.
  /// Where it waits to be sent, or runs.
  unowned(unsafe) var connection: Connection?
  var submittedAt: Time?
  /// Given up before it came, or to be cancelled on the server when its turn is there.
  var isCancelled = false
  /// Its caller has been answered; what the server says is thrown away.
  private(set) var isAnswered = false
  var isSecondAttempt = false

  init(_ sql: SQL, as role: Role, form: Form = .prepared) {
    self.sql = sql
    self.role = role
    self.form = form
    hash = StatementCache.hash(of: sql.text)
  }

  /// To be called before it is posted.
  func waits(with continuation: UnsafeContinuation<Rows, any Error>) {
    waiter = .task(continuation)
  }

  /// To be called before it is posted, when nobody waits. A failure makes its transaction void.
  func reports(_ failure: @escaping @Sendable (DatabaseError) -> Void) { waiter = .observer(failure) }

  /// Answers the caller, once.
  func finish(_ outcome: Result<Rows, DatabaseError>) {
    guard !isAnswered else { return }
    isAnswered = true
    if case .copy(let session) = form { session.didEnd(outcome) }
    let waiter = waiter
    self.waiter = nil
    switch (waiter, outcome) {
    case (.task(let continuation), .success(let rows)): continuation.resume(returning: rows)
    case (.task(let continuation), .failure(let error)): continuation.resume(throwing: error)
    case (.observer(let report), .failure(let error)):
      if case .within(let lease) = role { lease.isVoid = true }
      report(error)
    case (.observer, .success), (nil, _): break
    }
  }

  var isPrepared: Bool {
    if case .prepared = form { return true }
    return false
  }

  var isAutocommit: Bool {
    if case .autocommit = role { return true }
    return false
  }

  var isCommit: Bool {
    if case .end(_, commits: true) = role { return true }
    return false
  }

  var isEnd: Bool {
    if case .end = role { return true }
    return false
  }

  /// What a broken connection means for this statement, once it was sent.
  var lossKind: DatabaseError.Kind {
    if case .end(_, commits: true) = role { return .outcomeUnknown }
    return .connectionLost
  }
}

/// A caller's hold on a connection: of a transaction, or of a COPY.
///
/// Unchecked: made by the caller; what may change belongs to the loop's thread.
final class Lease: @unchecked Sendable {
  enum Phase {
    /// Nothing was asked of it yet, or nothing came of it.
    case fresh
    /// In line for a connection; these are to be sent on it.
    case waiting
    case held(Connection)
    /// The connection broke.
    case lost
  }

  /// `nil`: no transaction is begun.
  let isolation: Isolation?
  var phase = Phase.fresh
  /// A statement nobody waited for has failed: nothing more is begun for this transaction.
  var isVoid = false
  var pending = FIFO<Request>()

  init(_ isolation: Isolation?) { self.isolation = isolation }
}

/// What a connection has sent as one: it is answered as one, and fails as one.
struct Segment {
  /// `nil`: housekeeping that belongs to nobody.
  let request: Request?
  /// Commands before the request's own: BEGIN and what belongs to it.
  var silent = 0
  /// Those begin a transaction.
  var begins = false
  /// The name the request's text is prepared under, between those and the request itself.
  var preparing: String?
  var isNamed = false
  /// Not in pipeline mode: it ends with the results, no sync follows.
  var isSimple = false
  let sentAt: ContinuousClock.Instant

  /// Which of its commands gives the request's answer.
  var answerStep: Int { silent + (preparing == nil ? 0 : 1) }
}

/// First in, first out.
struct FIFO<Element> {
  private var elements: ContiguousArray<Element?> = []
  private var head = 0

  var isEmpty: Bool { head == elements.count }
  var count: Int { elements.count - head }
  var first: Element? { isEmpty ? nil : elements[head] }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func prepend(_ element: Element) {
    if head > 0 {
      head -= 1
      elements[head] = element
    } else {
      elements.insert(element, at: 0)
    }
  }

  mutating func popFirst() -> Element? {
    guard head < elements.count else { return nil }
    let element = elements[head]
    elements[head] = nil
    head += 1
    if head == elements.count {
      elements.removeAll(keepingCapacity: elements.capacity <= 256)
      head = 0
    } else if head > 32, head * 2 > elements.count {
      // The space of those gone is won back once they are the larger half, so that each is moved at most once.
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  mutating func remove(where matches: (Element) -> Bool) -> Element? {
    guard let index = elements[head...].firstIndex(where: { $0.map(matches) ?? false }) else {
      return nil
    }
    return elements.remove(at: index)
  }

  mutating func removeAll() -> [Element] {
    defer {
      elements = []
      head = 0
    }
    return elements[head...].compactMap(\.self)
  }
}
