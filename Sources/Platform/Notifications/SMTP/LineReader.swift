import NIOCore

/// Cuts what a connection sends into lines. Only CRLF ends a line (RFC 5321 §2.3.8): who takes a bare LF for one can be
/// made to see the end of a mail inside its text.
struct LineReader {
  struct TooLong: Error {}

  private var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
  private var buffer = ByteBuffer()
  /// Bytes at the beginning of the buffer that are known to hold no CRLF.
  private var searched = 0

  init(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>) { iterator = inbound.makeAsyncIterator() }

  /// The next line without its end; `nil` when the connection was closed.
  /// - Throws: ``TooLong``, and what the connection throws.
  mutating func next(limit: Int) async throws -> [UInt8]? {
    while true {
      let view = buffer.readableBytesView
      var index = view.startIndex + searched
      while let lineFeed = view[index...].firstIndex(of: UInt8(ascii: "\n")) {
        if lineFeed > view.startIndex, view[lineFeed - 1] == UInt8(ascii: "\r") {
          let length = lineFeed - view.startIndex - 1
          guard length <= limit else { throw TooLong() }
          let line = buffer.readBytes(length: length) ?? []
          buffer.moveReaderIndex(forwardBy: 2)
          searched = 0
          return line
        }
        index = lineFeed + 1
      }
      // A CR at the very end may be half of a CRLF; the LF is looked for one byte behind it, so nothing is missed.
      searched = view.count
      guard view.count <= limit + 2 else { throw TooLong() }
      guard var more = try await iterator.next() else { return nil }
      // Once for what came at once, not line by line: it moves all that is left.
      buffer.discardReadBytes()
      buffer.writeBuffer(&more)
    }
  }
}
