import Foundation
public import Kit
public import Logging
public import NIOCore
import NIOPosix
import Synchronization

/// Hands mails to a server by SMTP (RFC 5321), one connection per mail.
///
/// It speaks in clear: there is no STARTTLS here yet. So the server is a relay on this machine or in its private network,
/// and a password is given only to one that can be trusted with an open line to it.
public struct SMTPMailer: Sendable {
  private let host: String
  private let port: Int
  private let credentials: (username: String, password: String)?
  private let from: MailAddress
  private let helo: String
  private let group: any EventLoopGroup
  private let clock: DomainClock
  private let timeout: Duration
  private let logger: Logger

  /// - Parameters:
  ///   - username: with `password`, signs in by AUTH PLAIN (RFC 4616).
  ///   - from: sender of every mail, on the envelope and in it.
  ///   - helo: the domain name this machine gives as its own.
  ///   - timeout: for the connection, and for each of the server's replies.
  public init(
    host: String, port: Int, username: String? = nil, password: String? = nil, from: MailAddress, helo: String,
    group: any EventLoopGroup, clock: DomainClock = .system, timeout: Duration = .seconds(10), logger: Logger
  ) {
    self.host = host
    self.port = port
    credentials = username.map { ($0, password ?? "") }
    self.from = from
    // What is no domain name would be a second command on the line of EHLO.
    self.helo = MailAddress.isDomain(Array(helo.utf8)) ? helo : "localhost"
    self.group = group
    self.clock = clock
    self.timeout = timeout
    self.logger = logger
  }

  /// Hands a mail over. When it returns, the server has taken charge of it.
  /// - Throws: ``MailError``; `CancellationError`.
  public func send(_ mail: Mail) async throws {
    let message = try MIMEMessage(mail, from: from, date: clock.now(), domain: helo)
    let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
    do {
      channel = try await ClientBootstrap(group: group).connectTimeout(TimeAmount(timeout))
        .connect(host: host, port: port) { channel in
          channel.eventLoop.makeCompletedFuture {
            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
          }
        }
    } catch {
      try Task.checkCancellation()
      throw MailError(.connectionFailed)
    }
    let (credentials, helo, from, timeout) = (credentials, helo, from, timeout)
    do {
      try await channel.executeThenClose { inbound, outbound in
        var dialogue = SMTPDialogue(
          reader: LineReader(inbound), writer: outbound, channel: channel.channel, timeout: TimeAmount(timeout))
        try await dialogue.open(helo: helo, credentials: credentials)
        try await dialogue.deliver(message.text, from: from.address, to: mail.to)
        await dialogue.quit()
      }
    } catch let error as MailError {
      try Task.checkCancellation()
      throw error
    } catch {
      try Task.checkCancellation()
      throw MailError(.connectionLost)
    }
    logger.debug("mail handed over", metadata: ["mail": "\(mail.id.text)"])
  }
}

/// One conversation with a server.
private struct SMTPDialogue {
  var reader: LineReader
  let writer: NIOAsyncChannelOutboundWriter<ByteBuffer>
  let channel: any Channel
  let timeout: TimeAmount

  mutating func open(helo: String, credentials: (username: String, password: String)?) async throws {
    try Self.expect(try await reply("connect"), 220, "connect")
    var hello = try await exchange("EHLO \(helo)", "EHLO")
    // 5xx: a server that knows no extensions (§4.1.4).
    if (500..<600).contains(hello.code) { hello = try await exchange("HELO \(helo)", "HELO") }
    try Self.expect(hello, 250, "EHLO")
    guard let credentials else { return }
    guard hello.offers("AUTH", "PLAIN") else { throw MailError(.authenticationNotOffered, command: "AUTH") }
    let secret = Data("\0\(credentials.username)\0\(credentials.password)".utf8).base64EncodedString()
    try Self.expect(try await exchange("AUTH PLAIN \(secret)", "AUTH"), 235, "AUTH")
  }

  mutating func deliver(_ message: String, from: String, to: String) async throws {
    try Self.expect(try await exchange("MAIL FROM:<\(from)>", "MAIL"), 250, "MAIL")
    let recipient = try await exchange("RCPT TO:<\(to)>", "RCPT")
    // 251: not here, but forwarded by the server.
    if recipient.code != 251 { try Self.expect(recipient, 250, "RCPT") }
    try Self.expect(try await exchange("DATA", "DATA"), 354, "DATA")
    try Self.expect(try await exchange(SMTPDialogue.stuffed(message) + ".", "text"), 250, "text")
  }

  /// The mail is handed over already: how the server says good-bye does not matter.
  mutating func quit() async { _ = try? await exchange("QUIT", "QUIT") }

  /// Doubles the dot at a line's beginning: a single one on a line ends the text (§4.5.2).
  static func stuffed(_ message: String) -> String {
    let stuffed = message.replacingOccurrences(of: "\r\n.", with: "\r\n..")
    return stuffed.hasPrefix(".") ? "." + stuffed : stuffed
  }

  private static func expect(_ reply: SMTPReply, _ code: Int, _ command: String) throws {
    guard reply.code != code else { return }
    throw MailError(reply.code >= 400 ? .refused(code: reply.code) : .malformedReply, command: command)
  }

  private mutating func exchange(_ line: String, _ command: String) async throws -> SMTPReply {
    let writer = writer
    do {
      try await writer.write(ByteBuffer(string: line + "\r\n"))
    } catch {
      throw MailError(.connectionLost, command: command)
    }
    return try await reply(command)
  }

  /// The next reply, within the time. A server that does not answer loses the connection.
  private mutating func reply(_ command: String) async throws -> SMTPReply {
    let isOverdue = Overdue()
    let channel = channel
    let timer = channel.eventLoop.scheduleTask(in: timeout) {
      isOverdue.flag.store(true, ordering: .relaxed)
      channel.close(promise: nil)
    }
    defer { timer.cancel() }
    var parser = SMTPReply.Parser()
    do {
      while let line = try await reader.next(limit: 2_000) {
        if let reply = try parser.add(line) { return reply }
      }
    } catch is LineReader.TooLong {
      throw MailError(.malformedReply, command: command)
    } catch let error as MailError {
      throw MailError(error.kind, command: command)
    } catch {}
    throw MailError(isOverdue.flag.load(ordering: .relaxed) ? .timedOut : .connectionLost, command: command)
  }

  private final class Overdue: Sendable {
    let flag = Atomic(false)
  }
}
