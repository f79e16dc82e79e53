public import Kit

extension DatabaseError: ProblemConvertible {
  /// A database that is away is a matter of waiting; every other failure is ours to mend.
  public var problem: Problem {
    if isUnavailable { return Problem(.unavailable, retryAfter: 5) }
    switch kind {
    case .timeout, .cancelled: return Problem(.deadlineExceeded, retryAfter: 5)
    default: return Problem(.internalError)
    }
  }
}
