import Kit
public import Logging

/// One JSON object a line on standard error: `time`, `level`, `message`, `logger`, and the metadata (`request`, `tenant`, …).
///
/// Lines are written together, some milliseconds later; those of errors at once. See ``LogWriter``.
public struct JSONLogHandler: LogHandler {
  public var metadata: Logger.Metadata = [:]
  public var logLevel: Logger.Level
  private let label: String
  private let writer: LogWriter

  public init(label: String, level: Logger.Level) { self.init(label: label, level: level, writer: .standardError) }

  init(label: String, level: Logger.Level, writer: LogWriter) {
    self.label = label
    self.logLevel = level
    self.writer = writer
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var line: [UInt8] = []
    line.reserveCapacity(320)
    line.append("{\"time\":")
    line.append(quoted: Instant.now.rfc3339)
    line.append(",\"level\":")
    line.append(quoted: event.level.rawValue)
    line.append(",\"logger\":")
    line.append(quoted: label)
    line.append(",\"message\":")
    line.append(quoted: event.message.description)
    let all = event.metadata.map { metadata.merging($0) { _, new in new } } ?? metadata
    for (key, value) in all.sorted(by: { $0.key < $1.key }) {
      line.append(",")
      line.append(quoted: key)
      line.append(":")
      line.append(quoted: value.description)
    }
    line.append("}\n")
    writer.write(line)
    if event.level >= .error { writer.flush() }
  }

  static func quote(_ text: String) -> String {
    var out: [UInt8] = []
    out.append(quoted: text)
    return String(decoding: out, as: UTF8.self)
  }
}
