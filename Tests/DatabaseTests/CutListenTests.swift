import Database
import Support
import Testing

/// Who listens hears of it after every cut: the connection comes back by itself and says "look".
@Suite struct CutListenTests {
  private func listen(
    _ test: TestDatabase, _ proxy: LineProxy
  ) -> (Database, looks: Shared<Int>, Task<Void, Never>) {
    let database = Database(
      proxy.settings(test.settings), pool: .patient(connections: 1), name: "cut", logger: test.logger, loop: test.loop)
    let looks = Shared(0)
    let listening = Task { for await _ in database.listen(on: "news") { looks.withLock { $0 += 1 } } }
    return (database, looks, listening)
  }

  /// Whether a notification makes for a look more.
  private func hears(_ test: TestDatabase, _ looks: Shared<Int>) async throws -> Bool {
    let before = looks.withLock { $0 }
    try await test.database.execute("NOTIFY news")
    return await eventually(within: .seconds(20)) { looks.withLock { $0 } > before }
  }

  @Test func `A listener cut at any message comes back and looks`() async throws {
    try await withDatabase { test in
      let proxy = try LineProxy(to: test.settings)
      defer { proxy.close() }
      let (first, firstLooks, firstTask) = listen(test, proxy)
      #expect(await eventually(within: .seconds(20)) { firstLooks.withLock { $0 } == 1 })
      #expect(try await hears(test, firstLooks))
      let course = Course(passages: proxy.passages)
      #expect(course.passages.last?.message.type == "A")
      await first.close()
      await firstTask.value
      for fault in course.faults([.before, .within]) {
        let comment = Comment(rawValue: "\(fault)")
        #expect(await eventually(within: .seconds(20)) { proxy.lines == 0 }, comment)
        proxy.arm(fault)
        let (database, looks, task) = listen(test, proxy)
        #expect(await eventually(within: .seconds(20)) { looks.withLock { $0 } > 0 }, comment)
        // The last message of the course is the notification itself; cut there, the reconnection tells of it.
        #expect(try await hears(test, looks), comment)
        #expect(proxy.hasFired, comment)
        #expect(try await hears(test, looks), comment)
        await database.close()
        await task.value
      }
    }
  }
}
