import Testing

/// House rules that a compiler doesn't hold.
@Suite("Sources") struct SourceRuleTests {
  private static let linesMost = 400

  @Test("no file has more than 400 lines: one that grows so is asking to be two")
  func length() throws {
    let files = try ["Sources", "Tests", "Plugins", "Benchmarks"].flatMap {
      try SourceTree.files(in: $0, endings: ["swift", "sql", "mustache", "css", "js", "py"])
    }
    let long = files.filter { $0.text.count { $0 == "\n" } > SourceRuleTests.linesMost }
    #expect(long.map(\.path) == [])
  }

  @Test("what the compiler can't vouch for has a comment that does, on its line or just above")
  func unchecked() throws {
    let unsafe = /\btry!|\bas!|@unchecked\b|\bnonisolated\(unsafe\)|\bunsafeBitCast\b|\bassumeIsolated\b/
    var bare: [String] = []
    for file in try ["Sources", "Plugins", "Benchmarks"].flatMap({ try SourceTree.files(in: $0, endings: ["swift"]) }) {
      let lines = file.lines
      for (index, line) in lines.enumerated() {
        let code = line.drop { $0 == " " }
        guard !code.hasPrefix("//"), code.firstMatch(of: unsafe) != nil, !code.contains("//") else { continue }
        // The comment stands in the lines right above, without an empty one between.
        let above = lines[..<index].reversed().prefix(3).prefix { $0.contains { $0 != " " } }
        if !above.contains(where: { $0.contains("//") }) { bare.append("\(file.path):\(index + 1)") }
      }
    }
    #expect(bare == [])
  }

  @Test("no name says Manager, Helper or Utils: a type does one thing, and its name says which")
  func names() throws {
    let vague = try SourceTree.swift().filter { file in
      file.path.contains(/(?:Manager|Helper|Helpers|Utils|Utilities)\.swift$/)
        || file.text.contains(/\b(?:struct|class|enum|actor|protocol)\s+\w*(?:Manager|Helper|Utils)\b/)
    }
    #expect(vague.map(\.path) == [])
  }

  @Test("nothing is left to be done, and nothing is a stub")
  func leftOvers() throws {
    let files = try SourceTree.files(in: "Sources", endings: ["swift", "sql", "mustache", "css", "js"])
    let found = files.flatMap { file in
      file.text.matches(of: /\b(?:TODO|FIXME|XXX|HACK)\b|not (?:yet )?implemented/).map { file.place($0.range.lowerBound) }
    }
    #expect(found == [])
    #expect(files.filter { $0.path.hasSuffix("/_.swift") }.map(\.path) == [])
  }

  @Test("no singletons: what a type needs is handed in")
  func singletons() throws {
    let found = try SourceTree.swift().flatMap { file in
      file.text.matches(of: /static (?:let|var) (?:shared|instance|standard)\b\s*(?:=|:\s*Self)/).map {
        file.place($0.range.lowerBound)
      }
    }
    #expect(found == [])
  }

  @Test("a migration names no schema but its own, is numbered, and pins the search path of what runs with its owner's rights")
  func migrations() throws {
    for file in try SourceTree.files(in: "Sources", endings: ["sql"]) {
      #expect(
        !file.text.contains(/\b(?:identity|billing|records|content|platform)\.[a-z_]+/), "\(file.path) names another schema")
      #expect(!file.text.contains(/SECURITY DEFINER(?!\s+SET search_path = )/), "\(file.path) leaves search_path to the caller")
      #expect(file.path.contains(/\/\d{3}-[a-z0-9-]+\.sql$/), "\(file.path) is not numbered as 001-name.sql")
    }
  }
}
