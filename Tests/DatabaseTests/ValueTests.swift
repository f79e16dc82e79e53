import Foundation
import Kit
import Support
import Testing

@testable import Database

private enum Mood: String, SQLEncodable, SQLDecodable { case glad, calm }

@Suite struct ValueTests {
  @Test func `Every type comes back as it was sent`() async throws {
    try await withDatabase { test in
      func check<Value: SQLEncodable & SQLDecodable & Equatable>(_ values: Value...) async throws {
        for value in values {
          let row = try #require(try await test.database.one("SELECT \(value) AS value, \(nil as Value?) AS absent"))
          #expect(try row.get("value") == value)
          let absent: Value? = try row.get("absent")
          #expect(absent == nil)
          let present: Value? = try row.get("value")
          #expect(present == value)
        }
      }
      try await check(true, false)
      try await check(0, -1, Int.max, Int.min)
      try await check(Int64.max, Int64.min)
      try await check(Int32.max, Int32.min)
      try await check(Int16.max, Int16.min)
      try await check(0.1, -1e300, .infinity, .leastNonzeroMagnitude)
      try await check("", "동네물어봐 제주 🍊", "o'clock \\ \"quoted\" $1")
      try await check(UUID.v7())
      try await check(Instant(microseconds: 0), Instant(microseconds: -1), Instant(microseconds: 1_795_237_350_123_456))
      try await check(CivilDate("2026-11-21")!, CivilDate("0001-01-01")!, CivilDate("9999-12-31")!, CivilDate("1969-07-20")!)
      try await check(Duration.seconds(90), .microseconds(-1), .days(400))
      try await check([] as [UInt8], [0, 1, 255])
      try await check([] as [String], ["가", "", "NULL", "{a,b}"])
      try await check([UUID.v7(), UUID.v7()])
      try await check([Int64.min, 0, .max])
      try await check([1, 2, 3])
      try await check(PersonID(.v7()))
      try await check(TenantID("jeju")!)
      try await check(Mood.calm)
    }
  }

