import Database
import Foundation
import Kit

/// Why a schema could not be brought to where it should be, in words an operator can act on. It quotes no values.
struct FleetFailure: Error, Sendable, Hashable, CustomStringConvertible {
  /// The migration's.
  var file: String?
  var line: Int?
  var reason: String
  /// The server could not be reached: nothing is wrong with the schema, as far as one can know.
  var isAway = false

  var description: String { reason }

  init(file: String? = nil, line: Int? = nil, reason: String, isAway: Bool = false) {
    (self.file, self.line, self.reason, self.isAway) = (file, line, reason, isAway)
  }

  init(_ error: any Error) {
    switch error {
    case let error as FleetFailure: self = error
    case MigrationError.failed(_, let file, let line, _): self.init(file: file, line: line, reason: "\(error)")
    case MigrationError.changed(_, let file, _, _): self.init(file: file, reason: "\(error)")
    case let error as DatabaseError: self.init(reason: "\(error)", isAway: error.isUnavailable)
    case let error as any CustomStringConvertible: self.init(reason: "\(error)")
    default: self.init(reason: "\(type(of: error))")
    }
  }

  /// Whether the same work may succeed a little later.
  static func isPassing(_ error: any Error) -> Bool {
    switch error {
    case MigrationError.failed(_, _, _, let cause): isPassing(cause)
    case let error as DatabaseError: error.isUnavailable || error.isRetryable || error.state == .lockNotAvailable
    default: false
    }
  }
}

/// What became of each schema.
struct FleetReport: Sendable {
  enum State: Sendable, Hashable {
    /// There was nothing to do.
    case current
    /// It is at its newest migrations; these were applied now.
    case migrated([String])
    /// A newer release has migrated it. This one runs on it: expand, then contract.
    case ahead
    /// It is not where this release needs it: it must not be served.
    case failed(FleetFailure)
    /// Its data are in this archive; its schema is gone.
    case archived(String)
    /// Not known: its server was away, or the run was ended before its turn.
    case notReached(String)
  }

  struct Line: Sendable {
    let member: FleetMember
    let state: State
  }

  /// By ``FleetMember/id``.
  private(set) var lines: [String: Line] = [:]
  /// What an operator should know beside.
  var remarks: [String] = []
  var elapsed: Duration = .zero

  mutating func note(_ member: FleetMember, _ state: State) { lines[member.id] = Line(member: member, state: state) }

  subscript(id: String) -> State? { lines[id]?.state }

  /// Why a tenant must not be served; `nil` when it may. One whose server is away may be tried: it answers 503 by itself.
  func refusal(of id: String) -> FleetFailure? {
    if case .failed(let failure)? = lines[id]?.state { failure } else { nil }
  }

  var failures: [(id: String, failure: FleetFailure)] {
    lines.compactMap { id, line in if case .failed(let failure) = line.state { (id, failure) } else { nil } }
      .sorted { $0.id < $1.id }
  }

  var notReached: [(id: String, reason: String)] {
    lines.compactMap { id, line in if case .notReached(let reason) = line.state { (id, reason) } else { nil } }
      .sorted { $0.id < $1.id }
  }

  /// Adds what became of others.
  mutating func merge(_ other: FleetReport) {
    lines.merge(other.lines) { _, new in new }
    remarks += other.remarks
    elapsed += other.elapsed
  }

  func count(where holds: (State) -> Bool) -> Int { lines.values.count { holds($0.state) } }

  var isComplete: Bool { failures.isEmpty && notReached.isEmpty }

  /// One line on all, then each that needs somebody, with file and line.
  var summary: String { ([headline] + details()).joined(separator: "\n  ") }

  /// One line on all.
  var headline: String {
    let migrated = count { if case .migrated = $0 { true } else { false } }
    let same = count { $0 == .current || $0 == .ahead }
    let archived = count { if case .archived = $0 { true } else { false } }
    var text = "\(lines.count) schemas: \(migrated) migrated, \(same) had nothing to do"
    if archived > 0 { text += ", \(archived) archived" }
    if !failures.isEmpty { text += ", \(failures.count) failed" }
    if !notReached.isEmpty { text += ", \(notReached.count) not reached" }
    return text + " (\(elapsed.formatted(.units(allowed: [.seconds, .milliseconds], fractionalPart: .hide))))"
  }

  /// A line on each that needs somebody; those that were not reached for the same reason share one.
  ///
  /// - Parameter told: whose failures were said before.
  func details(without told: Set<String> = []) -> [String] {
    var lines = remarks
    lines += failures.filter { !told.contains($0.id) }.map { id, failure in "\(id): \(failure)" }
    for (reason, group) in Dictionary(grouping: notReached, by: \.reason).sorted(by: { $0.key < $1.key }) {
      let names = group.prefix(5).map(\.id).joined(separator: ", ")
      lines.append("\(names)\(group.count > 5 ? " and \(group.count - 5) more" : ""): \(reason)")
    }
    return lines
  }
}

/// How far a run is.
struct FleetProgress: Sendable {
  /// Schemas that had something to do.
  let total: Int
  let done: Int
  let failed: Int
  let elapsed: Duration

  /// Schemas per second.
  var rate: Double { elapsed > .zero ? Double(done) / elapsed.inSeconds : 0 }
  /// `nil` before anything is done.
  var remaining: Duration? { done > 0 && rate > 0 ? .seconds(Double(total - done) / rate) : nil }

  /// `417 of 1000 schemas, 38/s, 15 s left, 1 failed`.
  var line: String {
    var text = "\(done) of \(total) schemas, \(rate < 10 ? String(format: "%.1f", rate) : String(Int(rate)))/s"
    if let remaining, done < total { text += ", \(Int(remaining.inSeconds.rounded(.up))) s left" }
    return failed > 0 ? text + ", \(failed) failed" : text
  }
}

/// What happened to one schema, as a line of the machine-readable log.
struct FleetEvent: Sendable, Encodable {
  enum Kind: String, Sendable, Encodable { case migrated, failed, retried, archived, restored }

  let event: Kind
  let tenant: String
  let database: String
  let schema: String
  var applied: [String]?
  var attempt: Int?
  var file: String?
  var line: Int?
  var reason: String?
  var milliseconds: Int?
}

extension FleetEvent {
  init(_ failure: FleetFailure, of member: FleetMember, attempt: Int? = nil) {
    self.init(
      event: .failed, tenant: member.id, database: member.database, schema: member.schema.name, attempt: attempt,
      file: failure.file, line: failure.line, reason: failure.reason)
  }
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
  var wholeMilliseconds: Int { Int((inSeconds * 1_000).rounded()) }
}
