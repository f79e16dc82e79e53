public import HTTPTypes

extension HTTPFields {
  /// The value of a cookie a client sent (RFC 6265 §4.2.1), without reading the others.
  public func cookie(_ name: String) -> Substring? { self[.cookie].flatMap { Negotiation.cookie(name, in: $0) } }
}
