import Foundation
import HTTPTypes
import Hummingbird
import Kit
import NIOCore
import Synchronization

/// Where the body of ``Answer/stream(contentType:length:_:)`` goes. Writing waits for a client that is slow.
public struct AnswerWriter {
  var writer: any ResponseBodyWriter

  init(_ writer: any ResponseBodyWriter) { self.writer = writer }

  /// - Throws: when the client has gone.
  public mutating func write(_ bytes: [UInt8]) async throws { try await writer.write(ByteBuffer(bytes: bytes)) }
}

extension Answer {
  /// The response of an answer that doesn't depend on who asks.
  func assetResponse() -> Response {
    var headers = self.headers
    let data: Data
    switch body {
    case .bytes(let bytes, let contentType):
      data = bytes
      headers[.contentType] = contentType
    case .json(let value):
      data = Answer.encode(value)
      headers[.contentType] = "application/json"
    case .page, .stream, .none: data = Data()
    }
    headers[.xContentTypeOptions] = "nosniff"
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
  }

  /// The response for one visit: page or JSON, cookies, and the headers that keep a browser careful.
  func response(for visit: Visit) -> Response { made(for: visit).response }

  /// The response, and what of it may be sent again to who asks the same: JSON that came out well, with nothing in it for
  /// this visitor's browser alone.
  func made(for visit: Visit) -> (response: Response, kept: KeptAnswer?) {
    var headers = self.headers
    var data = Data()
    var streamed: ResponseBody?
    var isPlainJSON = false
    switch body {
    case .page(let make, let json):
      if visit.wantsJSON, let json {
        data = Answer.encode(json)
        set(&headers, .contentType, "application/json")
        isPlainJSON = true
      } else {
        let page = make()
        data = Data(visit.renderer.html(page, visit: visit, status: status.code).utf8)
        set(&headers, .contentType, "text/html; charset=utf-8")
        let targets = (["'self'", "\(visit.cities.issuer.origin)"] + page.formTargets).joined(separator: " ")
        set(
          &headers, .contentSecurityPolicy,
          "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
            + "manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action \(targets)")
        headers[HTTPField.Name("Referrer-Policy")!] = "same-origin"
        headers[HTTPField.Name("Permissions-Policy")!] = "geolocation=(self), camera=(), microphone=()"
        headers[HTTPField.Name("Cross-Origin-Opener-Policy")!] = "same-origin"
      }
    case .json(let value):
      data = Answer.encode(value)
      set(&headers, .contentType, "application/json")
      isPlainJSON = visit.wantsJSON
    case .bytes(let bytes, let contentType):
      data = bytes
      set(&headers, .contentType, contentType)
    case .stream(let contentType, let length, let write):
      set(&headers, .contentType, contentType)
      streamed = ResponseBody(contentLength: length) { writer in
        var answer = AnswerWriter(writer)
        try await write(&answer)
        try await answer.writer.finish(nil)
      }
    case .none: break
    }
    headers[.xContentTypeOptions] = "nosniff"
    // A handler with its own word on caches means this one, too.
    let mayBeKept = isPlainJSON && status == .ok && headers[.cacheControl] == nil && headers[.setCookie] == nil
    set(&headers, .cacheControl, "no-store")
    headers[.xRequestID] = visit.requestID
    set(&headers, .vary, "Accept, Accept-Language, Cookie")
    if visit.site.origin.isSecure {
      headers[.strictTransportSecurity] = "max-age=63072000; includeSubDomains"
    }
    let bytes = ByteBuffer(bytes: data)
    let body = streamed ?? ResponseBody(byteBuffer: bytes)
    var response = Response(status: status, headers: headers, body: body)
    let cookies = visit.extras.cookies.withLock { $0 }
    for cookie in cookies { response.setCookie(cookie) }
    let kept = mayBeKept && cookies.isEmpty ? KeptAnswer(status: status, headers: headers, body: bytes) : nil
    return (response, kept)
  }

  private func set(_ headers: inout HTTPFields, _ name: HTTPField.Name, _ value: String) {
    if headers[name] == nil { headers[name] = value }
  }

  static func encode(_ value: any Encodable & Sendable) -> Data {
    // What we encode are our own value types: failure is a programmer's error, and an empty body shows it.
    (try? JSONText.encode(value)).map { Data($0) } ?? Data()
  }
}
