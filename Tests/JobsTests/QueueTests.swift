import Database
import Foundation
import Kit
import Support
import Synchronization
import Testing

@testable import Jobs

@Suite("The queue of jobs", .timeLimit(.minutes(2))) struct QueueTests {
  private let mail = JobQueue.Settings("mail", concurrency: 4, attempts: 3)

  @Test("a job is taken as it was added, by one taker")
  func take() async throws {
    try await JobCity.open { city in
      try await city.queue.add("send", ["to": "1", "말": "안녕"], to: mail)
      let jobs = try await city.queue.take(mail, most: 10)
      #expect(jobs.map(\.kind) == ["send"])
      #expect(jobs.map(\.payload) == [["to": "1", "말": "안녕"]])
      #expect(jobs.map(\.attempt) == [1])
      #expect(try await city.queue.take(mail, most: 10).isEmpty)
    }
  }

  @Test("queues are apart: a job is taken from its own only")
  func apart() async throws {
    try await JobCity.open { city in
      try await city.queue.add("send", [:], to: mail)
      #expect(try await city.queue.take(.init("other", concurrency: 1, attempts: 1), most: 1).isEmpty)
      #expect(try await city.queue.take(mail, most: 1).count == 1)
    }
  }

  @Test("the most urgent job is taken first, then the oldest")
  func priority() async throws {
    try await JobCity.open { city in
      for (kind, priority) in [("old", 0), ("new", 0), ("urgent", 5)] {
        try await city.queue.add(kind, [:], to: mail, priority: priority)
      }
      var taken: [String] = []
      for _ in 0..<3 { taken += try await city.queue.take(mail, most: 1).map(\.kind) }
      #expect(taken == ["urgent", "old", "new"])
    }
  }

  @Test("what a transaction took back was never queued")
  func rollback() async throws {
    try await JobCity.open { city in
      await #expect(throws: Fault.self) {
        try await city.platform.transaction { transaction in
          try await city.queue.add("send", [:], to: mail, in: transaction)
          throw Fault()
        }
      }
      let jobs = try await city.queue.take(mail, most: 1)
      #expect(jobs.isEmpty)
    }
  }

  @Test("a job whose worker died comes back when its lease runs out, as the next attempt")
  func lease() async throws {
    try await JobCity.open { city in
      try await city.queue.add("send", [:], to: mail)
      let first = Mutex<JobQueue.Job?>(nil)
      let lease = try await city.delay {
        let taken = try await city.queue.take(mail, most: 1).first
        first.withLock { $0 = taken }
      }
      #expect(lease.contains(60))
      try await city.makeDue()
      let second = try #require(try await city.queue.take(mail, most: 1).first)
      #expect(second.id == first.withLock { $0 }?.id)
      #expect(second.attempt == 2)
    }
  }

  @Test("a job that fails waits twice as long each time, and is a dead letter after its last try")
  func retryAndDeadLetter() async throws {
    try await JobCity.open { city in
      try await city.queue.add("send", [:], to: mail)
      for (attempt, pause) in [(1, 1.0), (2, 2.0)] {
        let job = try #require(try await city.queue.take(mail, most: 1).first)
        #expect(job.attempt == attempt)
        #expect(try await city.delay { try await city.queue.failed(job, reason: "Fault") }.contains(pause))
        try await city.makeDue()
      }
      let last = try #require(try await city.queue.take(mail, most: 1).first)
      try await city.queue.failed(last, reason: "Fault")
      #expect(try await city.state(of: last.id) == "dead")
      let row = try await city.platform.one("SELECT last_error, ended IS NOT NULL AS over FROM \(JobCity.platform).job")
      #expect(try row?.get("last_error") == "Fault")
      #expect(try row?.get("over") == true)
      #expect(try await city.queue.take(mail, most: 1).isEmpty)
    }
  }

  @Test("a job that takes its worker down at every try is put aside too, not tried for ever")
  func deadly() async throws {
    try await JobCity.open { city in
      try await city.queue.add("crash", [:], to: mail)
      for attempt in 1...3 {
        #expect(try await city.queue.take(mail, most: 1).map(\.attempt) == [attempt])
        try await city.makeDue()
      }
      #expect(try await city.queue.take(mail, most: 1).isEmpty)
      #expect(try await city.count("dead") == 1)
    }
  }

  @Test("a worker that comes late has no say: what another has done stays done, what another holds stays held")
  func lateWorker() async throws {
    try await JobCity.open { city in
      try await city.queue.add("send", [:], to: mail)
      let late = try #require(try await city.queue.take(mail, most: 1).first)
      try await city.makeDue()
      let holder = try #require(try await city.queue.take(mail, most: 1).first)
      let held: Instant? = try await city.platform.one("SELECT due FROM \(JobCity.platform).job")?.get("due")
      try await city.queue.failed(late, reason: "late")
      #expect(try await city.platform.one("SELECT due FROM \(JobCity.platform).job")?.get("due") == held)
      try await city.queue.done(holder)
      try await city.queue.failed(late, reason: "late")
      #expect(try await city.state(of: holder.id) == "done")
    }
  }

  @Test("the same key is queued once, also while it is worked on and after it was done")
  func key() async throws {
    try await JobCity.open { city in
      try await city.queue.add("send", ["n": 1], to: mail, key: "k")
      try await city.queue.add("send", ["n": 2], to: mail, key: "k")
      let jobs = try await city.queue.take(mail, most: 5)
      #expect(jobs.map(\.payload) == [["n": 1]])
      try await city.queue.add("send", ["n": 3], to: mail, key: "k")
      try await city.queue.done(jobs[0])
      try await city.queue.add("send", ["n": 4], to: mail, key: "k")
      #expect(try await city.queue.take(mail, most: 5).isEmpty)
      for _ in 0..<2 { try await city.queue.add("send", [:], to: mail) }
      #expect(try await city.queue.take(mail, most: 5).count == 2)
    }
  }

  @Test("what was done keeps no payload: it may be about a person")
  func payloadGone() async throws {
    try await JobCity.open { city in
      try await city.queue.add("send", ["to": "mina@example.com"], to: mail)
      let job = try #require(try await city.queue.take(mail, most: 1).first)
      try await city.queue.done(job)
      #expect(try await city.platform.one("SELECT payload FROM \(JobCity.platform).job")?.get("payload") == JSONValue.null)
    }
  }

  @Test("trimming keeps the last hundred done and fifty dead of a queue, and all that wait")
  func trim() async throws {
    try await JobCity.open { city in
      for (queue, state, count) in [
        ("mail", "done", 130), ("mail", "dead", 60), ("mail", "waiting", 120), ("other", "done", 130),
      ] {
        try await city.platform.execute(
          """
          INSERT INTO \(JobCity.platform).job (id, queue, kind, payload, attempts_max, state, ended)
          SELECT gen_random_uuid(), \(queue), n::text, 'null', 1, \(state), now() - make_interval(secs => n)
          FROM generate_series(1, \(count)) AS n
          """)
      }
      try await city.queue.trim(mail)
      let depth = try await city.queue.depth().map { "\($0.queue) \($0.state) \($0.count)" }.sorted()
      #expect(depth == ["mail dead 50", "mail done 100", "mail waiting 120", "other done 130"])
      let oldest: Int? = try await city.platform.one(
        "SELECT max(kind::int8) AS n FROM \(JobCity.platform).job WHERE queue = 'mail' AND state = 'done'")?.get("n")
      #expect(oldest == 100)
    }
  }

  @Test("two workers never take the same job, and leave none behind")
  func twoWorkers() async throws {
    try await JobCity.open { city in
      for number in 0..<200 { try await city.queue.add("count", ["n": .integer(Int64(number))], to: mail) }
      let worked = Mutex<[Int64]>([])
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<2 {
          let worker = QueueWorker(
            queue: city.queue, settings: [mail],
            handlers: ["count": { job in worked.withLock { $0.append(job.payload["n"]?.integer ?? -1) } }], logger: city.logger)
          group.addTask { while await worker.work(mail) > 0 {} }
        }
      }
      #expect(worked.withLock { $0 }.count == 200)
      #expect(Set(worked.withLock { $0 }) == Set(0..<200))
      #expect(try await city.count("done") == 200)
    }
  }

  @Test("a worker marks what it did, and writes down why it could not, without the error's values")
  func worker() async throws {
    try await JobCity.open { city in
      let once = JobQueue.Settings("once", concurrency: 4, attempts: 1)
      for kind in ["good", "bad", "unknown"] { try await city.queue.add(kind, [:], to: once) }
      let worker = QueueWorker(
        queue: city.queue, settings: [once], handlers: ["good": { _ in }, "bad": { _ in throw Fault() }], logger: city.logger)
      #expect(await worker.work(once) == 3)
      #expect(await worker.work(once) == 0)
      let rows = try await city.platform.query("SELECT kind, state, last_error FROM \(JobCity.platform).job ORDER BY kind")
      let found = try rows.map { row in
        "\(try row.get("kind", as: String.self)) \(try row.get("state", as: String.self)) \(try row.get("last_error", as: String?.self) ?? "-")"
      }
      #expect(found == ["bad dead Fault", "good done -", "unknown dead not-found"])
    }
  }

  @Test("a worker runs until its task is cancelled")
  func run() async throws {
    try await JobCity.open { city in
      let (stream, continuation) = AsyncStream<String>.makeStream()
      let worker = QueueWorker(
        queue: city.queue, settings: [mail], handlers: ["send": { job in continuation.yield(job.kind) }], logger: city.logger)
      try await city.queue.add("send", [:], to: mail)
      let running = Task { await worker.run(interval: .milliseconds(5)) }
      for await _ in stream { break }
      running.cancel()
      await running.value
    }
  }
}
