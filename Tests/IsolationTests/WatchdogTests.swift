import Database
import Foundation
import Kit
import Testing

/// What the watchdog decides, without a server.
@Suite struct WatchdogTests {
  private let now = Instant(seconds: 1_000_000)
  private var limits: WatchdogLimits {
    var limits = WatchdogLimits()
    limits.times = .init(statement: .seconds(10), transaction: .seconds(30), idleInTransaction: .seconds(20))
    limits.heavyTimes = .init(statement: .seconds(100), transaction: .seconds(300), idleInTransaction: .seconds(20))
    limits.heavyConnections = 2
    limits.connections = 3
    limits.locks = 50
    limits.memoryMegabytes = 100
    return limits
  }

  private func backend(
    _ id: Int32, role: String = "town", isHeavy: Bool = false, statement: Int64? = nil, transaction: Int64? = nil,
    idle: Int64? = nil, locks: Int = 0, memory: Int? = nil
  ) -> Backend {
    func before(_ seconds: Int64?) -> Instant? { seconds.map { now - .seconds($0) } }
    return Backend(
      id: id, role: role, isHeavy: isHeavy, began: now - .seconds(10_000 - Int64(id)), seen: now,
      statementBegan: before(statement), transactionBegan: before(transaction), idleSince: before(idle), locks: locks,
      memory: memory)
  }

  private func ended(_ backends: [Backend]) -> [Int32: Excess.Kind] {
    Dictionary(uniqueKeysWithValues: limits.excesses(of: backends).map { ($0.backend.id, $0.excess.kind) })
  }

  @Test func `What stays within its bounds is left alone`() {
    let all = [
      backend(1), backend(2, statement: 10, transaction: 30, locks: 50, memory: 100 << 20), backend(3, transaction: 25, idle: 20),
    ]
    #expect(ended(all) == [:])
  }

  @Test func `Each bound has its own name`() {
    let all = [
      backend(1, role: "a", statement: 11), backend(2, role: "b", transaction: 31),
      backend(3, role: "c", transaction: 25, idle: 21),
      backend(4, role: "d", locks: 51), backend(5, role: "e", memory: 101 << 20),
    ]
    #expect(ended(all) == [1: .statement, 2: .transaction, 3: .idleInTransaction, 4: .locks, 5: .memory])
  }

  @Test func `Locks and memory, which harm all at once, come before time`() {
    #expect(ended([backend(1, statement: 1_000, locks: 51)]) == [1: .locks])
    #expect(ended([backend(1, statement: 1_000, memory: 1 << 30)]) == [1: .memory])
  }

  @Test func `Of a role's connections the newest are too many`() {
    let all = (1...5).map { backend($0) } + (6...8).map { backend($0, role: "prep") }
    #expect(ended(all) == [4: .connections, 5: .connections])
  }

  @Test func `Heavy work has more time, on as many connections as it may have`() {
    // The third calls itself heavy, too.
    let all = (1...3).map { backend($0, isHeavy: true, statement: 90, transaction: 90) }
    #expect(ended(all) == [3: .statement])
    #expect(ended([backend(1, isHeavy: true, statement: 101)]) == [1: .statement])
    #expect(ended([backend(1, isHeavy: true, transaction: 60, idle: 21)]) == [1: .idleInTransaction])
  }

  @Test func `A process that is no backend of the server is not touched`() async throws {
    // Ourselves: a child of somebody else.
    let processes = BackendProcesses(postmaster: 1)
    #expect(processes.privateMemory(of: 0) == nil)
    #expect(!BackendProcesses(postmaster: getpid()).lowerPriority(of: getpid()))
    #expect(getpriority(.init(PRIO_PROCESS.rawValue), 0) == 0)
  }
}
