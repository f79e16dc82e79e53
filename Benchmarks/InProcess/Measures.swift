import Database
import Foundation
import Kit

@testable import Billing

/// One answer of the bench: figures by name.
typealias Figures = [String: Double]

/// A promise of the product that did not hold; the figures are void.
struct Broken: Error { let words: String }

extension Bench {
  /// Checks one after the other, of persons by turns. The reads of a cache that has become old are in it.
  func check(_ feature: String, seconds: Double) async throws -> Figures {
    let persons = (1...Bench.persons).map { PersonID(Bench.id($0)) }
    let entitlements = billing.entitlements
    for person in persons { _ = try await entitlements.check(person, feature, at: Bench.tenant) }
    let before = database.status.statements
    let (start, worked) = (ContinuousClock.now, processorTime())
    var (count, elapsed) = (0, Duration.zero)
    while elapsed < .seconds(seconds) {
      for person in persons {
        guard try await entitlements.check(person, feature, at: Bench.tenant) != .none else { throw Broken(words: "no grant") }
      }
      count += persons.count
      elapsed = .now - start
    }
    return [
      "nanoseconds": elapsed / .nanoseconds(1) / Double(count),
      "processor": (processorTime() - worked) / Double(count), "queries": Double(database.status.statements - before),
      "checks": Double(count),
    ]
  }

  /// Nanoseconds that this process has had a processor: what others beside it do is not in it.
  private func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
  }

  func consume(clients: Int, seconds: Double) async throws -> Figures {
    try await rate(clients, seconds) { try await take(by: .random(in: 1...Bench.persons)) }
  }

  func take(by number: Int = 1) async throws {
    try await billing.entitlements.consume(
      PersonID(Bench.id(number)), Bench.endless, at: Bench.tenant, key: .v7(at: .now))
  }

  /// A row of use for each person.
  func fill() async throws {
    for number in 1...Bench.persons { try await take(by: number) }
    try await admin.execute("ANALYZE")
  }

  /// One row by its key, decoded: the client alone. Its tasks share the connections, and their statements the round trips.
  func look(clients: Int, seconds: Double, connections: Int) async throws -> Figures {
    let few = connect(connections)
    let before = processorTime()
    var figures = try await rate(clients, seconds) { try await row(of: .random(in: 1...Bench.persons), few) }
    await few.close()
    figures["processor"] = (processorTime() - before) / (figures["rate"]! * seconds)
    return figures
  }

  func row(of number: Int = 1, _ database: Database) async throws {
    let rows = try await database.query(
      "SELECT pool, used, allowed FROM \(Bench.schema).usage_counter WHERE person = \(Bench.id(number))")
    guard let row = rows.first, try row.get("used", as: Int64.self) > 0, try !row.get("pool", as: String.self).isEmpty else {
      throw Broken(words: "no row of \(number)")
    }
  }

  /// As many tasks as `takers` want a person's last unit at once, again and again: one has it each time.
  func last(takers: Int, times: Int) async throws -> Figures {
    var elapsed = Duration.zero
    for _ in 0..<times {
      let person = PersonID(UUID())
      for _ in 0..<2 { try await takeScarce(person) }
      let start = ContinuousClock.now
      let taken = await withTaskGroup(of: Bool?.self) { group in
        for _ in 0..<takers {
          group.addTask {
            do {
              try await takeScarce(person)
              return true
            } catch let problem as Problem where problem.kind == .quotaExceeded {
              return false
            } catch {
              return nil
            }
          }
        }
        return await group.reduce(into: [Bool?]()) { $0.append($1) }
      }
      elapsed += .now - start
      let used = try await admin.one(
        "SELECT used FROM \(Bench.schema).usage_counter WHERE person = \(person)")?.get("used", as: Int.self)
      guard taken.count(where: { $0 == true }) == 1, !taken.contains(nil), used == 3 else {
        throw Broken(words: "\(taken.count { $0 == true }) of \(takers) took the last unit; the counter says \(used ?? 0)")
      }
    }
    return ["takes": Double(takers * times) / (elapsed / .seconds(1)), "times": Double(times)]
  }

  private func takeScarce(_ person: PersonID) async throws {
    try await billing.entitlements.consume(person, Bench.scarce, at: Bench.tenant, key: .v7(at: .now))
  }

  /// Entries as an invoice makes them: an account's receivable, tax, and deferred revenue.
  func post(clients: Int, seconds: Double) async throws -> Figures { try await rate(clients, seconds, post) }

  /// Opens the accounts that all posts need.
  func openAccounts() async throws {
    for number in 1...Bench.persons { try await post(to: number) }
  }

  func post() async throws { try await post(to: .random(in: 1...Bench.persons)) }

  func post(to number: Int) async throws {
    let (account, invoice) = (Bench.id(number), UUID.v7(at: .now))
    try await billing.ledger.post(
      Entry(
        key: "invoice:\(invoice.text)", description: "invoice.issued",
        details: ["invoice": .string(invoice.text), "account": .string(account.text)], occurred: .now,
        postings: [
          .init(.receivable(of: account, .krw), 19_900), .init(.tax(entity: "seller", .krw), -1_809),
          .init(.deferred(entity: "seller", .krw), -18_091),
        ]))
  }

  private func rate(_ clients: Int, _ seconds: Double, _ act: @Sendable @escaping () async throws -> Void) async throws -> Figures
  {
    let start = ContinuousClock.now
    let count = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<clients {
        group.addTask {
          var count = 0
          while .now - start < .seconds(seconds) {
            try await act()
            count += 1
          }
          return count
        }
      }
      return try await group.reduce(0, +)
    }
    return ["rate": Double(count) / ((.now - start) / .seconds(1))]
  }
}
