public import Foundation
public import Kit
public import Logging
public import NIOCore
import NIOPosix
import Synchronization

/// A mail server for development: it listens on this machine only, takes mails for anyone, and keeps the newest 500 as
/// files. What it holds is shown on the city's own site to whoever asks, so it never runs in production.
public final class DevelopmentMailbox: Sendable {
  /// Templates and texts.
  public static var resources: [String: String] { Embedded.files }

  /// Mails that are kept.
  public static let capacity = 500
  /// Connections served at once.
  private static let connectionsMost = 64

  let folder: MailFolder
  private let group: any EventLoopGroup
  private let timeout: Duration
  private let logger: Logger
  private let running = Mutex<Running?>(nil)
  private let connections = Atomic(0)

  private struct Running {
    let channel: any Channel
    let task: Task<Void, Never>
  }

  /// - Parameters:
  ///   - directory: made when it is missing.
  ///   - timeout: how long a client may be silent.
  public convenience init(
    directory: URL, group: any EventLoopGroup, clock: DomainClock, timeout: Duration = .seconds(60),
    logger: Logger = Logger(label: "mailbox")
  ) {
    self.init(
      folder: MailFolder(directory: directory, most: DevelopmentMailbox.capacity, clock: clock), group: group,
      timeout: timeout, logger: logger)
  }

  init(folder: MailFolder, group: any EventLoopGroup, timeout: Duration = .seconds(60), logger: Logger) {
    self.folder = folder
    self.group = group
    self.timeout = timeout
    self.logger = logger
  }

  /// Begins to listen on 127.0.0.1.
  /// - Parameter port: 0 takes a free one.
  /// - Returns: the port.
  public func start(port: Int = 0) async throws -> Int {
    try await folder.open()
    let server = try await ServerBootstrap(group: group).serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .bind(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    let task = Task { await self.run(server) }
    running.withLock { $0 = Running(channel: server.channel, task: task) }
    return server.channel.localAddress?.port ?? port
  }

  /// Stops listening and ends the connections.
  public func stop() async {
    guard let running = running.withLock({ $0.take() }) else { return }
    running.task.cancel()
    try? await running.channel.close()
    await running.task.value
  }

  private func run(_ server: NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never>) async {
    try? await withThrowingDiscardingTaskGroup { group in
      try await server.executeThenClose { clients in
        for try await client in clients {
          group.addTask { await self.serve(client) }
        }
      }
    }
  }

  private func serve(_ client: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async {
    let count = connections.add(1, ordering: .relaxed).newValue
    defer { connections.subtract(1, ordering: .relaxed) }
    do {
      try await client.executeThenClose { inbound, outbound in
        var conversation = Conversation(
          reader: LineReader(inbound), writer: outbound, channel: client.channel, timeout: TimeAmount(timeout))
        guard count <= DevelopmentMailbox.connectionsMost else {
          return try await conversation.send("421 Too many connections")
        }
        try await conversation.run(with: folder)
      }
    } catch {
      // A client that went away in the middle is nothing to mend; a disk that is full is.
      if error is CocoaError { logger.error("mail not stored", metadata: ["error": "\(type(of: error))"]) }
    }
  }
}

/// One client's connection.
private struct Conversation {
  var reader: LineReader
  let writer: NIOAsyncChannelOutboundWriter<ByteBuffer>
  let channel: any Channel
  let timeout: TimeAmount

  func send(_ reply: String) async throws { try await writer.write(ByteBuffer(string: reply + "\r\n")) }

  mutating func run(with folder: MailFolder) async throws {
    var receiver = SMTPReceiver(name: "localhost")
    try await send(receiver.greeting)
    do {
      while let line = try await line(limit: SMTPReceiver.lineLimit) {
        switch receiver.command(line) {
        case .reply(let reply): try await send(reply)
        case .close(let reply): return try await send(reply)
        case .read(let reply):
          try await send(reply)
          guard let text = try await text() else { return }
          try await send(try await take(text, for: receiver.envelope, into: folder))
          receiver.reset()
        }
      }
    } catch is LineReader.TooLong {
      try await send("500 Line too long")
    }
  }

  private func take(_ text: Text, for envelope: SMTPReceiver.Envelope, into folder: MailFolder) async throws -> String {
    guard case .whole(let bytes) = text else { return "552 More than \(SMTPReceiver.sizeLimit) bytes" }
    do {
      try await folder.store(bytes, for: envelope, client: channel.remoteAddress?.ipAddress ?? "127.0.0.1")
      return "250 OK"
    } catch let error as CocoaError {
      try await send("452 The mail could not be stored")
      throw error
    }
  }

  private enum Text {
    case whole([UInt8])
    case tooLong
  }

  /// Reads up to the line with a single dot, and takes doubled dots back (§4.5.2). `nil`: the client went away.
  private mutating func text() async throws -> Text? {
    var bytes: [UInt8] = []
    var isTooLong = false
    while var line = try await line(limit: SMTPReceiver.sizeLimit) {
      if line == [UInt8(ascii: ".")] { return isTooLong ? .tooLong : .whole(bytes) }
      if line.first == UInt8(ascii: ".") { line.removeFirst() }
      isTooLong = isTooLong || bytes.count + line.count + 2 > SMTPReceiver.sizeLimit
      if isTooLong {
        bytes = []
      } else {
        bytes += line + [13, 10]
      }
    }
    return nil
  }

  /// The next line. A client that is silent for too long loses the connection.
  private mutating func line(limit: Int) async throws -> [UInt8]? {
    let channel = channel
    let timer = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    defer { timer.cancel() }
    return try await reader.next(limit: limit)
  }
}
