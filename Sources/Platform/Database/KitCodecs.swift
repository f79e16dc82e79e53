public import Kit

private let microsecondsToPostgresEpoch: Int64 = 946_684_800_000_000  // 2000-01-01T00:00:00Z
private let daysToPostgresEpoch = 10_957

extension Instant: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .timestamptz }
  public func encode(into buffer: inout [UInt8]) {
    let (value, overflow) = microseconds.subtractingReportingOverflow(microsecondsToPostgresEpoch)
    buffer.append(bigEndian: overflow ? Int64.min : value)
  }
  /// Reads `timestamptz`. An infinite time is an error: sums with it would stop the process.
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> Instant {
    guard type == .timestamptz else { throw SQLDecodingError.typeMismatch(found: type, expected: "Instant") }
    let value = try bytes.integer(Int64.self, of: type)
    guard value != .max, value != .min else { throw SQLDecodingError.outOfRange(expected: "the finite times") }
    let (microseconds, overflow) = value.addingReportingOverflow(microsecondsToPostgresEpoch)
    guard !overflow else { throw SQLDecodingError.outOfRange(expected: "the times of Instant") }
    return Instant(microseconds: microseconds)
  }
}

extension CivilDate: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .date }
  public func encode(into buffer: inout [UInt8]) {
    buffer.append(bigEndian: Int32(daysSinceEpoch - daysToPostgresEpoch))
  }
  /// Reads `date`, from year 1 to 9999.
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> CivilDate {
    guard type == .date else { throw SQLDecodingError.typeMismatch(found: type, expected: "CivilDate") }
    let date = CivilDate(daysSinceEpoch: Int(try bytes.integer(Int32.self, of: type)) + daysToPostgresEpoch)
    guard (1...9999).contains(date.year) else { throw SQLDecodingError.outOfRange(expected: "the years 1 to 9999") }
    return date
  }
}

/// A `Duration` is an `interval` of microseconds, so that a lease can be reckoned by the database's clock.
extension Duration: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .interval }
  public func encode(into buffer: inout [UInt8]) {
    buffer.append(bigEndian: microseconds)
    buffer.append(bigEndian: Int64(0))  // days and months
  }
  /// Reads `interval`; a day is 24 hours, and an interval with months is an error.
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> Duration {
    guard type == .interval else { throw SQLDecodingError.typeMismatch(found: type, expected: "Duration") }
    let microseconds = try bytes.integer(Int64.self, of: type)
    let days = try bytes.integer(Int32.self, at: 8, of: type)
    guard try bytes.integer(Int32.self, at: 12, of: type) == 0 else {
      throw SQLDecodingError.outOfRange(expected: "the intervals without months")
    }
    return .microseconds(microseconds) + .seconds(Int64(days) * 86_400)
  }
}

extension PersonID: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .uuid }
  public func encode(into buffer: inout [UInt8]) { uuid.encode(into: &buffer) }
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> PersonID {
    PersonID(try .decode(bytes, as: type))
  }
}

extension TenantID: SQLEncodable, SQLDecodable {
  public static var sqlType: SQLType { .text }
  public func encode(into buffer: inout [UInt8]) { text.encode(into: &buffer) }
  public static func decode(_ bytes: UnsafeRawBufferPointer, as type: SQLType) throws -> TenantID {
    guard let id = TenantID(try .decode(bytes, as: type)) else { throw SQLDecodingError.outOfRange(expected: "the tenant ids") }
    return id
  }
}
