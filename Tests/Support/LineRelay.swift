import Foundation

/// The thread of a ``LineProxy``: passes bytes on between its sockets, message by message.
final class LineRelay {
  private let listener: Int32
  private let server: String
  private let control: LineControl
  private var lines: [Line] = []
  private var releases = 0
  /// More than this in line, and no more is read: who sends feels the pressure, as without a proxy.
  private static let pendingMax = 65_536

  init(listener: Int32, server: String, control: LineControl) {
    self.listener = listener
    self.server = server
    self.control = control
  }

  func run() {
    while true {
      var polled = [
        pollfd(fd: listener, events: Int16(POLLIN), revents: 0), pollfd(fd: control.wakeup, events: Int16(POLLIN), revents: 0),
      ]
      for line in lines { polled += [line.interest(of: .client), line.interest(of: .server)] }
      let watched = lines
      guard poll(&polled, nfds_t(polled.count), -1) >= 0 || errno == EINTR else { break }
      if polled[1].revents != 0 {
        var rings = [UInt8](repeating: 0, count: 64)
        _ = read(control.wakeup, &rings, rings.count)
      }
      let (isClosed, isPulled, released) = control.read { ($0.isClosed, $0.isPulled, $0.releases) }
      if isClosed { break }
      if released != releases {
        releases = released
        for line in lines { line.release() }
      }
      if isPulled { for line in lines { line.isStalled = true } }
      for (index, line) in watched.enumerated() {
        line.serve(.client, polled[2 + 2 * index].revents)
        line.serve(.server, polled[3 + 2 * index].revents)
      }
      if polled[0].revents != 0 { accept(isStalled: isPulled) }
      lines.removeAll { $0.isClosed }
      let count = lines.count
      control.read { $0.lines = count }
    }
    for line in lines { line.close() }
    Glibc.close(listener)
    control.read { $0.lines = 0 }
    control.didClose()
  }

  private func accept(isStalled: Bool) {
    let client = Glibc.accept(listener, nil, nil)
    guard client >= 0 else { return }
    guard let server = LineSockets.connect(to: server) else {
      Glibc.close(client)
      return
    }
    lines.append(Line(client: client, server: server, isStalled: isStalled, control: control))
  }

  /// One connection through the proxy.
  private final class Line {
    enum End { case client, server }

    private struct Side {
      let socket: Int32
      var isOpen = true
      /// What comes from this side.
      var framer: ProtocolFramer
      /// What is to go to this side.
      var pending: [UInt8] = []
      /// What came behind a `hold`, and is to go to this side.
      var held: [UInt8]?
    }

    var isStalled: Bool
    private(set) var isClosed = false
    private var client: Side
    private var server: Side
    private let control: LineControl
    private var bytes = [UInt8](repeating: 0, count: 65_536)

    init(client: Int32, server: Int32, isStalled: Bool, control: LineControl) {
      self.client = Side(socket: client, framer: ProtocolFramer(isFromClient: true))
      self.server = Side(socket: server, framer: ProtocolFramer(isFromClient: false))
      self.isStalled = isStalled
      self.control = control
      for socket in [client, server] { _ = fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK) }
    }

    func interest(of end: End) -> pollfd {
      let (side, other) = end == .client ? (client, server) : (server, client)
      guard side.isOpen, !isClosed else { return pollfd(fd: -1, events: 0, revents: 0) }
      var events = 0
      if isStalled || other.pending.count + (other.held?.count ?? 0) < LineRelay.pendingMax { events |= Int(POLLIN) }
      if !side.pending.isEmpty, !isStalled { events |= Int(POLLOUT) }
      return pollfd(fd: side.socket, events: Int16(events), revents: 0)
    }

    func serve(_ end: End, _ events: Int16) {
      guard events != 0, !isClosed else { return }
      if events & Int16(POLLOUT) != 0 { flush(end) }
      if events & ~Int16(POLLOUT) != 0 { take(from: end) }
    }

