import Foundation
import Kit
import NIOPosix
import Synchronization

/// Mails as files, `<id>.eml`, the newest of them.
final class MailFolder: Sendable {
  struct Entry: Sendable, Hashable {
    let id: UUID
    let recipients: [String]
    let from: String
    let subject: String

    /// The time its id was made at.
    var received: Instant { id.millisecondsOfV7 }

    func isTo(_ address: String) -> Bool {
      recipients.contains { $0.caseInsensitiveCompare(address) == .orderedSame }
    }
  }

  struct Message: Sendable {
    let entry: Entry
    let text: String
  }

  private let directory: URL
  private let most: Int
  private let clock: DomainClock
  private let state = Mutex<State>(State())
  /// File work waits for a disk, which no thread of the concurrency pool may do.
  private let threads = NIOThreadPool.singleton

  private struct State {
    /// Oldest first.
    var entries: [Entry] = []
    var lastMillisecond: Int64 = 0
  }

  /// - Parameter most: mails that are kept.
  init(directory: URL, most: Int, clock: DomainClock) {
    self.directory = directory
    self.most = most
    self.clock = clock
  }

  /// Makes the folder where it is missing, readable for its owner only: mails hold links that sign people in.
  func open() async throws {
    let directory = directory
    let entries = try await threads.runIfActive {
      try FileManager.default.createDirectory(
        at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      return try FileManager.default.contentsOfDirectory(atPath: directory.path).compactMap { name -> Entry? in
        guard name.hasSuffix(".eml"), let id = UUID(uuidString: String(name.dropLast(4))),
          let data = FileManager.default.contents(atPath: directory.appendingPathComponent(name).path)
        else { return nil }
        return Entry(id: id, message: ReceivedMessage(Array(data)))
      }.sorted { $0.id.text < $1.id.text }
    }
    state.withLock {
      $0.entries = entries
      $0.lastMillisecond = (entries.last?.received.microseconds ?? 0) / 1_000
    }
    try await prune()
  }

  /// Keeps a mail, and lets the oldest go.
  func store(_ text: [UInt8], for envelope: SMTPReceiver.Envelope, client: String) async throws {
    let now = clock.now()
    // Ids order the mails, also those of one millisecond.
    let time = state.withLock { state in
      state.lastMillisecond = max(now.microseconds / 1_000, state.lastMillisecond + 1)
      return Instant(microseconds: state.lastMillisecond * 1_000)
    }
    let id = UUID.v7(at: time)
    // The last server writes the return path, every server its trace (§4.4); the envelope's recipients stand nowhere else.
    var lines = ["Return-Path: <\(envelope.sender)>"]
    lines += envelope.recipients.map { "Delivered-To: \($0)" }
    lines += ["Received: from [\(client)] by localhost with ESMTP id \(id.text);", " \(MIMEMessage.date(now))"]
    let bytes = lines.flatMap { Array("\($0)\r\n".utf8) } + text
    let (directory, entry) = (directory, Entry(id: id, message: ReceivedMessage(bytes)))
    try await threads.runIfActive {
      let part = directory.appendingPathComponent(".\(id.text).part")
      let whole = directory.appendingPathComponent("\(id.text).eml")
      guard FileManager.default.createFile(atPath: part.path, contents: Data(bytes), attributes: [.posixPermissions: 0o600])
      else { throw CocoaError(.fileWriteUnknown) }
      try FileManager.default.moveItem(at: part, to: whole)
    }
    state.withLock { state in
      let place = state.entries.lastIndex { $0.id.text < id.text }.map { $0 + 1 } ?? 0
      state.entries.insert(entry, at: place)
    }
    try await prune()
  }

  /// The newest mails first, to one address or to all.
  func list(to address: String?, limit: Int) -> [Entry] {
    let newest = state.withLock { $0.entries }.reversed()
    return Array(newest.lazy.filter { entry in address.map { entry.isTo($0) } ?? true }.prefix(limit))
  }

  /// A mail with its text; `nil` when there is none, or none any more.
  func message(_ id: UUID) async throws -> Message? {
    guard let entry = state.withLock({ $0.entries.first { $0.id == id } }) else { return nil }
    let path = directory.appendingPathComponent("\(id.text).eml").path
    return try await threads.runIfActive {
      FileManager.default.contents(atPath: path).map { Message(entry: entry, text: ReceivedMessage(Array($0)).text) }
    }
  }

  private func prune() async throws {
    let surplus = state.withLock { state in
      let surplus = Array(state.entries.prefix(max(0, state.entries.count - most)))
      state.entries.removeFirst(surplus.count)
      return surplus
    }
    guard !surplus.isEmpty else { return }
    let directory = directory
    try await threads.runIfActive {
      for entry in surplus {
        // Somebody may have tidied up by hand.
        try? FileManager.default.removeItem(at: directory.appendingPathComponent("\(entry.id.text).eml"))
      }
    }
  }
}

extension MailFolder.Entry {
  fileprivate init(id: UUID, message: ReceivedMessage) {
    self.init(
      id: id, recipients: message.all("delivered-to"), from: message.header("from") ?? "",
      subject: message.header("subject") ?? "")
  }
}

extension UUID {
  /// The time in a UUID of version 7 (RFC 9562 §5.7).
  fileprivate var millisecondsOfV7: Instant {
    let bytes = [uuid.0, uuid.1, uuid.2, uuid.3, uuid.4, uuid.5]
    return Instant(microseconds: bytes.reduce(Int64(0)) { $0 << 8 | Int64($1) } * 1_000)
  }
}
