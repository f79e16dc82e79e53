import Foundation

/// The repository's own files, read from where this file stands.
enum SourceTree {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The files below a folder whose names end so, in order. A folder that isn't there has none.
  static func files(in folder: String, endings: Set<String>) throws -> [SourceFile] {
    let base = root.appending(path: folder).path
    guard let paths = FileManager.default.enumerator(atPath: base) else { return [] }
    return try paths.compactMap { $0 as? String }.sorted().compactMap { path in
      guard let ending = path.split(separator: ".").last, endings.contains(String(ending)) else { return nil }
      // Tests write and remove files of their own: only what git would keep is looked at.
      guard !path.split(separator: "/").contains(where: { $0.hasPrefix(".") || $0 == "__pycache__" }) else { return nil }
      return SourceFile(path: "\(folder)/\(path)", text: try String(contentsOfFile: "\(base)/\(path)", encoding: .utf8))
    }
  }

  /// All Swift files below `Sources`.
  static func swift() throws -> [SourceFile] { try files(in: "Sources", endings: ["swift"]) }
  static func templates() throws -> [SourceFile] { try files(in: "Sources", endings: ["mustache"]) }
  static func manifest() throws -> String { try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8) }

  /// The names of our targets: one folder each. System libraries have no Swift and are left out.
  static func targets() throws -> Set<String> { Set(try swift().compactMap(\.target)) }
}

struct SourceFile: Sendable {
  /// From the repository's root.
  let path: String
  let text: String

  var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

  /// The target whose folder it stands in: `Sources/Platform/Kit/…` and `Sources/Tenants/Town/…` are two deep, others one.
  var target: String? {
    let parts = path.split(separator: "/").map(String.init)
    guard parts.count > 2, parts[0] == "Sources" else { return nil }
    return ["Platform", "Tenants"].contains(parts[1]) ? parts[2] : parts[1]
  }

  var isTenant: Bool { path.hasPrefix("Sources/Tenants/") }

  /// The modules it imports.
  var imports: Set<String> {
    let pattern =
      /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
    return Set(lines.compactMap { $0.prefixMatch(of: pattern).map { String($0.1) } })
  }

  /// `path:line` of a character.
  func place(_ index: String.Index) -> String { "\(path):\(text[..<index].count { $0 == "\n" } + 1)" }
}
