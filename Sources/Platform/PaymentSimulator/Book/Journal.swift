import Foundation

/// An append-only file of lines. What was appended is durable once ``durable(_:)`` returns; acts that meet share one fsync.
/// Unchecked: every variable is touched under the condition's lock only.
final class Journal: @unchecked Sendable {
  struct Broken: Error, CustomStringConvertible {
    let description: String
  }

  private struct Waiter {
    let position: Int
    let continuation: CheckedContinuation<Bool, Never>
  }

  private let file: Int32
  private let condition = NSCondition()
  private var unwritten = Data()
  private var appended = 0
  private var synced = 0
  private var waiters: [Waiter] = []
  private var isRunning = false
  private var isClosing = false
  private var hasFailed = false

  /// Opens or makes the file, for this process alone, and reads it.
  ///
  /// - Parameter replay: gets each whole line in order. A torn last line, from a process killed while it wrote, was never
  ///   acknowledged and is cut off.
  /// - Throws: ``Broken`` when the file can't be used or a line in the middle can't be read.
  init(path: String, replay: (Data) throws -> Void) throws {
    file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Broken(description: "the journal \(path) can't be opened: \(String(cString: strerror(errno)))") }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      close(file)
      throw Broken(description: "the journal \(path) is in use by another simulator")
    }
    do {
      let whole = try Journal.read(path, replay)
      guard ftruncate(file, off_t(whole)) == 0, fsync(file) == 0 else {
        throw Broken(description: "the journal \(path) can't be written: \(String(cString: strerror(errno)))")
      }
      Journal.syncFolder(of: path)
    } catch {
      close(file)
      throw error
    }
  }

  deinit { close(file) }

  /// - Returns: the length of the part that is whole.
  private static func read(_ path: String, _ replay: (Data) throws -> Void) throws -> Int {
    let content = try Data(contentsOf: URL(fileURLWithPath: path))
    var start = content.startIndex
    var number = 0
    while start < content.endIndex {
      number += 1
      guard let end = content[start...].firstIndex(of: 0x0A) else { return start }
      do {
        try replay(Data(content[start..<end]))
      } catch {
        // A disk may bring the blocks of the last write in any order: its end can be there and its middle not.
        if end == content.endIndex - 1 { return start }
        throw Broken(description: "the journal \(path) can't be read at line \(number): \(error)")
      }
      start = end + 1
    }
    return start
  }

  /// The file's name must be as durable as its content.
  private static func syncFolder(of path: String) {
    let folder = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
    if folder >= 0 {
      fsync(folder)
      close(folder)
    }
  }

  /// Starts the thread that writes: fsync blocks, and Swift's own threads must not.
  func start() {
    condition.withLock { isRunning = true }
    let thread = Thread { self.write() }
    thread.name = "journal"
    thread.start()
  }

  /// Writes what is left, then gives the file free.
  func stop() {
    condition.withLock {
      isClosing = true
      condition.broadcast()
      while isRunning { condition.wait() }
      flock(file, LOCK_UN)
    }
  }

  /// - Returns: the position to wait for. Lines stand in the file in the order of these calls.
  func append(_ line: Data) -> Int {
    condition.withLock {
      unwritten.append(line)
      unwritten.append(0x0A)
      appended += 1
      condition.broadcast()
      return appended
    }
  }

  var position: Int { condition.withLock { appended } }

  /// Waits until all lines up to a position are on the disk.
  /// - Throws: ``Broken`` when the disk doesn't take them; nothing may be acknowledged any more.
  func durable(_ position: Int) async throws {
    let isDurable = await withCheckedContinuation { continuation in
      let known: Bool? = condition.withLock {
        if synced >= position { return true }
        if hasFailed || isClosing && !isRunning { return false }
        waiters.append(Waiter(position: position, continuation: continuation))
        return nil
      }
      if let known { continuation.resume(returning: known) }
    }
    if !isDurable { throw Broken(description: "the journal can't be written") }
  }

  private func write() {
    while let (bytes, position) = next() {
      let isWritten = Journal.write(bytes, to: file) && fsync(file) == 0
      let done = condition.withLock {
        if isWritten { synced = position } else { hasFailed = true }
        let done = waiters.filter { $0.position <= synced || hasFailed }
        waiters.removeAll { $0.position <= synced || hasFailed }
        return done
      }
      for waiter in done { waiter.continuation.resume(returning: isWritten) }
    }
    let left = condition.withLock {
      isRunning = false
      condition.broadcast()
      defer { waiters = [] }
      return waiters
    }
    for waiter in left { waiter.continuation.resume(returning: false) }
  }

  private func next() -> (Data, Int)? {
    condition.withLock {
      while unwritten.isEmpty && !isClosing { condition.wait() }
      guard !unwritten.isEmpty, !hasFailed else { return nil }
      defer { unwritten = Data() }
      return (unwritten, appended)
    }
  }

  private static func write(_ bytes: Data, to file: Int32) -> Bool {
    bytes.withUnsafeBytes { buffer in
      var rest = buffer
      while !rest.isEmpty {
        let count = Foundation.write(file, rest.baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 { return false }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
      return true
    }
  }
}
