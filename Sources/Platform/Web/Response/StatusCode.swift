public import HTTPTypes

/// An HTTP status by its number (RFC 9110 §15), for modules that lean on the contract alone and not on the library that has
/// names for them.
public func httpStatus(_ code: Int) -> HTTPResponse.Status { HTTPResponse.Status(code: code) }
