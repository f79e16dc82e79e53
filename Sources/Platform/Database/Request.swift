typealias RequestID = UInt64
typealias LeaseID = UInt64
typealias PoolID = UInt64
typealias ConnectionID = UInt64

/// One statement on its way through the loop.
struct Request: Identifiable, Sendable {
  enum Role: Sendable, Equatable {
    /// A transaction of its own, on any connection.
    case autocommit
    /// Takes a connection and keeps it.
    case begin(LeaseID)
    case within(LeaseID)
    /// Gives the connection back.
    case end(LeaseID, commits: Bool)
  }

  enum Form: Sendable {
    /// The extended protocol; prepared when it comes again.
    case prepared
    /// The simple protocol: several statements, no parameters, no time limit.
    case script
  }

  let id: RequestID
  let sql: SQL
  let role: Role
  let form: Form
  let completion: @Sendable (Result<Rows, DatabaseError>) -> Void

  /// What a broken connection means for this statement.
  var lossKind: DatabaseError.Kind {
    if case .end(_, commits: true) = role { return .outcomeUnknown }
    return .connectionLost
  }
}

/// First in, first out.
struct FIFO<Element> {
  private var elements: [Element] = []
  private var head = 0

  var isEmpty: Bool { head == elements.count }
  var count: Int { elements.count - head }
  var first: Element? { isEmpty ? nil : elements[head] }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func popFirst() -> Element? {
    guard !isEmpty else { return nil }
    let element = elements[head]
    head += 1
    // The space of those gone is won back once they are the larger half, so that each is moved at most once.
    if head > 32, head * 2 > elements.count { compact() }
    return element
  }

  mutating func remove(where matches: (Element) -> Bool) -> Element? {
    guard let index = elements[head...].firstIndex(where: matches) else { return nil }
    return elements.remove(at: index)
  }

  mutating func removeAll() -> [Element] {
    compact()
    defer { elements = [] }
    return elements
  }

  private mutating func compact() {
    elements.removeFirst(head)
    head = 0
  }
}
