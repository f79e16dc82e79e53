@testable import Database

/// A statement whose text was put together by hand: what the house's SQL type does not allow.
func careless(_ text: String) -> SQL { SQL(trusted: text) }
