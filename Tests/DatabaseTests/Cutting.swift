import Database
import Support
import Testing

typealias Fault = LineProxy.Fault

/// What one cut came to.
struct Cut: Sendable {
  let key: Int
  let fault: Fault
  let ending: Ending<Int>
  /// Those of the call's rows that the database has.
  let rows: Int

  var comment: Comment { "\(fault): \(ending), \(rows) rows" }

  func isAt(_ direction: LineProxy.Direction, _ messages: some RangeExpression<Int>) -> Bool {
    fault.direction == direction && messages.contains(fault.message)
  }
}

/// A call's messages when nothing is cut.
struct Course: Sendable {
  let passages: [LineProxy.Passage]

  func count(_ direction: LineProxy.Direction) -> Int { passages.last { $0.direction == direction }?.number ?? 0 }

  /// The number of the server's message that says that the last statement of this command tag is done.
  func completion(of tag: String) -> Int {
    passages.last { $0.direction == .toClient && $0.message.type == "C" && $0.message.contains(tag) }?.number ?? 0
  }

  /// The number of the client's first message behind one of the server's.
  func request(after answer: Int) -> Int {
    let rest = passages.drop { $0.direction != .toClient || $0.number != answer }
    return rest.first { $0.direction == .toServer }?.number ?? .max
  }

  /// One for each message and moment; an orderly end and a reset by turns.
  func faults(_ moments: [Fault.Moment]) -> [Fault] {
    LineProxy.Direction.allCases.flatMap { direction in
      (0..<count(direction)).flatMap { index in
        moments.enumerated().map { turn, moment in
          Fault((turn + index).isMultiple(of: 2) ? .close : .reset, moment, index + 1, direction)
        }
      }
    }
  }
}

/// A call that is cut, at each of its messages in turn.
struct Cutting: Sendable {
  var connections = 1
  var moments = Fault.Moment.allCases
  /// Whether the number of messages is the same every time, so that every fault's message comes.
  var isRegular = true
  /// Makes the connection, and the plans that the call is to find.
  var warmUp: @Sendable (Database) async throws -> Void
  /// Inserts rows with the key into `t (key bigint, part bigint)`, and gives their number.
  var call: @Sendable (_ database: Database, _ key: Int) async throws -> Int

  /// Learns the course, then cuts. After each cut the pool has noticed one loss, holds nothing, and serves the next call.
  func sweep(_ test: TestDatabase) async throws -> (course: Course, cuts: [Cut]) {
    try await test.database.execute("CREATE TABLE t (key bigint, part bigint)")
    let proxy = try LineProxy(to: test.settings)
    defer { proxy.close() }
    let database = Database(
      proxy.settings(test.settings), pool: .patient(connections: connections), name: "cut",
      logger: test.logger, loop: test.loop)
    try await warmUp(database)
    proxy.arm(nil)
    #expect(try await call(database, 0) > 0)
    // The answer may be there before the last message is.
    #expect(await eventually(within: .seconds(20)) { proxy.passages.last?.message.type == "Z" })
    let course = Course(passages: proxy.passages)
    var cuts: [Cut] = []
    for (index, fault) in course.faults(moments).enumerated() {
      try await warmUp(database)
      if let cut = try await make(fault, key: index + 1, proxy, database, test) { cuts.append(cut) }
    }
    await database.close()
    let backends: SQL = """
      SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'metropolis cut'
      """
    #expect(try await eventually(within: .seconds(20)) { try await test.database.one(backends)?.get("n") == 0 })
    #expect(await eventually(within: .seconds(20)) { proxy.lines == 0 })
    #expect(!cuts.isEmpty)
    return (course, cuts)
  }

