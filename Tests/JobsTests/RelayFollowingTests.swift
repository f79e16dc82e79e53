import Database
import Foundation
import Kit
import Synchronization
import Testing

@testable import Jobs

@Suite("A relay whose outboxes come and go") struct RelayFollowingTests {
  private func event(_ type: String) -> Event {
    Event(id: UUID.v7(), type: type, tenant: nil, occurred: .now, payload: [:])
  }

  private final class Recorder: EventHandler {
    let name = "recorder"
    let types: Set<String> = ["asked", "answered"]
    let seen = Mutex<[String]>([])
    let told: AsyncStream<String>
    private let tell: AsyncStream<String>.Continuation
    init() { (told, tell) = AsyncStream.makeStream() }
    func apply(_ events: [Event]) async throws {
      for event in events {
        seen.withLock { $0.append(event.type) }
        tell.yield(event.type)
      }
    }
  }

  @Test("an outbox that is added is emptied, one that is taken away is left alone")
  func replace() async throws {
    try await JobCity.open { city in
      let recorder = Recorder()
      let relay = Relay(sources: [], handlers: [recorder], logger: city.logger)
      try await city.emit([event("asked")])
      await relay.drain()
      #expect(recorder.seen.withLock { $0 } == [])

      // Long, so that only the word of the replacement can have woken it.
      let running = Task { await relay.run(interval: .seconds(600)) }
      relay.replace(city.sources)
      for await _ in recorder.told { break }
      #expect(recorder.seen.withLock { $0 } == ["asked"])
      // The handler is told before the event has left its table.
      while try await city.waiting() > 0 {}
      running.cancel()
      await running.value

      relay.replace(city.sources.filter { $0.schema == JobCity.prep })
      try await city.emit([event("answered")])
      await relay.drain()
      #expect(recorder.seen.withLock { $0 } == ["asked"])
      #expect(try await city.waiting() == 1)
    }
  }

  @Test("only outboxes that may hold something are asked; the others count as empty")
  func survey() async throws {
    try await JobCity.open { city in
      let recorder = Recorder()
      let found = Mutex<Set<Schema>>([])
      let relay = Relay(
        sources: city.sources, handlers: [recorder], survey: { found.withLock { $0 } }, logger: city.logger)
      try await city.emit([event("asked")])
      await relay.drain()
      #expect(recorder.seen.withLock { $0 } == [])
      #expect(await relay.backlogs().map { $0.backlog?.waiting } == [0, 0])

      found.withLock { $0 = [JobCity.town] }
      #expect(await relay.backlogs().map { $0.backlog?.waiting } == [1, 0])
      await relay.drain()
      #expect(recorder.seen.withLock { $0 } == ["asked"])
    }
  }
}
