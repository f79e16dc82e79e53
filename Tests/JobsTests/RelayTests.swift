import Database
import Foundation
import Kit
import Support
import Synchronization
import Testing

@testable import Jobs

@Suite("The relay of events", .timeLimit(.minutes(2))) struct RelayTests {
  @Test("an event arrives as it was written, and leaves its outbox")
  func delivery() async throws {
    try await JobCity.open { city in
      let recorder = Recorder()
      let event = Event(
        id: .v7(), type: "answer.accepted", version: 3, tenant: TenantID("town"),
        occurred: Instant(microseconds: 1_795_237_350_123_456), payload: ["points": 30, "말": "고마워요"])
      try await city.emit([event])
      let relay = city.relay(recorder)
      await relay.drain()
      let arrived = try #require(recorder.applied.first)
      #expect(recorder.applied.count == 1)
      #expect(arrived.id == event.id)
      #expect(arrived.type == event.type)
      #expect(arrived.version == 3)
      #expect(arrived.tenant == TenantID("town"))
      #expect(arrived.occurred == event.occurred)
      #expect(arrived.payload == event.payload)
      #expect(try await city.waiting() == 0)
      #expect(relay.delivered == (1, 0))
      await relay.drain()
      #expect(recorder.applied.count == 1)
    }
  }

  @Test("what a transaction took back was never written, and wakes nobody")
  func rollback() async throws {
    try await JobCity.open { city in
      let woken = Mutex(0)
      let outbox = OutboxTable(schema: JobCity.town, tenant: nil) { woken.withLock { $0 += 1 } }
      await #expect(throws: Fault.self) {
        try await city.town.transaction { transaction in
          try outbox.write(.sample(), in: transaction)
          throw Fault()
        }
      }
      let waiting = try await city.waiting()
      #expect(waiting == 0)
      #expect(woken.withLock { $0 } == 0)
    }
  }

  @Test("an event written twice under one id is one event, and the first one")
  func writtenTwice() async throws {
    try await JobCity.open { city in
      let first = Event.sample("answer.accepted", ["n": 1])
      let again = Event(id: first.id, type: first.type, tenant: nil, occurred: first.occurred, payload: ["n": 2])
      try await city.emit([first])
      try await city.emit([again])
      let recorder = Recorder()
      await city.relay(recorder).drain()
      #expect(recorder.applied.map(\.payload) == [["n": 1]])
    }
  }

  @Test("events of one outbox come in its order, over many batches")
  func order() async throws {
    try await JobCity.open { city in
      let events = (0..<250).map { Event.sample("answer.accepted", ["n": .integer(Int64($0))]) }
      for part in stride(from: 0, to: 250, by: 50) { try await city.emit(Array(events[part..<part + 50])) }
      let recorder = Recorder()
      await city.relay(recorder).drain()
      #expect(recorder.applied.map(\.id) == events.map(\.id))
    }
  }

  @Test("each handler gets the types it acts on; an event of nobody's leaves too")
  func types() async throws {
    try await JobCity.open { city in
      let events = [Event.sample("a"), .sample("b"), .sample("c"), .sample("a")]
      try await city.emit(events)
      let (a, both) = (Recorder(["a"]), Recorder(["a", "b"]))
      await city.relay(a, both).drain()
      #expect(a.applied.map(\.type) == ["a", "a"])
      #expect(both.applied.map(\.type) == ["a", "b", "a"])
      #expect(try await city.waiting() == 0)
    }
  }

  @Test("an event that can't be applied waits and is tried again; those beside it are not held up")
  func retry() async throws {
    try await JobCity.open { city in
      let events = (0..<3).map { _ in Event.sample() }
      try await city.emit(events)
      let recorder = Recorder(failing: [events[1].id])
      let relay = city.relay(recorder)
      await relay.drain()
      #expect(recorder.applied.map(\.id) == [events[0].id, events[2].id])
      #expect(relay.delivered == (2, 1))

      let row = try #require(
        try await city.town.one("SELECT id, attempts, last_error, due > now() AS later FROM \(JobCity.town).outbox"))
      #expect(try row.get("id") == events[1].id)
      #expect(try row.get("attempts") == 1)
      #expect(try row.get("later") == true)
      // The error's values may be personal: its type alone is kept.
      #expect(try row.get("last_error") == "recorder: Fault")

      await relay.drain()
      #expect(recorder.applied.count == 2)
      recorder.heal()
      try await city.town.execute("UPDATE \(JobCity.town).outbox SET due = now()")
      await relay.drain()
      #expect(recorder.applied.map(\.id) == [events[0].id, events[2].id, events[1].id])
      #expect(try await city.waiting() == 0)
    }
  }

  @Test("one handler's failure brings the event back to all of them; an effect keyed by the event's id is there once")
  func onceInEffect() async throws {
    try await JobCity.open { city in
      try await city.test.database.execute("CREATE TABLE effect (event uuid PRIMARY KEY, calls int NOT NULL DEFAULT 1)")
      struct Effect: EventHandler {
        let name = "effect"
        let types: Set<String> = ["answer.accepted"]
        let database: Database
        func apply(_ events: [Event]) async throws {
          for event in events {
            try await database.execute(
              "INSERT INTO effect (event) VALUES (\(event.id)) ON CONFLICT (event) DO UPDATE SET calls = effect.calls + 1")
          }
        }
      }
      let event = Event.sample()
      try await city.emit([event])
      let recorder = Recorder(failing: [event.id])
      let relay = city.relay(Effect(database: city.test.database), recorder)
      await relay.drain()
      recorder.heal()
      try await city.town.execute("UPDATE \(JobCity.town).outbox SET due = now()")
      await relay.drain()
      let rows = try await city.test.database.query("SELECT event, calls FROM effect")
      #expect(rows.count == 1)
      #expect(try rows[0].get("calls") == 2)
      #expect(try await city.waiting() == 0)
    }
  }

  @Test("after twenty failures an event is a dead letter: it stays for an operator and is not tried again")
  func deadLetter() async throws {
    try await JobCity.open { city in
      let event = Event.sample()
      try await city.emit([event])
      try await city.town.execute("UPDATE \(JobCity.town).outbox SET attempts = \(Relay.attemptsMost - 1)")
      let recorder = Recorder(failing: [event.id])
      let relay = city.relay(recorder)
      await relay.drain()
      let row = try await city.town.one("SELECT attempts, due = 'infinity' AS dead FROM \(JobCity.town).outbox")
      #expect(try row?.get("attempts") == Relay.attemptsMost)
      #expect(try row?.get("dead") == true)
      #expect(recorder.calls == 1)
      recorder.heal()
      await relay.drain()
      #expect(recorder.applied.isEmpty)
    }
  }

  @Test("two relays side by side lose nothing and double nothing")
  func sideBySide() async throws {
    try await JobCity.open { city in
      let events = (0..<600).map { _ in Event.sample() }
      for part in stride(from: 0, to: 600, by: 60) { try await city.emit(Array(events[part..<part + 60])) }
      let recorder = Recorder()
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<2 {
          let relay = city.relay(recorder)
          group.addTask { for _ in 0..<5 { await relay.drain() } }
        }
      }
      #expect(recorder.applied.count == 600)
      #expect(Set(recorder.applied.map(\.id)) == Set(events.map(\.id)))
      #expect(try await city.waiting() == 0)
    }
  }

  @Test("a commit wakes the relay: delivery doesn't wait for the next look")
  func wake() async throws {
    try await JobCity.open { city in
      let recorder = Recorder()
      let relay = city.relay(recorder)
      // What lies there at the start is found by the first look; the next one would be in an hour.
      let first = Event.sample()
      try await city.emit([first])
      let running = Task { await relay.run(interval: .hours(1)) }
      #expect(await recorder.next()?.id == first.id)
      for _ in 0..<3 {
        let event = Event.sample()
        try await city.emit([event]) { relay.wake(JobCity.town) }
        #expect(await recorder.next()?.id == event.id)
      }
      running.cancel()
      await running.value
    }
  }

  @Test("an outbox whose handler is slow doesn't hold up the others")
  func slowOutbox() async throws {
    try await JobCity.open { city in
      let quick = Recorder(["quick"])
      /// Ends only after the other outbox was delivered.
      struct Slow: EventHandler {
        let name = "slow"
        let types: Set<String> = ["slow"]
        let quick: Recorder
        let done: AsyncStream<Void>.Continuation
        func apply(_ events: [Event]) async throws {
          _ = await quick.next()
          done.yield()
        }
      }
      let (stream, done) = AsyncStream<Void>.makeStream()
      try await city.emit([.sample("slow")])
      let outbox = OutboxTable(schema: JobCity.prep, tenant: TenantID("prep")) {}
      try await city.prep.transaction { try outbox.write(.sample("quick"), in: $0) }
      let relay = city.relay(quick, Slow(quick: quick, done: done))
      let running = Task { await relay.run(interval: .hours(1)) }
      for await _ in stream { break }
      #expect(quick.applied.count == 1)
      running.cancel()
      await running.value
    }
  }

  @Test("an outbox whose database is away is looked at again, and the others are delivered meanwhile")
  func databaseAway() async throws {
    try await JobCity.open { city in
      try await city.emit([.sample()])
      let recorder = Recorder()
      let gone = city.test.connect(user: "nobody_of_this_name", password: "x")
      let relay = Relay(
        sources: [Relay.Source(database: gone, schema: JobCity.prep, tenant: nil)] + city.sources, handlers: [recorder],
        logger: city.logger)
      await relay.drain()
      #expect(recorder.applied.count == 1)
    }
  }
}
