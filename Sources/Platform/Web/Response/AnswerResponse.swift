import Foundation
import HTTPTypes
import Hummingbird
import Kit
import NIOCore
import Synchronization

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
    case .page, .none: data = Data()
    }
    headers[.xContentTypeOptions] = "nosniff"
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
  }

  /// The response for one visit: page or JSON, cookies, and the headers that keep a browser careful.
  func response(for visit: Visit) -> Response {
    var headers = self.headers
    var data = Data()
    switch body {
    case .page(let page, let json):
      if visit.wantsJSON, let json {
        data = Answer.encode(json)
        set(&headers, .contentType, "application/json")
      } else {
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
    case .bytes(let bytes, let contentType):
      data = bytes
      set(&headers, .contentType, contentType)
    case .none: break
    }
    headers[.xContentTypeOptions] = "nosniff"
    set(&headers, .cacheControl, "no-store")
    headers[HTTPField.Name("X-Request-Id")!] = visit.requestID
    set(&headers, .vary, "Accept, Accept-Language, Cookie")
    if visit.site.origin.isSecure {
      headers[.strictTransportSecurity] = "max-age=63072000; includeSubDomains"
    }
    var response = Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
    for cookie in visit.extras.cookies.withLock({ $0 }) { response.setCookie(cookie) }
    return response
  }

  private func set(_ headers: inout HTTPFields, _ name: HTTPField.Name, _ value: String) {
    if headers[name] == nil { headers[name] = value }
  }

  static func encode(_ value: any Encodable & Sendable) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // What we encode are our own value types: failure is a programmer's error, and an empty body shows it.
    return (try? encoder.encode(value)) ?? Data()
  }
}
