import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

extension Gateway {
  /// What answers without a site: probes and metrics.
  public struct Operations: Sendable {
    /// - Returns: what is not ready, in words; empty when all is.
    public let ready: @Sendable () async -> [String]
    public let metrics: @Sendable () async -> String
    /// `nil`: metrics are open (development). Else the bearer token that reads them.
    public let metricsToken: String?
    public init(
      ready: @escaping @Sendable () async -> [String], metrics: @escaping @Sendable () async -> String, metricsToken: String?
    ) {
      self.ready = ready
      self.metrics = metrics
      self.metricsToken = metricsToken
    }
  }

  /// `/health`: the process lives. `/ready`: it can do its work. On any host, since probes come by address; under any load.
  func probe(_ request: Request) async -> Response? {
    guard request.method == .get || request.method == .head else { return nil }
    switch request.uri.path {
    case "/health": return plain("{\"status\":\"ok\"}\n", .ok, "application/json")
    case "/ready":
      let missing = await operations.ready()
      if missing.isEmpty { return plain("{\"status\":\"ready\"}\n", .ok, "application/json") }
      let list = missing.map { "\"\($0.replacing("\"", with: "'"))\"" }.joined(separator: ",")
      return plain("{\"status\":\"not ready\",\"missing\":[\(list)]}\n", .serviceUnavailable, "application/json")
    case "/metrics":
      if let token = operations.metricsToken, !equal(request.headers[.authorization] ?? "", "Bearer \(token)") {
        return plain("a bearer token is needed\n", .unauthorized, "text/plain")
      }
      return plain(await operations.metrics(), .ok, "text/plain; version=0.0.4; charset=utf-8")
    default: return nil
    }
  }

  private func equal(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    return a.count == b.count && zip(a, b).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private func plain(_ text: String, _ status: HTTPResponse.Status, _ type: String) -> Response {
    Response(
      status: status, headers: [.contentType: type, .cacheControl: "no-store"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}
