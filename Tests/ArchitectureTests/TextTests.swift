import Kit
import Testing

@testable import Web

/// The catalogues and templates of the whole tree, under the namespaces the composition root gives them.
enum TextCatalogues {
  /// A target's namespace is its name in lower case; the composition root's own is the city.
  static func namespace(of target: String) -> String { target == "Metropolis" ? "city" : target.lowercased() }

  /// As at the start: throws when a text is missing in a language or a template can't be parsed.
  static func renderer() throws -> Renderer {
    let files = try SourceTree.files(in: "Sources", endings: ["mustache", "json"])
    let groups = Dictionary(grouping: files) { $0.target ?? "" }
    return try Renderer(
      groups.filter { $0.key != "Web" }.map { target, files in
        (namespace(of: target), Dictionary(uniqueKeysWithValues: files.map { ($0.path, $0.text) }))
      })
  }
}

@Suite("Texts people read") struct TextTests {
  private let catalogue: Catalogue
  init() throws { catalogue = try TextCatalogues.renderer().catalogue }

  @Test("both languages have the same keys, in every target that has texts")
  func complete() throws {
    let namespaces = Set(catalogue.keys.map { $0.split(separator: ".")[0] })
    let targets = try SourceTree.files(in: "Sources", endings: ["json"]).filter { $0.path.hasSuffix("/texts.ko.json") }
    for file in targets {
      let namespace = TextCatalogues.namespace(of: try #require(file.target))
      #expect(namespaces.contains(Substring(namespace)), "\(file.path)")
    }
  }

  @Test("no text is empty, and both languages fill in the same values")
  func placeholders() {
    var different: [String] = []
    for key in catalogue.keys {
      let (ko, en) = (catalogue.text(key, in: .ko), catalogue.text(key, in: .en))
      // One language may put all its words behind a name where the other has some before it.
      if ko.trimmed.isEmpty, en.trimmed.isEmpty { different.append("\(key) is empty") }
      func names(_ text: String) -> Set<Substring> { Set(text.matches(of: /\{([A-Za-z0-9_]+)\}/).map(\.1)) }
      // “an hour ago” needs no count.
      let (inKorean, inEnglish) =
        key.hasSuffix(".one") ? (names(ko).subtracting(["count"]), names(en).subtracting(["count"])) : (names(ko), names(en))
      if inKorean != inEnglish { different.append("\(key): \(inKorean.sorted()) in ko, \(inEnglish.sorted()) in en") }
    }
    #expect(different == [])
  }

  @Test("every key that a template names is in the catalogues")
  func templateKeys() throws {
    var missing: [String] = []
    for file in try SourceTree.templates() {
      for use in file.text.matches(of: /\{\{[#^]?\s*t\.([A-Za-z0-9_.\-]+)\s*\}\}/) where !catalogue.has(String(use.1)) {
        missing.append("\(file.place(use.range.lowerBound)) \(use.1)")
      }
    }
    #expect(missing == [])
  }

  @Test("every key that code names is in the catalogues; of a key made at run time, at least its beginning")
  func codeKeys() throws {
    let keys = catalogue.keys
    let namespaces = Set(keys.map { String($0.split(separator: ".")[0]) })
    var missing: [String] = []
    for file in try SourceTree.swift() {
      for use in file.text.matches(of: /\btext\(|\btitleKey:/) {
        for literal in file.text[use.range.upperBound...].literalsOfFirstArgument {
          guard let dot = literal.firstIndex(of: "."), namespaces.contains(String(literal[..<dot])) else { continue }
          let isKnown =
            if let hole = literal.firstRange(of: "\\(") { keys.contains { $0.hasPrefix(literal[..<hole.lowerBound]) } } else {
              catalogue.has(literal)
            }
          if !isKnown { missing.append("\(file.place(use.range.lowerBound)) \(literal)") }
        }
      }
    }
    #expect(missing == [])
  }

  @Test("every kind of problem has a title and a detail")
  func problems() throws {
    var kinds: Set<String> = []
    for file in try SourceTree.swift() {
      for kind in file.text.matches(of: /Problem\.Kind\(\s*"([a-z0-9-]+)"/) { kinds.insert(String(kind.1)) }
    }
    #expect(kinds.count > 10)
    let missing = kinds.flatMap { ["web.problem.\($0).title", "web.problem.\($0).detail"] }.filter { !catalogue.has($0) }
    #expect(missing.sorted() == [])
  }

  @Test("every reason to refuse a field has its words")
  func fields() throws {
    var missing: [String] = []
    for file in try SourceTree.swift() {
      for use in file.text.matches(of: /(?:\brefuse\(|Problem\.Field\()\s*(?:"[^"]*"|[\w.]+),\s*"([A-Za-z]+)"/) {
        if !catalogue.has("web.field.\(use.1)") { missing.append("\(file.place(use.range.lowerBound)) \(use.1)") }
      }
    }
    #expect(missing == [])
  }
}

extension Substring {
  /// The string literals of a call's first argument, from behind its parenthesis. What is interpolated stays as `\(…`.
  fileprivate var literalsOfFirstArgument: [String] {
    var literals: [String] = []
    var literal: String?
    var depth = 0
    var index = startIndex
    while index < endIndex {
      let character = self[index]
      if let text = literal {
        if character == "\\" {
          // An escape, or an interpolation: what follows is no key any more, up to the end of the literal.
          literal = text + "\\" + (self.index(after: index) < endIndex ? String(self[self.index(after: index)]) : "")
          index = self.index(after: index)
        } else if character == "\"" {
          literals.append(text)
          literal = nil
        } else {
          literal = text + String(character)
        }
      } else {
        switch character {
        case "\"": literal = ""
        case "(", "[", "{": depth += 1
        case ")" where depth == 0, "," where depth == 0, "\n" where depth == 0 && !literals.isEmpty: return literals
        case ")", "]", "}": depth -= 1
        default: break
        }
      }
      index = self.index(after: index)
    }
    return literals
  }
}
