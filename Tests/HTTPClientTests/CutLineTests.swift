import Foundation
import Testing

@testable import HTTPClient

extension HTTPClientError {
  var kind: String {
    switch self {
    case .notSent: "not sent"
    case .outcomeUnknown: "unknown"
    case .tooLarge: "too large"
    case .cancelled: "cancelled"
    }
  }
}

/// What the client says when the line is cut, at each place where it can be.
@Suite("HTTP client, cut lines") struct CutLineTests {
  private let client = HTTPClient(workers: 2)

  private func kind(_ request: HTTPClient.Request) async -> String {
    do {
      return "status \(try await client.send(request).status)"
    } catch {
      return error.kind
    }
  }

  private func post(_ url: String, timeout: Duration = .seconds(5)) -> HTTPClient.Request {
    .init(method: "POST", url: url, body: Data("{}".utf8), timeout: timeout)
  }

  @Test("nobody listens: not sent")
  func refused() async throws {
    #expect(await kind(post("http://127.0.0.1:\(try RawServer.refusingPort())/")) == "not sent")
  }

  @Test("nobody listens any more, after an answer on the same worker: not sent")
  func refusedLater() async throws {
    let client = HTTPClient(workers: 1)
    let server = try RawServer { connection in
      connection.readRequest()
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    }
    defer { server.stop() }
    _ = try await client.send(post(server.url))
    do {
      _ = try await client.send(post("http://127.0.0.1:\(try RawServer.refusingPort())/"))
      Issue.record("expected an error")
    } catch {
      #expect((error as? HTTPClientError)?.kind == "not sent")
    }
  }

  @Test("no such host: not sent")
  func unresolved() async {
    #expect(await kind(post("http://nowhere.invalid/")) == "not sent")
  }

  @Test("TLS against a server that has none: not sent")
  func noTLS() async throws {
    let server = try RawServer { $0.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }
    defer { server.stop() }
    #expect(await kind(post("https://127.0.0.1:\(server.port)/")) == "not sent")
    #expect(server.requests.isEmpty)
  }

  @Test("closed after the request was read, before any answer: unknown, and sent once", arguments: [false, true])
  func afterRequest(reset: Bool) async throws {
    let server = try RawServer { connection in
      connection.readRequest()
      if reset { connection.reset() }
    }
    defer { server.stop() }
    #expect(await kind(post(server.url)) == "unknown")
    #expect(server.requests.count == 1)
  }

  @Test(
    "closed in the middle of the head or the body: unknown",
    arguments: [
      "HTTP/1.1 201 Cre", "HTTP/1.1 201 Created\r\nContent-Length: 10\r\n",
      "HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n{\"id\"",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ])
  func midAnswer(_ part: String) async throws {
    let server = try RawServer { connection in
      connection.readRequest()
      connection.write(part)
    }
    defer { server.stop() }
    #expect(await kind(post(server.url)) == "unknown")
    #expect(server.requests.count == 1)
  }

  @Test("an answer that isn't HTTP: unknown")
  func notHTTP() async throws {
    let server = try RawServer { connection in
      connection.readRequest()
      connection.write("220 mail.example ESMTP\r\n")
    }
    defer { server.stop() }
    #expect(await kind(post(server.url)) == "unknown")
  }

  @Test("no answer in time: unknown")
  func silence() async throws {
    let server = try RawServer { connection in
      connection.readRequest()
      connection.readRequest()
    }
    defer { server.stop() }
    let began = ContinuousClock.now
    #expect(await kind(post(server.url, timeout: .milliseconds(300))) == "unknown")
    #expect(ContinuousClock.now - began < .seconds(3))
  }

  @Test("no time left before the first byte: not sent")
  func late() async throws {
    let server = try RawServer { $0.readRequest() }
    defer { server.stop() }
    #expect(await kind(post(server.url, timeout: .zero)) == "not sent")
    #expect(server.requests.isEmpty)
  }

  @Test("a kept connection that dies under a POST, with or without a body, is not sent again in secret", arguments: ["{}", ""])
  func keptConnection(body: String) async throws {
    let client = HTTPClient(workers: 1)
    let server = try RawServer { connection in
      // The first request is answered; the second, if it comes on the same connection, is read and cut.
      guard let first = connection.readRequest(), first.hasPrefix("GET") else { return }
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      var wait = timeval(tv_sec: 0, tv_usec: 300_000)
      setsockopt(connection.file, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
      connection.readRequest()
    }
    defer { server.stop() }
    _ = try await client.send(.init(url: server.url))
    do {
      _ = try await client.send(.init(method: "POST", url: server.url, body: Data(body.utf8)))
      Issue.record("expected an error")
    } catch {
      #expect(error.kind == "unknown")
    }
    #expect(server.requests.count { $0.hasPrefix("POST") } == 1)
  }

  @Test("cancelling ends the transfer at once, under way or waiting for a thread")
  func cancellation() async throws {
    let client = HTTPClient(workers: 1)
    let server = try RawServer { connection in
      connection.readRequest()
      connection.readRequest()
    }
    defer { server.stop() }
    let url = server.url
    // Of up to five, as other tests have the cores too.
    var fastest = Duration.seconds(60)
    for _ in 1...5 where fastest >= .milliseconds(900) {
      let began = ContinuousClock.now
      let tasks = (0..<2).map { _ in
        Task { () -> String in
          do {
            _ = try await client.send(.init(url: url))
            return "answered"
          } catch { return (error as? HTTPClientError)?.kind ?? "?" }
        }
      }
      try await Task.sleep(for: .milliseconds(200))
      for task in tasks { task.cancel() }
      for task in tasks { #expect(await task.value == "cancelled") }
      fastest = min(fastest, ContinuousClock.now - began)
    }
    #expect(fastest < .milliseconds(900))
  }

  @Test("a body or a head over its limit: too large")
  func limits() async throws {
    let server = try RawServer { connection in
      let request = connection.readRequest() ?? ""
      if request.hasPrefix("GET /body") {
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + String(repeating: "x", count: 1_001))
      } else {
        connection.write("HTTP/1.1 200 OK\r\nX-Long: \(String(repeating: "x", count: 70_000))\r\nContent-Length: 0\r\n\r\n")
      }
    }
    defer { server.stop() }
    #expect(await kind(.init(url: server.url + "body", bodyLimit: 1_000)) == "too large")
    #expect(await kind(.init(url: server.url + "body", bodyLimit: 1_001)) == "status 200")
    #expect(await kind(.init(url: server.url + "head")) == "too large")
  }

  @Test(
    "what would break the message's frame is not sent",
    arguments: [
      HTTPClient.Request(url: "ftp://127.0.0.1/"), .init(url: "file:///etc/passwd"), .init(url: "http://127.0.0.1/a b"),
      .init(url: "http://user:word@127.0.0.1:1/"), .init(method: "GE T", url: "http://127.0.0.1/"),
      .init(url: "http://127.0.0.1/", headers: [("X", "1\r\nY: 2")]), .init(url: "http://127.0.0.1/", headers: [("X:", "1")]),
      .init(url: "http://127.0.0.1/", headers: [("Content-Length", "5")]),
    ])
  func refusedRequests(_ request: HTTPClient.Request) async {
    #expect(await kind(request) == "not sent")
  }
}
