import Foundation
import Kit

/// Reads a directory of packages: each folder a `package.json` and its lines in `*.jsonl`.
struct PackageReader {
  /// A package, and the bytes it was read from.
  struct Read: Sendable {
    let package: Package
    let bytes: [UInt8]
    /// The package's `package.json`, for messages.
    let file: String
    let versionLine: Int
  }

  private let directory: URL
  private let list = MistakeList()
  /// Where an id was met first: ids are unique over all packages.
  private var places: [String: String] = [:]

  /// - Throws: ``Kit/ConfigMistakes`` with every mistake of every file.
  static func read(directory path: String) throws -> [Read] {
    var reader = PackageReader(directory: URL(fileURLWithPath: path, isDirectory: true))
    let packages = try reader.folders().compactMap { reader.package($0) }
    guard reader.list.mistakes.isEmpty else { throw ConfigMistakes(reader.list.mistakes) }
    return packages
  }

  private init(directory: URL) { self.directory = directory }

  private func folders() throws -> [URL] {
    let entries: [URL]
    do {
      entries = try FileManager.default.contentsOfDirectory(
        at: directory, includingPropertiesForKeys: nil, options: [.skipsHiddenFiles])
    } catch {
      throw ConfigMistakes([
        ConfigMistake(file: directory.path, line: 1, key: "", found: "no directory to read", expected: "content packages")
      ])
    }
    return entries.filter { isFolder($0) }.sorted { $0.lastPathComponent < $1.lastPathComponent }
  }

  private func isFolder(_ url: URL) -> Bool {
    var folder: ObjCBool = false
    return FileManager.default.fileExists(atPath: url.path, isDirectory: &folder) && folder.boolValue
  }

  private func note(_ url: URL, line: Int = 1, key: String = "", found: String, expected: String) {
    list.note(ConfigMistake(file: url.path, line: line, key: key, found: found, expected: expected))
  }

  private mutating func package(_ folder: URL) -> Read? {
    let url = folder.appendingPathComponent("package.json")
    guard let data = try? Data(contentsOf: url) else {
      note(url, found: "no such file", expected: "a package.json in every folder")
      return nil
    }
    guard case .object(let members)? = try? JSONDecoder().decode(JSONValue.self, from: data) else {
      note(url, found: "something else", expected: "a JSON object")
      return nil
    }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    func line(of key: String) -> Int { (lines.firstIndex { $0.contains("\"\(key)\"") } ?? 0) + 1 }
    let record = RecordReader(members, file: url.path, line: 1, list: list, lineOf: line)
    let id = record.slug("id")
    if let id, id != folder.lastPathComponent { record.note("id", expected: "the folder's name, \(folder.lastPathComponent)") }
    let version = record.integer("version", in: 1...1_000_000)
    let kind = record.choice("kind", of: Package.kinds)
    let title = record.localized("title", in: Language.allCases, length: 1...200)
    _ = record.text("license", length: 1...100)
    let known = Language.allCases.map(\.rawValue)
    let languages = (record.texts("language", count: 1...known.count, length: 2...2) ?? []).compactMap { code in
      if Language(rawValue: code) == nil {
        record.note("language", found: "“\(code)”", expected: "among \(known.joined(separator: ", "))")
      }
      return Language(rawValue: code)
    }
    record.finish()

    var bytes = Array(data)
    var items: [LibraryItem] = []
    var lessons: [LibraryLesson] = []
    var records: [JSONValue] = []
    for url in dataFiles(folder) {
      guard let data = try? Data(contentsOf: url) else {
        note(url, found: "a file that can't be read", expected: "JSON lines")
        continue
      }
      bytes += Array("\n\(url.lastPathComponent)\n".utf8) + Array(data)
      readLines(data, url: url) { value, record, reader in
        switch kind {
        case Package.itemsKind:
          guard let item = ItemRecord.read(record, languages: languages) else { return }
          reader.claim(item.id, record)
          items.append(item)
        case Package.lessonsKind:
          guard let lesson = LessonRecord.read(record, value, languages: languages) else { return }
          reader.claim(lesson.id, record)
          if let other = lessons.first(where: { $0.order == lesson.order }) {
            record.note("order", found: "\(lesson.order), which “\(other.id)” has", expected: "a place of its own on the path")
          }
          lessons.append(lesson)
        case Package.questionsKind:
          guard let id = QuestionRecord.check(record) else { return }
          reader.claim(id, record)
          records.append(value)
        default: break
        }
      }
    }
    guard let id, let version, let kind, let title else { return nil }
    let package = Package(id: id, version: version, kind: kind, title: title, records: records, items: items, lessons: lessons)
    return Read(package: package, bytes: bytes, file: url.path, versionLine: line(of: "version"))
  }

  private func dataFiles(_ folder: URL) -> [URL] {
    let entries = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
    let files = entries.filter { $0.pathExtension == "jsonl" }.sorted { $0.lastPathComponent < $1.lastPathComponent }
    if files.isEmpty {
      note(folder, found: "no data file", expected: "items.jsonl, questions.jsonl or lessons.jsonl beside package.json")
    }
    return files
  }

  private mutating func readLines(
    _ data: Data, url: URL, _ body: (JSONValue, RecordReader, inout PackageReader) -> Void
  ) {
    let decoder = JSONDecoder()
    var number = 0
    for line in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      guard line.contains(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\t") }) else {
        continue
      }
      do {
        let value = try decoder.decode(JSONValue.self, from: Data(line))
        guard case .object(let members) = value else {
          note(url, line: number, found: value.inWords, expected: "a JSON object")
          continue
        }
        body(value, RecordReader(members, file: url.path, line: number, list: list), &self)
      } catch {
        let start = String(decoding: line.prefix(60), as: UTF8.self)
        note(url, line: number, found: "“\(start)”", expected: "one well-formed JSON object per line")
      }
    }
  }

  private mutating func claim(_ id: String, _ record: RecordReader) {
    if let first = places[id] {
      record.note("id", found: "“\(id)” again, first at \(first)", expected: "an id that no other line has")
    } else {
      places[id] = "\(record.file):\(record.line)"
    }
  }
}
