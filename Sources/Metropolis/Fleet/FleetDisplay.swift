import Foundation
import Synchronization

/// Shows a person how far a run over a fleet is, however many schemas there are: on a terminal one line that is written over,
/// elsewhere a line now and then. A failure has a line of its own, and the end one line on all.
final class FleetDisplay: Sendable {
  private let lines: Mutex<FleetLines>
  private let write: @Sendable (String) -> Void

  /// - Parameters:
  ///   - label: before lines on all schemas.
  ///   - margin: before lines on one of them.
  init(
    label: String, margin: String, isRewritten: Bool = Terminal.isRewritten,
    write: @escaping @Sendable (String) -> Void = { say($0, terminator: "") }
  ) {
    lines = Mutex(FleetLines(label: label, margin: margin, isRewritten: isRewritten, at: .now))
    self.write = write
  }

  func show(_ progress: FleetProgress) { put { $0.show(progress, at: .now) } }

  func tell(_ event: FleetEvent) { put { $0.tell(event) } }

  /// Ends a run. There may be another one after it.
  ///
  /// - Parameter log: the file of a ``FleetLog``, for whoever looks for more.
  func end(_ report: FleetReport, log: String?) { put { $0.end(report, log: log) } }

  private func put(_ text: (inout FleetLines) -> String?) {
    // Within the lock: lines of several workers must not come between each other's.
    lines.withLock { lines in if let text = text(&lines) { write(text) } }
  }
}

/// What a ``FleetDisplay`` writes, and when.
struct FleetLines: Sendable {
  private let label: String
  private let margin: String
  private let isRewritten: Bool
  /// No line on progress before it.
  private var due: ContinuousClock.Instant
  /// Whether the cursor stands in a line that is to be written over.
  private var isInLine = false
  /// Whose failures have had their lines.
  private var told: Set<String> = []

  /// To the line's begin, and what stands there is erased: ECMA-48, EL.
  private static let erase = "\r\u{1B}[K"

  init(label: String, margin: String, isRewritten: Bool, at now: ContinuousClock.Instant) {
    (self.label, self.margin, self.isRewritten) = (label, margin, isRewritten)
    // In a file or a pipe, a run that is soon over has its last line, and no other.
    due = isRewritten ? now : now + .seconds(2)
  }

  /// `nil`: too soon after the one before.
  mutating func show(_ progress: FleetProgress, at now: ContinuousClock.Instant) -> String? {
    guard now >= due else { return nil }
    due = now + (isRewritten ? .milliseconds(100) : .seconds(2))
    guard isRewritten else { return "\(label)\(progress.line)\n" }
    isInLine = true
    return "\(FleetLines.erase)\(label)\(progress.line)"
  }

  /// `nil`: nothing a person must know of.
  mutating func tell(_ event: FleetEvent) -> String? {
    guard event.event == .failed else { return nil }
    told.insert(event.tenant)
    return "\(leave())\(margin)\(event.tenant): \(event.reason ?? "failed")\n"
  }

  mutating func end(_ report: FleetReport, log: String?) -> String {
    defer { told = [] }
    var lines = report.details(without: told)
    if !report.isComplete, let log { lines.append("what happened to each schema stands in \(log)") }
    return "\(leave())\(label)\(report.headline)\n" + lines.map { "\(margin)\($0)\n" }.joined()
  }

  private mutating func leave() -> String {
    defer { isInLine = false }
    return isInLine ? FleetLines.erase : ""
  }
}
