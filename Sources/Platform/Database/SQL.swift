/// SQL text with bound parameters.
///
/// An interpolated value becomes a parameter (`$1`, `$2`, …) and never part of the text:
///
///     let rows = try await database.query("SELECT name FROM \(schema).person WHERE id = \(person)")
///
/// A ``Schema`` is inserted as a quoted identifier. Text that comes from elsewhere has no way in but `\(raw:)`, which
/// takes literals of the source only, `\(identifier:)`, which quotes, and `\(sql:)`, another statement's text.
public struct SQL: ExpressibleByStringInterpolation, Sendable {
  /// The statement as the server gets it. Holds no values.
  public private(set) var text: String
  /// The value of `$1` comes first.
  public private(set) var parameters: [SQLParameter]
  /// Where in the UTF-8 of ``text`` each placeholder stands, so that joining statements can number them anew without
  /// mistaking a `$1` inside a string constant for one.
  private var placeholders: [Int]

  /// No text at all: the neutral element of `+`.
  public init() {
    text = ""
    parameters = []
    placeholders = []
  }

  public init(stringLiteral value: String) {
    self.init()
    text = value
  }

  public init(stringInterpolation: StringInterpolation) { self = stringInterpolation.sql }

  /// Text that is trusted because this module made it: quoted names, migrations.
  init(trusted text: String) {
    self.init()
    self.text = text
  }

  public static func + (a: SQL, b: SQL) -> SQL {
    var result = a
    result.append(b)
    return result
  }

  public static func += (a: inout SQL, b: SQL) { a.append(b) }

  mutating func append(text more: String) { text += more }

  mutating func append(_ parameter: SQLParameter) {
    parameters.append(parameter)
    placeholders.append(text.utf8.count)
    text += "$\(parameters.count)"
  }

  mutating func append(_ other: SQL) {
    guard !other.parameters.isEmpty else {
      text += other.text
      return
    }
    let bytes = other.text.utf8
    var position = bytes.startIndex
    for (number, placeholder) in other.placeholders.enumerated() {
      let start = bytes.index(bytes.startIndex, offsetBy: placeholder)
      text += other.text[position..<start]
      append(other.parameters[number])
      position = bytes.index(start, offsetBy: 1 + String(number + 1).utf8.count)
    }
    text += other.text[position...]
  }

  /// Why the protocol can't carry it (PostgreSQL manual §55.7: counts of 16 bits, messages of 1 GB).
  var unsendable: String? {
    if parameters.isEmpty {
      return text.utf8.count < SQL.longest ? nil : "a statement is shorter than 1 GB"
    }
    if parameters.count > Int(UInt16.max) { return "a statement has 65535 parameters at most" }
    var size = text.utf8.count
    for parameter in parameters { size += 4 + (parameter.bytes?.count ?? 0) }
    return size < SQL.longest ? nil : "a statement is shorter than 1 GB"
  }

  private static let longest = 1_000_000_000

  public struct StringInterpolation: StringInterpolationProtocol {
    var sql = SQL()

    public init(literalCapacity: Int, interpolationCount: Int) {
      sql.text.reserveCapacity(literalCapacity + 3 * interpolationCount)
      sql.parameters.reserveCapacity(interpolationCount)
      sql.placeholders.reserveCapacity(interpolationCount)
    }

    public mutating func appendLiteral(_ literal: String) { sql.append(text: literal) }

    /// Binds a value.
    public mutating func appendInterpolation(_ value: some SQLEncodable) {
      sql.append(SQLParameter(value))
    }

    /// Binds a value, or NULL of its type.
    public mutating func appendInterpolation<Value: SQLEncodable>(_ value: Value?) {
      sql.append(SQLParameter(value))
    }

    /// Inserts the schema's quoted name.
    public mutating func appendInterpolation(_ schema: Schema) { sql.append(text: schema.quoted) }

    /// Inserts text that stands in the source as a literal.
    public mutating func appendInterpolation(raw text: StaticString) {
      sql.append(text: text.description)
    }

    /// Inserts another statement's text, its parameters numbered after those before it.
    public mutating func appendInterpolation(sql other: SQL) { sql.append(other) }

    /// Inserts a name as a quoted identifier: a partition, a column chosen at run time.
    public mutating func appendInterpolation(identifier name: String) {
      sql.append(text: Quoting.identifier(name))
    }

    /// Inserts a quoted string constant, for statements that take no parameters (`PARTITION OF … FOR VALUES`).
    /// It becomes part of the text, which may be logged: nothing personal or secret.
    public mutating func appendInterpolation(literal text: String) {
      sql.append(text: Quoting.literal(text))
    }
  }
}

/// A value in PostgreSQL's binary format, and its type.
public struct SQLParameter: Sendable {
  public let type: SQLType
  /// `nil` is NULL.
  public let bytes: [UInt8]?

  public init<Value: SQLEncodable>(_ value: Value?) {
    type = Value.sqlType
    guard let value else {
      bytes = nil
      return
    }
    var buffer: [UInt8] = []
    value.encode(into: &buffer)
    bytes = buffer
  }
}
