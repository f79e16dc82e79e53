import Foundation
import Synchronization

/// The shop's end of the webhooks: takes one request a connection and answers with the status it is told to.
final class WebhookReceiver: Sendable {
  struct Message: Sendable {
    let signature: String
    let body: String
    let at: Date
  }

  let port: Int
  private let socket: Int32
  private let state = Mutex<(messages: [Message], refusals: Int)>(([], 0))

  init() throws {
    let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(socket, pointer, length) == 0 && listen(socket, 64) == 0 ? getsockname(socket, pointer, &length) : -1
      }
    }
    guard result == 0 else { throw POSIXError(.EADDRINUSE) }
    self.socket = socket
    port = Int(UInt16(bigEndian: address.sin_port))
    let thread = Thread { [self] in
      while true {
        let file = accept(socket, nil, nil)
        if file < 0 { return }
        take(file)
        close(file)
      }
    }
    thread.start()
  }

  func stop() { shutdown(socket, Int32(SHUT_RDWR)) }
  var url: String { "http://127.0.0.1:\(port)/webhooks" }
  /// Taken messages, with 200.
  var messages: [Message] { state.withLock { $0.messages } }
  /// Refuses the next messages with 500.
  func refuse(_ count: Int) { state.withLock { $0.refusals = count } }
  var refusals: Int { state.withLock { $0.refusals } }

  /// Waits until so many messages were taken.
  func wait(for count: Int, within limit: Duration = .seconds(10)) async throws -> [Message] {
    let deadline = ContinuousClock.now + limit
    while messages.count < count && ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
    return messages
  }

  private func take(_ file: Int32) {
    var data = Data()
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
      let count = recv(file, &buffer, buffer.count, 0)
      if count <= 0 { return }
      data.append(contentsOf: buffer[..<count])
      let text = String(decoding: data, as: UTF8.self)
      guard let end = text.range(of: "\r\n\r\n") else { continue }
      func header(_ name: String) -> String {
        let line = text[..<end.lowerBound].split(separator: "\r\n").first { $0.lowercased().hasPrefix(name + ":") }
        return line.map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) } ?? ""
      }
      let body = String(text[end.upperBound...])
      guard body.utf8.count >= Int(header("content-length")) ?? 0 else { continue }
      let isRefused = state.withLock { state in
        if state.refusals > 0 {
          state.refusals -= 1
          return true
        }
        state.messages.append(Message(signature: header("payment-signature"), body: body, at: Date()))
        return false
      }
      let answer = "HTTP/1.1 \(isRefused ? "500 No" : "200 OK")\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
      _ = Array(answer.utf8).withUnsafeBytes { send(file, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      return
    }
  }
}
