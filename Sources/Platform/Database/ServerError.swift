import CPostgres

extension DatabaseError {
  /// Reads libpq's error result. Detail, hint and context are left where they are: they quote rows.
  init(result: OpaquePointer) {
    func field(_ code: Character) -> String? {
      guard let ascii = code.asciiValue, let text = PQresultErrorField(result, Int32(ascii)) else { return nil }
      return String(cString: text)
    }
    if let state = field("C") {
      self.init(.server(SQLState(rawValue: state)))
    } else {
      // libpq's own: the connection broke, or the answer was not the protocol's.
      self.init(.connectionLost)
    }
    constraint = field("n")
    table = field("t")
    column = field("c")
    message = field("M")
    position = field("P").flatMap { Int($0) }
    if let state, DatabaseError.statesAboutText.contains(state.rawValue) { explanation = message }
    isFatal = ["FATAL", "PANIC"].contains(field("V"))
    isStalePlan = state == .featureNotSupported && field("R") == "RevalidateCachedQuery" || state == .undefinedPreparedStatement
  }

  /// Errors whose message speaks of the statement's text only, never of values: syntax, ambiguous and unknown columns,
  /// tables and functions, types that don't match, rights that are missing.
  private static let statesAboutText: Set<String> = ["42601", "42501", "42702", "42703", "42804", "42883", "42P01", "42P18"]

  /// libpq's words on a connection that could not be made. They name hosts, users and databases, no values.
  static func connectionFailed(_ reason: String) -> DatabaseError {
    DatabaseError(.connectionFailed, message: reason, explanation: reason)
  }
}

extension SQLState {
  static let featureNotSupported = SQLState(rawValue: "0A000")
  static let undefinedPreparedStatement = SQLState(rawValue: "26000")
}
