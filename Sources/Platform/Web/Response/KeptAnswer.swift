public import HTTPTypes
public import Hummingbird
public import NIOCore

/// An answer ready to be sent again: bytes and fields, made once.
public struct KeptAnswer: Sendable {
  public let status: HTTPResponse.Status
  /// All fields but the request's id.
  public let headers: HTTPFields
  public let body: ByteBuffer

  public init(status: HTTPResponse.Status, headers: HTTPFields, body: ByteBuffer) {
    self.status = status
    var headers = headers
    headers[.xRequestID] = nil
    headers[.contentLength] = "\(body.readableBytes)"
    self.headers = headers
    self.body = body
  }

  /// The head of one response, with the id of its request.
  public func head(requestID: String) -> HTTPResponse {
    var fields = headers
    fields.append(HTTPField(name: .xRequestID, value: requestID))
    return HTTPResponse(status: status, headerFields: fields)
  }

  public func response(requestID: String) -> Response {
    var fields = headers
    fields.append(HTTPField(name: .xRequestID, value: requestID))
    return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: body))
  }
}

extension HTTPField.Name {
  static let xRequestID = HTTPField.Name("X-Request-Id")!
}