  @Test func `Times and dates are what the server takes them for`() async throws {
    try await withDatabase { test in
      let instant = try #require(Instant(rfc3339: "2026-11-21T05:02:30.123456Z"))
      let row = try #require(
        try await test.database.one(
          """
          SELECT \(instant) = '2026-11-21 14:02:30.123456+09'::timestamptz AS same_time,
            \(CivilDate("2026-02-28")!) + 1 = '2026-03-01'::date AS same_day,
            \(Duration.seconds(90)) = '1 minute 30 seconds'::interval AS same_span
          """))
      #expect(try row.get("same_time") as Bool)
      #expect(try row.get("same_day") as Bool)
      #expect(try row.get("same_span") as Bool)
    }
  }

  @Test func `JSON keeps its structure`() async throws {
    try await withDatabase { test in
      let document: JSONValue = [
        "name": "제주 \"섬\"\n\u{1}", "count": 9_007_199_254_740_993, "ratio": 0.25, "none": nil, "yes": true,
        "list": [1, "둘", [], [:]],
      ]
      let row = try #require(
        try await test.database.one("SELECT \(document) AS b, \(document)::json AS j, \(JSONText(#"{"a": [1]}"#)) AS t"))
      #expect(try row.get("b") == document)
      #expect(try row.get("j") == document)
      #expect(try row.get("t", as: JSONText.self).text == #"{"a": [1]}"#)
      #expect(try row.get("t", as: String.self) == #"{"a": [1]}"#)
      let escaped = try #require(try await test.database.one(#"SELECT '"\ud83c\udf4a\u00e9\/\t"'::json AS j"#))
      #expect(try escaped.get("j") == JSONValue.string("🍊é/\t"))
    }
  }

  @Test func `A sum is read as an integer, a fraction as a double or as text`() async throws {
    try await withDatabase { test in
      let values = [
        "0", "1", "-1", "10000", "-99990000", "9223372036854775807", "-9223372036854775808", "1.50", "0.0001", "-0.00012",
        "123456789.000100", "12345678901234567890.5", "1e-20", "100000000000000000000",
      ]
      for value in values {
        let row = try #require(
          try await test.database.one("SELECT \(value)::text::numeric AS n, \(value)::text::numeric::text AS t"))
        let text: String = try row.get("t")
        #expect(try row.get("n", as: String.self) == text)
        #expect(try row.get("n", as: Double.self) == Double(value))
        if let integer = Int64(value) {
          #expect(try row.get("n", as: Int64.self) == integer)
        } else {
          #expect(throws: DatabaseError.self) { try row.get("n", as: Int64.self) }
        }
      }
      let sum = try #require(try await test.database.one("SELECT sum(x::bigint) AS s FROM generate_series(1, 100) x"))
      #expect(try sum.get("s") == 5_050)
    }
  }

  @Test func `Columns of enum, citext-like and name types read as strings`() async throws {
    try await withDatabase { test in
      try await test.database.execute("CREATE TYPE mood AS ENUM ('glad', 'calm')")
      let row = try #require(
        try await test.database.one("SELECT 'calm'::mood AS m, current_database() AS n, 'x'::varchar(3) AS v"))
      #expect(try row.get("m") == Mood.calm)
      #expect(try row.get("n") == test.name)
      #expect(try row.get("v") == "x")
    }
  }

  @Test func `A column that can't be read names itself, not its value`() async throws {
    try await withDatabase { test in
      let row = try #require(
        try await test.database.one(
          "SELECT 'secret'::text AS word, NULL::int AS gap, 70000 AS big, 'infinity'::timestamptz AS never, 'x' AS \"Case\""))
      func error(_ read: () throws -> Void) -> DatabaseError? {
        do { try read() } catch { return error as? DatabaseError }
        return nil
      }
      let wrongType = error { _ = try row.get("word", as: Int.self) }
      #expect(wrongType?.kind == .decoding(column: "word"))
      #expect(wrongType.map { "\($0)".contains("text") && !"\($0)".contains("secret") } == true)
      #expect(error { _ = try row.get("gap", as: Int.self) }?.kind == .decoding(column: "gap"))
      #expect(error { _ = try row.get("big", as: Int16.self) }?.kind == .decoding(column: "big"))
      #expect(error { _ = try row.get("never", as: Instant.self) }?.kind == .decoding(column: "never"))
      #expect(error { _ = try row.get("nothing", as: Int.self) }?.kind == .decoding(column: "nothing"))
      #expect(error { _ = try row.get("word", as: Mood.self) }?.kind == .decoding(column: "word"))
      #expect(error { _ = try row.get(9, as: Int.self) }?.kind == .decoding(column: "9"))
      #expect(try row.get("Case", as: String.self) == "x")
      #expect(error { _ = try row.get("case", as: String.self) }?.kind == .decoding(column: "case"))
      #expect(try row.getIfPresent("gap", as: Int.self) == nil)
      #expect(try row.get(2) == 70_000)
    }
  }

  @Test func `Rows outlive their query and are read from any task`() async throws {
    try await withDatabase { test in
      let rows = try await test.database.query("SELECT x, 'line ' || x AS text FROM generate_series(1, 1000) x")
      #expect(rows.count == 1_000 && rows.affected == 1_000)
      await withTaskGroup(of: Bool.self) { group in
        for part in 0..<10 {
          group.addTask {
            rows[part * 100..<part * 100 + 100].allSatisfy { row in
              (try? row.get("text", as: String.self)) == (try? "line \(row.get("x", as: Int.self))")
            }
          }
        }
        for await isRight in group { #expect(isRight) }
      }
    }
  }

  @Test func `Values of a megabyte go both ways`() async throws {
    try await withDatabase { test in
      let text = String(repeating: "긴 글 ", count: 400_000)
      let row = try #require(try await test.database.one("SELECT \(text) AS text, length(\(text)) AS length"))
      #expect(try row.get("text") == text)
      #expect(try row.get("length") == text.unicodeScalars.count)
    }
  }

  @Test func `JSON that nests without end is refused, not followed`() {
    func nested(_ depth: Int) -> [UInt8] {
      Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
    }
    #expect(isJSON(nested(500)))
    #expect(!isJSON(nested(100_000)))
  }

  @Test(arguments: ["", "{", "[1,]", "{\"a\"}", "tru", "1 2", "\"\\ud800\"", "\"abc", "nul", "-", "[1", "1e999"])
  func `Text that is not JSON is refused`(text: String) {
    #expect(!isJSON(Array(text.utf8)))
  }

  private func isJSON(_ bytes: [UInt8]) -> Bool {
    // Not compared with `nil`, which is a JSONValue too.
    if case .some = bytes.withUnsafeBytes({ JSONReader.read($0) }) { return true }
    return false
  }
}