    func release() {
      for end in [End.client, .server] {
        update(end) { side in
          side.pending += side.held ?? []
          side.held = nil
        }
        flush(end)
      }
    }

    func close(byReset: Bool = false) {
      guard !isClosed else { return }
      isClosed = true
      if byReset {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(client.socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
      }
      Glibc.close(client.socket)
      if server.isOpen { Glibc.close(server.socket) }
    }

    private func update(_ end: End, _ body: (inout Side) -> Void) {
      if end == .client { body(&client) } else { body(&server) }
    }

    private func take(from end: End) {
      let socket = end == .client ? client.socket : server.socket
      let count = recv(socket, &bytes, bytes.count, 0)
      guard count > 0 else {
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        return didEnd(end)
      }
      if isStalled { return }
      let direction: LineProxy.Direction = end == .client ? .toServer : .toClient
      let received = bytes[..<count]
      update(end) { $0.framer.append(received) }
      while !isClosed, !isStalled, let message = end == .client ? client.framer.next() : server.framer.next() {
        if end == .client, ProtocolFramer.asksForEncryption(message) { server.framer.expectEncryptionAnswer() }
        guard let fault = control.didMeet(message, direction) else {
          pass(message.bytes[...], direction)
          continue
        }
        suffer(fault, at: message)
      }
      if !isClosed { flush(end == .client ? .server : .client) }
    }

    /// One end has closed. A line that is dead does not tell the client that the server has gone.
    private func didEnd(_ end: End) {
      if isStalled, end == .server {
        server.isOpen = false
        Glibc.close(server.socket)
        return
      }
      if !isStalled { flush(end == .client ? .server : .client, patience: 1_000) }
      close()
    }

    private func pass(_ bytes: ArraySlice<UInt8>, _ direction: LineProxy.Direction) {
      update(direction == .toServer ? .server : .client) { side in
        if side.held != nil { side.held? += bytes } else { side.pending += bytes }
      }
    }

    private func suffer(_ fault: LineProxy.Fault, at message: ProtocolMessage) {
      let whole = message.bytes.count
      let passing =
        switch fault.moment {
        case .before: 0
        case .within: whole / 2
        case .after: whole
        }
      pass(message.bytes[..<passing], fault.direction)
      // What came before the fault arrives.
      flush(.server, patience: 1_000)
      flush(.client, patience: 1_000)
      switch fault.effect {
      case .close: close()
      case .reset: close(byReset: true)
      case .stall: isStalled = true
      case .hold:
        update(fault.direction == .toServer ? .server : .client) { $0.held = [] }
        pass(message.bytes[passing...], fault.direction)
      }
      control.didFire()
    }

    /// - Parameter patience: milliseconds to wait until all of it is written.
    private func flush(_ end: End, patience: Int32 = 0) {
      guard !isClosed else { return }
      update(end) { side in
        while side.isOpen, !side.pending.isEmpty {
          let count = send(side.socket, side.pending, side.pending.count, Int32(MSG_NOSIGNAL))
          if count > 0 {
            side.pending.removeFirst(count)
          } else if errno == EAGAIN, patience > 0 {
            var writable = pollfd(fd: side.socket, events: Int16(POLLOUT), revents: 0)
            guard poll(&writable, 1, patience) > 0 else { return }
          } else {
            // A broken end is noticed when it is read.
            return
          }
        }
      }
    }
  }
}

enum LineSockets {
  /// A socket that listens on a free port of 127.0.0.1.
  static func listen() throws -> (socket: Int32, port: Int) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && Glibc.listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    guard isListening else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    return (listener, Int(UInt16(bigEndian: address.sin_port)))
  }

  /// A connection to a Unix socket.
  static func connect(to path: String) -> Int32? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes.prefix($0.count - 1)) }
    let isConnected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
    guard isConnected else {
      Glibc.close(descriptor)
      return nil
    }
    return descriptor
  }
}
