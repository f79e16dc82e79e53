import Foundation
import Synchronization

/// Writes what happened to each schema into a file, a line of JSON each, for programs: what a terminal showed is gone.
final class FleetLog: Sendable {
  private struct Entry: Encodable {
    let at: Date
    let event: FleetEvent

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(at, forKey: .at)
      try event.encode(to: encoder)
    }

    enum Key: CodingKey { case at }
  }

  private let file: Mutex<FileHandle>

  /// Appends to the file.
  /// - Throws: ``FleetFailure`` when it can't be written.
  init(path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw FleetFailure(reason: "\(path) can't be written: \(String(cString: strerror(errno)))") }
    file = Mutex(FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
  }

  func write(_ event: FleetEvent) {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.sortedKeys]
    // A log that can't be written stops nothing.
    guard var line = try? encoder.encode(Entry(at: Date(), event: event)) else { return }
    line.append(UInt8(ascii: "\n"))
    file.withLock { try? $0.write(contentsOf: line) }
  }
}
