import Foundation
import Kit
import Testing

@testable import Content

/// A folder of packages that is gone with its owner.
struct ContentFolder: ~Copyable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "content-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ text: String) throws {
    let url = URL(fileURLWithPath: path).appendingPathComponent(name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try text.write(to: url, atomically: true, encoding: .utf8)
  }

  func package(_ id: String, version: Int = 1, kind: String = "items", lines: [String]) throws {
    try write(
      "\(id)/package.json",
      """
      {
        "id": "\(id)",
        "version": \(version),
        "kind": "\(kind)",
        "title": { "ko": "꾸러미", "en": "Package" },
        "license": "CC-BY-4.0",
        "language": ["ko", "en"]
      }
      """)
    try write("\(id)/\(kind).jsonl", lines.joined(separator: "\n") + "\n")
  }

  static func choice(_ id: String, topic: String = "arithmetic", difficulty: Double = 0, prompt: String = "1 + 1?") -> String {
    """
    {"id": "\(id)", "subject": "math", "topic": "\(topic)", "level": "middle", "difficulty": \(difficulty), \
    "discrimination": 1.0, "guess": 0.25, "kind": "choice", "prompt": {"ko": "\(prompt)", "en": "\(prompt)"}, \
    "choices": [{"ko": "1", "en": "1"}, {"ko": "2", "en": "2"}, {"ko": "3", "en": "3"}, {"ko": "4", "en": "4"}], \
    "answer": 1, "explanation": {"ko": "둘이에요.", "en": "Two."}}
    """
  }

  static func number(_ id: String, answer: String = "0.5", guess: Double = 0, extra: String = "") -> String {
    """
    {"id": "\(id)", "subject": "math", "topic": "ratios", "level": "high", "difficulty": 1, "discrimination": 1.2, \
    "guess": \(guess), "kind": "number", "prompt": {"ko": "반은?", "en": "Half?"}, "answer": "\(answer)", \
    "explanation": {"ko": "반이에요.", "en": "Half."}\(extra)}
    """
  }

  func mistakes() throws -> [ConfigMistake] {
    do {
      _ = try PackageReader.read(directory: path)
      return []
    } catch let error as ConfigMistakes {
      return error.mistakes
    }
  }
}

@Suite struct PackageReaderTests {
  @Test func theContentOfThisRepositoryIsWhole() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let packages = try PackageReader.read(directory: root.appendingPathComponent("content").path).map(\.package)
    #expect(packages.map(\.id).contains("math-foundations"))
    #expect(packages.reduce(0) { $0 + $1.items.count } == 200)
    #expect(packages.filter { $0.kind == "questions" }.reduce(0) { $0 + $1.records.count } == 30)
    #expect(packages.flatMap(\.items).filter { $0.kind == .number }.allSatisfy { $0.choices.isEmpty && $0.guess == 0 })
  }

  @Test func itemsAreReadAsTheyAreWritten() throws {
    let folder = try ContentFolder()
    try folder.package("p", lines: [ContentFolder.choice("a", difficulty: -1.5), "", ContentFolder.number("b")])
    let items = try PackageReader.read(directory: folder.path)[0].package.items
    #expect(items.map(\.id) == ["a", "b"])
    #expect(items[0].difficulty == -1.5)
    #expect(items[0].answer == "1")
    #expect(items[0].choices[2].en == "3")
    #expect(items[1].kind == .number)
    #expect(items[1].answer == "0.5")
  }

  @Test func everyMistakeOfEveryFileIsToldWithItsLine() throws {
    let folder = try ContentFolder()
    try folder.package(
      "p",
      lines: [
        ContentFolder.choice("a"),
        "{not json",
        ContentFolder.choice("a"),
        ContentFolder.choice("b").replacing("\"answer\": 1", with: "\"answer\": 4"),
        ContentFolder.number("c", answer: "1/2"),
        ContentFolder.number("d", guess: 0.25),
        ContentFolder.number("e", extra: ", \"hint\": 1"),
        ContentFolder.choice("f").replacing("\"difficulty\": 0.0", with: "\"difficulty\": 9"),
        ContentFolder.choice("g").replacing("\"en\": \"2\"", with: "\"en\": \"1\""),
        ContentFolder.choice("h").replacing(", \"en\": \"1 + 1?\"", with: ""),
      ])
    try folder.package("q", kind: "questions", lines: ["[]", "{\"id\": \"x\"}"])
    try folder.write("r/items.jsonl", "")
    let mistakes = try folder.mistakes()
    func found(_ file: String, _ line: Int, _ key: String) -> Bool {
      mistakes.contains { $0.file.hasSuffix(file) && $0.line == line && $0.key == key }
    }
    #expect(found("p/items.jsonl", 2, ""))
    #expect(found("p/items.jsonl", 3, "id"))
    #expect(found("p/items.jsonl", 4, "answer"))
    #expect(found("p/items.jsonl", 5, "answer"))
    #expect(found("p/items.jsonl", 6, "guess"))
    #expect(found("p/items.jsonl", 7, "hint"))
    #expect(found("p/items.jsonl", 8, "difficulty"))
    #expect(found("p/items.jsonl", 9, "choices"))
    #expect(found("p/items.jsonl", 10, "prompt.en"))
    #expect(found("q/questions.jsonl", 1, ""))
    #expect(found("q/questions.jsonl", 2, "title"))
    #expect(found("r/package.json", 1, ""))
    #expect(!mistakes.contains { $0.line == 1 && $0.file.hasSuffix("p/items.jsonl") })
    let again = mistakes.first { $0.line == 3 }
    #expect(again?.found.contains("p/items.jsonl:1") == true)
  }

  @Test func aPackageSaysWhatItIs() throws {
    let folder = try ContentFolder()
    try folder.write(
      "p/package.json",
      """
      {
        "id": "other",
        "version": 0,
        "kind": "songs",
        "title": { "ko": "제목" },
        "license": "",
        "language": ["ko", "fr"],
        "extra": 1
      }
      """)
    try folder.write("p/items.jsonl", "")
    let keys = Set(try folder.mistakes().map { "\($0.line) \($0.key)" })
    #expect(keys == ["2 id", "3 version", "4 kind", "5 title.en", "6 license", "7 language", "8 extra"])
  }

  @Test func aDirectoryThatIsNotThereIsAMistakeOfItsOwn() throws {
    #expect(throws: ConfigMistakes.self) { try PackageReader.read(directory: "/nowhere/at/all") }
  }
}

