import Testing

@testable import Database

@Suite("The statements of an SQL file") struct SQLScriptTests {
  private func lines(_ text: String) -> [Int]? { SQLScript.statements(of: text)?.map(\.line) }
  private func texts(_ text: String) -> [String]? { SQLScript.statements(of: text)?.map(\.text) }

  @Test("end with semicolons, the last one with or without; each has the line of its first word")
  func simple() {
    #expect(texts("a;b ; c") == ["a", "b ", " c"])
    #expect(lines("\n-- why\n\na\n  b;\n\nc;\n") == [4, 7])
    #expect(texts("-- why\nCREATE x\n  (y);") == ["CREATE x\n  (y)"])
    #expect(texts(" ;; \n-- nothing\n") == [])
    #expect(texts("") == [])
  }

  @Test(
    "a semicolon in a string, a name, a comment, a body or parentheses ends nothing",
    arguments: [
      "SELECT 'a;b'", "SELECT 'it''s; here'", #"SELECT "a;""b""#, #"SELECT E'a\';b'"#, "SELECT 1 -- a; b\n + 2",
      "SELECT /* a; /* b; */ c; */ 1", "CREATE FUNCTION f() AS $$ a; b; $$", "DO $body$ BEGIN x; y := '$$;'; END $body$",
      "CREATE RULE r AS ON INSERT TO t DO (a; b)", "SELECT $1", "SELECT 가$b",
    ])
  func nested(_ text: String) {
    #expect(texts(text + ";\nSELECT 2") == [text, "SELECT 2"])
  }

  @Test("backslashes are letters in a plain string, an E at the end of a word begins none")
  func escapes() {
    #expect(texts(#"SELECT 'a\'; SELECT 2"#)?.count == 2)
    #expect(texts(#"SELECT date'a\'; SELECT 2"#)?.count == 2)
    #expect(texts(#"SELECT e'a\'; SELECT 2'"#)?.count == 1)
  }

  @Test("lines go on behind strings and comments of several")
  func counting() {
    #expect(lines("SELECT 'a\nb';\n/* c\n d */ SELECT 2;\n$$x\ny$$; z") == [1, 4, 5, 6])
  }

  @Test("what only the grammar can part is left whole")
  func atomic() {
    #expect(SQLScript.statements(of: "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;") == nil)
  }
}
