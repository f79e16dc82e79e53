import Foundation
import Synchronization

/// A listening socket whose connections are handled by hand, for answers that no proper server gives.
final class RawServer: Sendable {
  let port: Int
  private let socket: Int32
  private let seen = Mutex<[String]>([])

  /// - Parameter handle: gets each connection in turn with the request's text; it writes what it likes.
  init(_ handle: @escaping @Sendable (Connection) -> Void) throws {
    let (socket, port) = try RawServer.listen()
    self.socket = socket
    self.port = port
    let thread = Thread { [self] in
      while true {
        let file = accept(socket, nil, nil)
        if file < 0 { return }
        handle(Connection(file: file, server: self))
        close(file)
      }
    }
    thread.start()
  }

  func stop() { shutdown(socket, Int32(SHUT_RDWR)) }

  var url: String { "http://127.0.0.1:\(port)/" }
  /// The requests that were read.
  var requests: [String] { seen.withLock { $0 } }
  fileprivate func note(_ request: String) { seen.withLock { $0.append(request) } }

  /// A port that was free a moment ago and refuses connections.
  static func refusingPort() throws -> Int {
    let (socket, port) = try listen()
    close(socket)
    return port
  }

  private static func listen() throws -> (Int32, Int) {
    let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(socket, pointer, length) == 0 && Foundation.listen(socket, 16) == 0 ? getsockname(socket, pointer, &length) : -1
      }
    }
    guard result == 0 else { throw POSIXError(.EADDRINUSE) }
    return (socket, Int(UInt16(bigEndian: address.sin_port)))
  }
}

struct Connection {
  let file: Int32
  let server: RawServer

  /// Reads one request: its head, and its body by Content-Length. `nil` at the end of the connection.
  @discardableResult
  func readRequest() -> String? {
    var data = Data()
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
      let text = String(decoding: data, as: UTF8.self)
      if let end = text.range(of: "\r\n\r\n") {
        let lengthLine = text[..<end.lowerBound].split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
        let length = lengthLine.flatMap { Int($0.split(separator: ":")[1].trimmingCharacters(in: .whitespaces)) } ?? 0
        if text[end.upperBound...].utf8.count >= length {
          server.note(text)
          return text
        }
      }
      let count = recv(file, &buffer, buffer.count, 0)
      if count <= 0 { return nil }
      data.append(contentsOf: buffer[..<count])
    }
  }

  func write(_ text: String) {
    _ = Array(text.utf8).withUnsafeBytes { send(file, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }

  /// Closes with a reset instead of a proper end.
  func reset() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(file, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
  }
}
