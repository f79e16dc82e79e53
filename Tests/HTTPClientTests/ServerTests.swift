import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization
import Testing

@testable import HTTPClient

/// Against a real server.
@Suite("HTTP client, real server") struct ServerTests {
  private struct PeerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let peer: Int
    init(source: ApplicationRequestContextSource) {
      coreContext = .init(source: source)
      peer = source.channel.remoteAddress?.port ?? 0
    }
  }

  /// Serves while the body runs; answers say what came in.
  private func serve(_ body: @escaping @Sendable (String) async throws -> Void) async throws {
    let router = Router(context: PeerContext.self)
    for method in [HTTPRequest.Method.get, .post, .put, .patch, .delete, .head] {
      router.on("/echo", method: method) { request, context in
        let bytes = try await request.body.collect(upTo: 8 << 20)
        let length = request.headers[.contentLength] ?? "none"
        let type = request.headers[.contentType] ?? "none"
        let text =
          "\(request.method.rawValue) \(bytes.readableBytes) \(length) \(type) \(request.headers[HTTPField.Name("X-Word")!] ?? "-")"
        return Response(
          status: .ok, headers: [.contentType: "text/plain", HTTPField.Name("X-Peer")!: "\(context.peer)"],
          body: .init(byteBuffer: ByteBuffer(string: text)))
      }
    }
    router.get("/away") { _, _ in Response(status: .seeOther, headers: [.location: "/echo"]) }
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let (ports, ready) = AsyncStream.makeStream(of: Int.self)
    let application = Application(
      router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
      onServerRunning: { ready.yield($0.localAddress?.port ?? 0) }, logger: logger)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await application.run() }
      var iterator = ports.makeAsyncIterator()
      let port = await iterator.next() ?? 0
      try await body("http://127.0.0.1:\(port)")
      group.cancelAll()
    }
  }

  @Test("methods, headers and bodies come through as they are")
  func echo() async throws {
    try await serve { (origin: String) async throws in
      let client = HTTPClient()
      func text(_ method: String, _ body: Data?, _ headers: [(String, String)] = []) async throws -> String {
        let answer = try await client.send(.init(method: method, url: origin + "/echo", headers: headers, body: body))
        #expect(answer.status == 200)
        return String(decoding: answer.body, as: UTF8.self)
      }
      #expect(try await text("GET", nil) == "GET 0 none none -")
      #expect(try await text("POST", nil) == "POST 0 0 none -")
      #expect(
        try await text("POST", Data("가나".utf8), [("Content-Type", "text/plain"), ("X-Word", "말")]) == "POST 6 6 text/plain 말")
      #expect(try await text("PUT", Data("abc".utf8)) == "PUT 3 3 none -")
      #expect(try await text("PATCH", Data("abc".utf8)) == "PATCH 3 3 none -")
      #expect(try await text("DELETE", nil) == "DELETE 0 none none -")
      #expect(try await text("HEAD", nil).isEmpty)
      let large = Data(repeating: 7, count: 5 << 20)
      #expect(try await text("POST", large) == "POST \(large.count) \(large.count) none -")
    }
  }

  @Test("redirects are not followed; header names compare without case")
  func redirect() async throws {
    try await serve { origin in
      let answer = try await HTTPClient().send(.init(url: origin + "/away"))
      #expect(answer.status == 303)
      #expect(answer.header("LOCATION") == "/echo")
    }
  }

  @Test("a worker keeps its connection for the next request, POSTs with a body too")
  func reuse() async throws {
    try await serve { origin in
      let client = HTTPClient(workers: 1)
      var peers: Set<String> = []
      for number in 0..<6 {
        let method = number.isMultiple(of: 2) ? "GET" : "POST"
        let body = method == "POST" ? Data("x".utf8) : nil
        let answer = try await client.send(.init(method: method, url: origin + "/echo", body: body))
        peers.insert(answer.header("x-peer") ?? "")
      }
      #expect(peers.count == 1)
    }
  }

  @Test("many at once, on a few threads")
  func many() async throws {
    try await serve { origin in
      let client = HTTPClient(workers: 4)
      try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<200 {
          group.addTask {
            try await client.send(.init(method: "POST", url: origin + "/echo", body: Data(repeating: 1, count: number))).status
          }
        }
        for try await status in group { #expect(status == 200) }
      }
    }
  }
}
