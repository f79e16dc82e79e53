import Foundation
import Synchronization

/// Takes whole lines and writes them to a file descriptor together, some milliseconds later, on a thread of its own.
///
/// A line is written at most 100 ms after it was taken (the pause is 20 ms; the rest is for a busy machine); what the
/// process took within its last pause is lost with it when it is killed. A line that must not be lost is followed by
/// ``flush()``, and the end of the process by `exit` flushes.
public final class LogWriter: Sendable {
  private struct State {
    var lines: [UInt8] = []
    /// Whether the thread knows that there is something to write.
    var isCalled = false
    var dropped = 0
    var hasThread = false
  }

  /// Bytes that may wait when nobody reads the other end. Beyond them lines are dropped and counted.
  private static let mostWaiting = 8 << 20
  /// A buffer that grew beyond this is given back.
  private static let keptCapacity = 256 << 10

  /// Standard error.
  public static let standardError: LogWriter = {
    let writer = LogWriter(STDERR_FILENO)
    atexit { LogWriter.standardError.flush() }
    return writer
  }()

  private let descriptor: Int32
  /// Seconds between the first line and its writing.
  private let pause: Double
  private let state = Mutex(State())
  /// Held while writing, so that lines keep their order. Its value is the buffer that isn't filled now.
  private let spare = Mutex<[UInt8]>([])
  private let call = DispatchSemaphore(value: 0)

  public init(_ descriptor: Int32, pause: Double = 0.02) {
    self.descriptor = descriptor
    self.pause = pause
  }

  /// Takes a line, its end included.
  public func write(_ line: [UInt8]) { write { $0 += line } }

  /// Takes a line that the closure appends, its end included.
  func write(_ append: (inout [UInt8]) -> Void) {
    let (isFirst, needsThread) = state.withLock { state -> (Bool, Bool) in
      guard state.lines.count < LogWriter.mostWaiting else {
        state.dropped += 1
        return (false, false)
      }
      append(&state.lines)
      let first = (isFirst: !state.isCalled, needsThread: !state.hasThread)
      state.isCalled = true
      state.hasThread = true
      return first
    }
    if needsThread { start() }
    if isFirst { call.signal() }
  }

  /// Returns when all lines taken before are written.
  public func flush() {
    spare.withLock { spare in
      let (lines, dropped) = state.withLock { state in
        let found = (state.lines, state.dropped)
        // The buffers take turns, so that none has to grow again.
        state.lines = spare
        state.isCalled = false
        state.dropped = 0
        return found
      }
      spare = []
      write(all: lines)
      if dropped > 0 {
        write(
          all: Array("{\"level\":\"warning\",\"logger\":\"log\",\"message\":\"lines dropped\",\"count\":\"\(dropped)\"}\n".utf8))
      }
      var buffer = lines
      if buffer.capacity > LogWriter.keptCapacity { buffer = [] }
      buffer.removeAll(keepingCapacity: true)
      spare = buffer
    }
  }

  private func start() {
    let thread = Thread { [self] in
      while true {
        call.wait()
        Thread.sleep(forTimeInterval: pause)
        flush()
      }
    }
    thread.name = "log"
    thread.stackSize = 256 << 10
    thread.start()
  }

  private func write(all bytes: [UInt8]) {
    bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        let count = Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if count < 0, errno == EINTR || errno == EAGAIN { continue }
        // Nobody reads any more, and there is no other place to say so.
        guard count > 0 else { return }
        done += count
      }
    }
  }
}
