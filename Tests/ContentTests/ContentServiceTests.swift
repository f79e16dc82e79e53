import Database
import Foundation
import Kit
import Support
import Testing

@testable import Content

/// The library on a real server, as its login role.
@Suite struct ContentServiceTests {
  private static let schema = Schema("content")!

  private func withLibrary(_ body: (ContentService, Database) async throws -> Void) async throws {
    try await withDatabase { test in
      let database = try await test.makeSchema(ContentServiceTests.schema, migrations: try ContentService.migrations)
      try await body(
        ContentService(database: database, schema: ContentServiceTests.schema, freshness: .milliseconds(20)), database)
      await database.close()
    }
  }

  private func mistakes(_ service: ContentService, _ path: String) async throws -> [ConfigMistake] {
    do {
      _ = try await service.load(directory: path)
      return []
    } catch let error as ConfigMistakes {
      return error.mistakes
    }
  }

  @Test func theContentOfThisRepositoryLoadsAndLoadsAgain() async throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("content").path
    try await withLibrary { service, _ in
      let first = try await service.load(directory: root)
      #expect(first.packages.reduce(0) { $0 + $1.new } == 240)
      #expect(first.packages.filter { !$0.isKept }.reduce(0) { $0 + $1.records.count } == 30)
      let second = try await service.load(directory: root)
      #expect(second.packages.allSatisfy { $0.new == 0 && $0.changed == 0 && $0.withdrawn == 0 })
      #expect(second.packages.reduce(0) { $0 + $1.unchanged } == 240)
      let item = try #require(try await service.item("math-0001"))
      #expect(item.prompt.en == "What is the value of 18 − 4 × 3?")
      #expect(item.choices.count == 4)
      let topics = try await service.topics(packages: ["art-foundations"])
      #expect(topics.reduce(0) { $0 + $1.count } == 20)
      #expect(try await service.missing(["art-foundations", "music"]) == ["music"])
    }
  }

  @Test func aNewerVersionAddsChangesAndWithdraws() async throws {
    let folder = try ContentFolder()
    let path = folder.path
    try folder.package("p", lines: ["a", "b", "c"].map { ContentFolder.choice($0) })
    try await withLibrary { service, _ in
      _ = try await service.load(directory: path)
      try folder.package(
        "p", version: 2,
        lines: [ContentFolder.choice("a"), ContentFolder.choice("b", prompt: "2 − 0?"), ContentFolder.number("d")])
      let loaded = try await service.load(directory: path).packages[0]
      #expect(loaded.new == 1)
      #expect(loaded.changed == 1)
      #expect(loaded.unchanged == 1)
      #expect(loaded.withdrawn == 1)
      #expect(try await service.item("b")?.prompt.ko == "2 − 0?")
      #expect(try await service.item("c") != nil)
      let given = try await service.items(packages: ["p"], topic: nil, near: 0, excluding: ["d"], limit: 9)
      #expect(given.map(\.id) == ["a", "b"])
      try folder.package("p", version: 3, lines: ["a", "b", "c"].map { ContentFolder.choice($0) })
      let back = try await service.load(directory: path).packages[0]
      #expect(back.new == 0)
      #expect(back.changed == 2)
      #expect(back.unchanged == 1)
      #expect(back.withdrawn == 1)
    }
  }

  @Test func aVersionDoesNotChangeAndAnOlderOneLeavesTheNewer() async throws {
    let folder = try ContentFolder()
    let path = folder.path
    try folder.package("p", version: 2, lines: [ContentFolder.choice("a")])
    try await withLibrary { service, _ in
      _ = try await service.load(directory: path)
      try folder.package("p", version: 2, lines: [ContentFolder.choice("a", prompt: "other")])
      let mistakes = try await mistakes(service, path)
      #expect(mistakes.map(\.key) == ["version"])
      #expect(mistakes.first?.line == 3)
      try folder.package("p", version: 1, lines: [ContentFolder.choice("a", prompt: "older")])
      let loaded = try await service.load(directory: path).packages[0]
      #expect(loaded.keptVersion == 2)
      #expect(try await service.item("a")?.prompt.ko == "1 + 1?")
    }
  }

  @Test func nothingIsLoadedWhenAnythingIsWrong() async throws {
    let folder = try ContentFolder()
    let path = folder.path
    try folder.package("good", lines: [ContentFolder.choice("a")])
    try folder.package("bad", lines: ["{}"])
    try await withLibrary { service, database in
      let mistakes = try await mistakes(service, path)
      #expect(!mistakes.isEmpty)
      let count: Int = try await database.one("SELECT count(*) FROM content.item")!.get(0)
      #expect(count == 0)
    }
  }

  @Test func anIdOfAPackageThatIsNotInTheFolderIsTaken() async throws {
    let first = try ContentFolder()
    let second = try ContentFolder()
    let (firstPath, secondPath) = (first.path, second.path)
    try first.package("p", lines: [ContentFolder.choice("a")])
    try second.package("q", lines: [ContentFolder.choice("a")])
    try await withLibrary { service, _ in
      _ = try await service.load(directory: firstPath)
      let mistakes = try await mistakes(service, secondPath)
      #expect(mistakes.first?.found == "“a”, which the loaded package p has")
    }
  }

  @Test func whatAnotherProcessLoadsIsNoticed() async throws {
    let folder = try ContentFolder()
    let path = folder.path
    try folder.package("p", lines: [ContentFolder.choice("a")])
    try await withLibrary { service, database in
      #expect(try await service.item("a") == nil)
      let other = ContentService(database: database, schema: ContentServiceTests.schema)
      _ = try await other.load(directory: path)
      var found = false
      for _ in 0..<100 where !found {
        try await Task.sleep(for: .milliseconds(25))
        found = try await service.item("a") != nil
      }
      #expect(found)
    }
  }

  @Test func loadsAtTheSameTimeLoadOnce() async throws {
    let folder = try ContentFolder()
    let path = folder.path
    try folder.package("p", lines: (0..<40).map { ContentFolder.choice("i\($0)") })
    try await withLibrary { service, database in
      let new = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<6 { group.addTask { try await service.load(directory: path).packages[0].new } }
        return try await group.reduce(0, +)
      }
      #expect(new == 40)
      let count: Int = try await database.one("SELECT count(*) FROM content.item")!.get(0)
      #expect(count == 40)
    }
  }
}
