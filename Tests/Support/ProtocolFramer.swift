/// One message of PostgreSQL's protocol, version 3 (manual §55.7).
public struct ProtocolMessage: Sendable {
  /// The message's type byte; `^` for what comes before types are told: startup, cancel, and the requests for encryption.
  public let type: Character
  /// All of it, type and length included.
  let bytes: [UInt8]

  /// Whether the text stands in it: of a statement, of a command tag.
  public func contains(_ text: String) -> Bool {
    let wanted = Array(text.utf8)
    guard !wanted.isEmpty, bytes.count >= wanted.count else { return false }
    return (0...bytes.count - wanted.count).contains { bytes[$0..<$0 + wanted.count].elementsEqual(wanted) }
  }
}

/// Cuts one direction of a connection into messages.
struct ProtocolFramer {
  private enum Expectation {
    /// A client's first message: length and code, no type.
    case startup
    /// The server's answer to a request for encryption: one byte.
    case encryptionAnswer
    case typed
  }

  private static let encryptionRequests: Set<Int> = [80_877_103, 80_877_104]

  private var expectation: Expectation
  private var buffer: [UInt8] = []
  /// What stands before it in the buffer has been given out.
  private var start = 0

  init(isFromClient: Bool) { expectation = isFromClient ? .startup : .typed }

  /// The client has asked for encryption; the server answers with one byte, outside of all framing.
  mutating func expectEncryptionAnswer() { expectation = .encryptionAnswer }

  mutating func append(_ bytes: ArraySlice<UInt8>) {
    buffer.removeFirst(start)
    start = 0
    buffer += bytes
  }

  /// Whether a message asks for encryption.
  static func asksForEncryption(_ message: ProtocolMessage) -> Bool {
    message.type == "^" && message.bytes.count == 8 && encryptionRequests.contains(integer(message.bytes, at: 4))
  }

  /// The next whole message; `nil` when more bytes are needed.
  mutating func next() -> ProtocolMessage? {
    let typeSize: Int
    switch expectation {
    case .encryptionAnswer:
      guard start < buffer.count else { return nil }
      let byte = buffer[start]
      start += 1
      expectation = .typed
      return ProtocolMessage(type: "^", bytes: [byte])
    case .startup: typeSize = 0
    case .typed: typeSize = 1
    }
    guard buffer.count - start >= typeSize + 4 else { return nil }
    let length = typeSize + ProtocolFramer.integer(buffer, at: start + typeSize)
    guard length >= typeSize + 4, buffer.count - start >= length else { return nil }
    let type: Character = typeSize == 0 ? "^" : Character(UnicodeScalar(buffer[start]))
    let message = ProtocolMessage(type: type, bytes: Array(buffer[start..<start + length]))
    start += length
    // After a request for encryption comes another startup message.
    if expectation == .startup, !ProtocolFramer.asksForEncryption(message) { expectation = .typed }
    return message
  }

  private static func integer(_ bytes: [UInt8], at offset: Int) -> Int {
    bytes[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
  }
}
