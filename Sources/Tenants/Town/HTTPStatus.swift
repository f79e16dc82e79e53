/// An HTTP status by its number. A tenant's target doesn't lean on the library whose type it is, and the literal alone would
/// need its import.
func httpStatus<Status: ExpressibleByIntegerLiteral>(_ code: Status.IntegerLiteralType) -> Status {
  Status(integerLiteral: code)
}
