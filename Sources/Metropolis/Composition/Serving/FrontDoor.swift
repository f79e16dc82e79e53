import Gateway
import HTTPTypes
import Hummingbird
import NIOCore
import Web

/// What a connection gives a request: the address of its other end.
struct PeerContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  let peer: String

  init(source: Source) {
    coreContext = .init(source: source)
    peer = source.channel.remoteAddress?.ipAddress ?? "unknown"
  }
}

/// Where requests come in: finds out for whom a proxy asks, and hands them to the gateway.
struct FrontDoor: HTTPResponder, ImmediateResponder {
  typealias Context = PeerContext

  let gateway: Gateway
  let proxies: TrustedProxies
  let readiness: Readiness

  func respond(to request: Request, context: PeerContext) async throws -> Response {
    var response = await gateway.respond(to: request, network: network(request.headers, context.peer))
    // Who keeps the connection is to open the next one somewhere else.
    if readiness.isStopping { response.headers[.connection] = "close" }
    return response
  }

  func immediate(_ head: HTTPRequest, from address: String) -> (head: HTTPResponse, body: ByteBuffer)? {
    // The long way says that the connection ends.
    readiness.isStopping ? nil : gateway.immediate(head) { network(head.headerFields, address) }
  }

  private func network(_ headers: HTTPFields, _ peer: String) -> String {
    Network.name(of: proxies.client(of: headers, peer: peer))
  }
}

/// What a process without sites answers: how it does.
struct Probes: HTTPResponder {
  typealias Context = PeerContext

  let gateway: Gateway

  func respond(to request: Request, context: PeerContext) async throws -> Response {
    guard ["/health", "/ready", "/metrics"].contains(request.uri.path) else { return Response(status: .notFound) }
    return await gateway.respond(to: request, network: context.peer)
  }
}
