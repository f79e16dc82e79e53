import Foundation

/// A lock between processes, gone with the process that holds it.
struct FileLock: Sendable {
  private let file: Int32

  /// - Throws: ``EmbeddedServerError`` when another holds it for longer than `patience`.
  static func take(_ path: String, patience: Duration) async throws -> FileLock {
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw EmbeddedServerError.failed("could not open \(path): \(String(cString: strerror(errno)))") }
    let deadline = ContinuousClock.now + patience
    // Polled: a blocking flock would hold up a thread of the pool.
    while flock(file, LOCK_EX | LOCK_NB) != 0 {
      guard ContinuousClock.now < deadline, !Task.isCancelled else {
        close(file)
        throw EmbeddedServerError.failed("another process holds \(path)")
      }
      try? await Task.sleep(for: .milliseconds(20))
    }
    return FileLock(file: file)
  }

  func release() { close(file) }
}