  private func make(
    _ fault: Fault, key: Int, _ proxy: LineProxy, _ database: Database, _ test: TestDatabase
  ) async throws -> Cut? {
    let comment = Comment(rawValue: "\(fault)")
    #expect(await isAtRest(database, connections: connections), comment)
    let losses = database.losses
    proxy.arm(fault)
    let outcome = await ending { try await call(database, key) }
    if isRegular {
      #expect(await ending { await proxy.fired() }.hasSucceeded, comment)
    } else if !proxy.hasFired {
      // Fewer messages than the first time: the fault must not come to the next call.
      proxy.arm(nil)
      return nil
    }
    #expect(await eventually(within: .seconds(20)) { database.losses == losses + 1 }, comment)
    #expect(await isAtRest(database, connections: connections), comment)
    let next = await ending { try await database.one("SELECT \(key) AS x")?.get("x", as: Int.self) }
    #expect(next.value == key, comment)
    // The server may still be at it: it notices the cut when it reads or writes the next time.
    let isIdle: SQL = """
      SELECT count(*) AS n FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'metropolis cut' AND state <> 'idle'
      """
    #expect(try await eventually(within: .seconds(20)) { try await test.database.one(isIdle)?.get("n") == 0 }, comment)
    let rows = try await test.database.one("SELECT count(*) AS n FROM t WHERE key = \(key)")?.get("n", as: Int.self)
    return Cut(key: key, fault: fault, ending: outcome, rows: rows ?? -1)
  }
}

extension Database {
  /// Connections that broke or did not come about.
  var losses: Int { status.connectionsLost + status.connectionsFailed }
}

extension PoolSettings {
  /// For lines that are slow only because the machine is busy.
  static func patient(connections: Int) -> PoolSettings {
    PoolSettings(connections: connections, waitTimeout: .seconds(15), connectTimeout: .seconds(15))
  }
}

/// What holds for a cut statement outside of a transaction: of its rows all are there, or none.
func judge(_ cuts: [Cut], of course: Course, _ tag: String, rows: Int) {
  let done = course.completion(of: tag)
  #expect(done > 0)
  for cut in cuts {
    switch cut.ending {
    case .success: #expect(cut.rows == rows, cut.comment)
    case .failure(let error) where error.kind == .connectionLost: #expect([0, rows].contains(cut.rows), cut.comment)
    case .failure(let error) where error.kind == .connectionFailed: #expect(cut.rows == 0, cut.comment)
    default: Issue.record(cut.comment)
    }
    // Who has not heard that it is done does not say so; what the server has done stays done.
    if cut.isAt(.toServer, 1...) || cut.isAt(.toClient, ..<done) { #expect(!cut.ending.hasSucceeded, cut.comment) }
    if cut.isAt(.toClient, done...) { #expect(cut.rows == rows, cut.comment) }
  }
}

/// What holds for a cut transaction: up to COMMIT nothing is there, from then on all or nothing, and the caller can't know.
/// - Parameter tag: of the last statement in its body.
func judgeTransaction(_ cuts: [Cut], of course: Course, _ tag: String, rows: Int) {
  let body = course.completion(of: tag)
  let commit = course.request(after: body)
  let committed = course.completion(of: "COMMIT")
  #expect(0 < body && body < committed && commit < .max)
  for cut in cuts {
    switch cut.ending {
    case .success: #expect(cut.rows == rows, cut.comment)
    case .failure(let error) where error.kind == .connectionLost: #expect(cut.rows == 0, cut.comment)
    case .failure(let error) where error.kind == .outcomeUnknown: #expect([0, rows].contains(cut.rows), cut.comment)
    default: Issue.record(cut.comment)
    }
    if cut.isAt(.toServer, ..<commit) || cut.isAt(.toClient, ..<body) {
      #expect(cut.ending.kind == .connectionLost, cut.comment)
    } else if cut.isAt(.toServer, commit...) || cut.isAt(.toClient, (body + 2)..<committed) {
      #expect(cut.ending.kind == .outcomeUnknown, cut.comment)
    } else if cut.isAt(.toClient, committed...) {
      #expect(cut.rows == rows && (cut.ending.hasSucceeded || cut.ending.kind == .outcomeUnknown), cut.comment)
    }
  }
  // Both have come about: unknown, and there; unknown, and not there.
  #expect(Set(cuts.filter { $0.ending.kind == .outcomeUnknown }.map(\.rows)) == [0, rows])
}
