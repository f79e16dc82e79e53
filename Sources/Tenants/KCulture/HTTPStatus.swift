/// An HTTP status by its number (RFC 9110 §15). A tenant's module leans on the contract alone, which does not bring the
/// module that has names for them.
func httpStatus<Status: ExpressibleByIntegerLiteral>(_ code: Status.IntegerLiteralType) -> Status {
  Status(integerLiteral: code)
}
