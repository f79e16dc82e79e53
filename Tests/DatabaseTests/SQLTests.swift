import Kit
import Testing

@testable import Database

@Suite struct SQLTests {
  let schema = Schema("town_jeju")!

  @Test func `An interpolated value is bound, never part of the text`() {
    let sql: SQL = "SELECT * FROM \(schema).place WHERE name = \("'; DROP TABLE place; --") AND id > \(7)"
    #expect(sql.text == #"SELECT * FROM "town_jeju".place WHERE name = $1 AND id > $2"#)
    #expect(sql.parameters.map(\.type) == [.text, .int8])
    #expect(sql.parameters[1].bytes == [0, 0, 0, 0, 0, 0, 0, 7])
  }

  @Test func `An absent value is bound as NULL of its type`() {
    let sql: SQL = "SELECT \(nil as Int?), \(3 as Int?)"
    #expect(sql.parameters.map(\.type) == [.int8, .int8])
    #expect(sql.parameters[0].bytes == nil)
    #expect(sql.parameters[1].bytes != nil)
  }

  @Test func `Joined statements are numbered on, and a $1 in a string constant is left alone`() {
    let filter: SQL = "price = '$1' AND \(1) < \(2)"
    let sql: SQL = "SELECT \(0) WHERE \(sql: filter) AND \(true)"
    #expect(sql.text == "SELECT $1 WHERE price = '$1' AND $2 < $3 AND $4")
    #expect(sql.parameters.count == 4)
    var sum = sql + " ORDER BY " + "\(5)"
    sum += " LIMIT \(6)"
    #expect(sum.text == "SELECT $1 WHERE price = '$1' AND $2 < $3 AND $4 ORDER BY $5 LIMIT $6")
  }

  @Test func `Joining renumbers placeholders of two digits`() {
    var many: SQL = ""
    for value in 1...12 { many += "\(value)," }
    let sql: SQL = "\(0)|\(sql: many)|\(13)"
    #expect(sql.text == "$1|$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,|$14")
  }

  @Test func `Names and constants are quoted`() {
    let sql: SQL = "\(identifier: #"a"b"#) \(literal: "o'clock") \(literal: #"a\b'c"#) \(raw: "DESC")"
    #expect(sql.text == #""a""b" 'o''clock' E'a\\b''c' DESC"#)
  }

  @Test(arguments: ["", "A", "1a", "a-b", "a\"b", "é", String(repeating: "a", count: 64)])
  func `A schema's name has one narrow form`(name: String) { #expect(Schema(name) == nil) }

  @Test func `A schema's name may have 63 bytes`() { #expect(Schema(String(repeating: "a", count: 63)) != nil) }

  @Test func `A connection URL is read, and a bad one is not quoted`() throws {
    let settings = try ConnectionSettings(url: "postgresql://mina:s%20ecret@db.example:6432/city?sslmode=require")
    #expect(settings.user == "mina" && settings.password == "s ecret" && settings.host == "db.example")
    #expect(settings.port == "6432" && settings.database == "city" && settings.options == ["sslmode": "require"])
    #expect(!"\(settings)".contains("ecret"))
    do {
      _ = try ConnectionSettings(url: "postgresql://mina:secret@[")
      Issue.record("expected an error")
    } catch { #expect(!"\(error)".contains("secret")) }
  }
}
