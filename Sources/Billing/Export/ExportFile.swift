import Foundation
import Synchronization

/// A file on its way: it has its name only once it is whole.
final class PartialFile: Sendable {
  private let path: String
  private let partial: String
  /// `nil` when it is closed.
  private let descriptor: Mutex<Int32?>

  /// Makes the file beside the one it will be.
  /// - Throws: ``LedgerExport/Refusal/unwritable(path:reason:)``.
  init(path: String) throws(LedgerExport.Refusal) {
    self.path = path
    partial = "\(path).\(UUID().uuidString.prefix(8)).partial"
    let opened = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
    descriptor = Mutex(opened >= 0 ? opened : nil)
    guard opened >= 0 else { throw .unwritable(path: path, reason: PartialFile.reason()) }
  }

  /// One that has not got its name leaves nothing behind.
  deinit {
    descriptor.withLock { if let open = $0 { close(open) } }
    unlink(partial)
  }

  func write(_ bytes: [UInt8]) throws(LedgerExport.Refusal) {
    let isWritten = descriptor.withLock { descriptor -> Bool in
      guard let descriptor else { return false }
      return bytes.withUnsafeBytes { bytes -> Bool in
        var rest = bytes
        while !rest.isEmpty {
          let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
          if count < 0 && errno == EINTR { continue }
          guard count > 0 else { return false }
          rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return true
      }
    }
    guard isWritten else { throw .unwritable(path: path, reason: PartialFile.reason()) }
  }

  /// Gives it a name, in place of a file that had it.
  /// - Parameter path: the one it was made for by default.
  func finish(as path: String? = nil) throws(LedgerExport.Refusal) {
    let path = path ?? self.path
    let isDone = descriptor.withLock { descriptor -> Bool in
      guard let open = descriptor, fsync(open) == 0 else { return false }
      descriptor = nil
      return close(open) == 0 && rename(partial, path) == 0
    }
    guard isDone else { throw .unwritable(path: path, reason: PartialFile.reason()) }
  }

  /// What was written, in a file that has no name and is gone when it was read.
  func readable() throws(LedgerExport.Refusal) -> ReadableFile { try ReadableFile(path: partial) }

  private static func reason() -> String { String(cString: strerror(errno)) }
}

/// An open file, closed with its last reader.
final class ReadableFile: Sendable {
  private let descriptor: Int32
  let length: Int

  init(path: String) throws(LedgerExport.Refusal) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    var status = stat()
    guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
      throw .unwritable(path: path, reason: String(cString: strerror(errno)))
    }
    length = Int(status.st_size)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Gives all of it on, piece by piece.
  func read(into sink: ([UInt8]) async throws -> Void) async throws {
    var offset = 0
    while offset < length {
      let piece = [UInt8](unsafeUninitializedCapacity: min(64 * 1024, length - offset)) { buffer, count in
        count = max(0, pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)))
      }
      guard !piece.isEmpty else { throw LedgerExport.Refusal.unwritable(path: "the export", reason: "its file was cut short") }
      offset += piece.count
      try await sink(piece)
    }
  }
}

extension LedgerExport {
  /// Writes a month to a file, which is there whole or not at all.
  /// - Throws: as ``write(_:_:to:)``.
  @discardableResult
  public func write(_ month: Month, _ format: Format, file: String) async throws -> Summary {
    let partial = try PartialFile(path: file)
    let summary = try await write(month, format) { try partial.write($0) }
    try partial.finish()
    return summary
  }

  /// Writes a month to a file that its month and state name.
  /// - Returns: what the file is called.
  /// - Throws: as ``write(_:_:to:)``.
  public func write(_ month: Month, _ format: Format, named folder: String) async throws -> (summary: Summary, file: String) {
    let partial = try PartialFile(path: "\(folder)/ledger-\(month)")
    let summary = try await write(month, format) { try partial.write($0) }
    try partial.finish(as: "\(folder)/\(summary.fileName(format))")
    return (summary, summary.fileName(format))
  }

  /// Writes a month into a folder: for hledger and beancount the body they share and a file for each tool that includes it.
  /// - Returns: what the files are called.
  /// - Throws: as ``write(_:_:to:)``.
  public func write(_ month: Month, _ format: Format, folder: String) async throws -> (summary: Summary, files: [String]) {
    guard format == .hledger || format == .beancount else {
      let (summary, file) = try await write(month, format, named: folder)
      return (summary, [file])
    }
    let partial = try PartialFile(path: "\(folder)/ledger-\(month)")
    let (summary, books) = try await snapshot { transaction in
      let (summary, renderer) = try await read(month, in: transaction, to: { try partial.write($0) }) {
        JournalRenderer($0, .body)
      }
      return (summary, renderer.books)
    }
    let body = "\(summary.stem)-body.journal"
    let wrappers = [
      (Format.hledger, "\(books.heading)\(books.hledgerHead)include \(body)\n\(books.hledgerTail)"),
      (.beancount, "\(books.heading)include \"\(body)\"\n\(books.beancountTail)"),
    ]
    var whole: [(file: PartialFile, name: String)] = [(partial, body)]
    for (format, text) in wrappers {
      let file = try PartialFile(path: "\(folder)/\(summary.fileName(format))")
      try file.write(Array(text.utf8))
      whole.append((file, summary.fileName(format)))
    }
    for (file, name) in whole { try file.finish(as: "\(folder)/\(name)") }
    return (summary, whole.map(\.name))
  }

  /// Writes a month to a file that has no name: to be read once, when it is known to be right.
  func temporary(_ month: Month, _ format: Format) async throws -> (summary: Summary, file: ReadableFile) {
    let partial = try PartialFile(
      path: FileManager.default.temporaryDirectory.appending(path: "metropolis-ledger-\(UUID().uuidString)").path)
    let summary = try await write(month, format) { try partial.write($0) }
    return (summary, try partial.readable())
  }

  /// Writes a month to a sink when it is known to be right: standard output can't take anything back.
  /// - Throws: as ``write(_:_:to:)``.
  public func writeChecked(_ month: Month, _ format: Format, to sink: Sink) async throws -> Summary {
    let (summary, file) = try await temporary(month, format)
    try await file.read(into: sink)
    return summary
  }
}