@Suite struct ItemIndexTests {
  private func item(_ id: String, _ difficulty: Double, topic: String = "t") -> LibraryItem {
    LibraryItem(
      id: id, subject: "s", topic: topic, level: "high", difficulty: difficulty, discrimination: 1, guess: 0, kind: .number,
      prompt: LocalizedText(ko: "?"), choices: [], answer: "1", explanation: LocalizedText(ko: "!"))
  }

  private func index(_ items: [String: [LibraryItem]], withdrawn: [LibraryItem] = []) -> ItemIndex {
    ItemIndex(
      items.mapValues { .init(stamp: .init(version: 1, digest: []), items: $0, withdrawn: withdrawn) })
  }

  @Test func theNearestComeFirstAndTiesGoById() {
    let index = index(["p": [item("d", 2), item("c", 1), item("b", -1), item("a", 0.2), item("e", 5)]])
    #expect(index.items(packages: ["p"], topic: nil, near: 0, excluding: [], limit: 3).map(\.id) == ["a", "b", "c"])
    #expect(index.items(packages: ["p"], topic: nil, near: 0, excluding: [], limit: 2).map(\.id) == ["a", "b"])
    #expect(index.items(packages: ["p"], topic: nil, near: 4, excluding: ["e"], limit: 9).map(\.id) == ["d", "c", "a", "b"])
    #expect(index.items(packages: ["p"], topic: nil, near: 0, excluding: [], limit: 0).isEmpty)
  }

  @Test func whatIsTakenIsWhatASortOfEverythingWouldTake() {
    var generator = SystemRandomNumberGenerator()
    let items = (0..<200).map { item("i\($0)", Double(Int.random(in: -20...20, using: &generator)) / 10, topic: "t\($0 % 7)") }
    let index = index(["p": Array(items.prefix(120)), "q": Array(items.dropFirst(120))])
    for near in [-3.0, -0.4, 0, 0.1, 2] {
      let seen = Set(items.shuffled().prefix(60).map(\.id))
      let expected = items.filter { !seen.contains($0.id) }
        .sorted { (abs($0.difficulty - near), $0.id) < (abs($1.difficulty - near), $1.id) }.prefix(25).map(\.id)
      #expect(index.items(packages: ["p", "q", "p"], topic: nil, near: near, excluding: seen, limit: 25).map(\.id) == expected)
    }
  }

  @Test func topicsAreCountedOverThePackagesAskedFor() {
    let index = index(["p": [item("a", 0, topic: "x"), item("b", 0, topic: "y")], "q": [item("c", 0, topic: "x")]])
    #expect(index.topics(packages: ["p", "q"]).map { "\($0.topic) \($0.count)" } == ["x 2", "y 1"])
    #expect(index.topics(packages: ["q"]).map { "\($0.topic) \($0.count)" } == ["x 1"])
    #expect(index.items(packages: ["p", "q"], topic: "x", near: 0, excluding: [], limit: 9).map(\.id) == ["a", "c"])
  }

  @Test func aWithdrawnItemIsShownAndNotGiven() {
    let index = index(["p": [item("a", 0)]], withdrawn: [item("z", 0)])
    #expect(index.item("z") != nil)
    #expect(index.items(packages: ["p"], topic: nil, near: 0, excluding: [], limit: 9).map(\.id) == ["a"])
  }
}
