import Database
import Foundation
import Kit
import Testing

@testable import Metropolis

@Suite("What a person sees of a fleet run, and what a program finds of it") struct FleetDisplayTests {
  private static let member = FleetMember(
    id: "t417", database: "main", schema: Schema("t_t417")!, bounds: .tenant, durability: .sync, plan: FleetPlan([]))
  private static let failure = FleetFailure(file: "002-step2.sql", line: 2, reason: "schema t_t417, 002-step2.sql, line 2: no")
  private static let start = ContinuousClock.now

  /// How a thousand schemas at a hundred a second look, the 417th of which fails.
  private func output(isRewritten: Bool) -> String {
    var lines = FleetLines(label: "schemas: ", margin: "  ", isRewritten: isRewritten, at: FleetDisplayTests.start)
    var text = ""
    for done in 1...1_000 {
      let elapsed = Duration.milliseconds(done * 10)
      if done == 417 { text += lines.tell(FleetEvent(FleetDisplayTests.failure, of: FleetDisplayTests.member)) ?? "" }
      let progress = FleetProgress(total: 1_000, done: done, failed: done < 417 ? 0 : 1, elapsed: elapsed)
      text += lines.show(progress, at: FleetDisplayTests.start + elapsed) ?? ""
    }
    var report = FleetReport()
    report.note(FleetDisplayTests.member, .failed(FleetDisplayTests.failure))
    return text + lines.end(report, log: "data/fleet.log")
  }

  @Test("on a terminal one line is written over, ten times a second at most; a failure and the end have theirs")
  func terminal() {
    let lines = output(isRewritten: true).split(separator: "\n").map(String.init)
    #expect(lines.count == 3)
    let writings = lines.joined().components(separatedBy: "\r\u{1B}[Kschemas: ").count - 1
    #expect((90...102).contains(writings), "\(writings)")
    #expect(lines[0].hasSuffix("\r\u{1B}[K  t417: schema t_t417, 002-step2.sql, line 2: no"))
    #expect(lines[1].contains("\r\u{1B}[Kschemas: 1 schemas: 0 migrated, 0 had nothing to do, 1 failed ("))
    // Its failure was told before.
    #expect(lines[2] == "  what happened to each schema stands in data/fleet.log")
  }

  @Test("elsewhere a line every two seconds at most, and nothing that only a terminal understands")
  func file() {
    let text = output(isRewritten: false)
    let lines = text.split(separator: "\n").map(String.init)
    #expect(!text.contains("\r") && !text.contains("\u{1B}"))
    #expect(lines.count { $0.contains(" of 1000 schemas") } == 5)
    #expect(lines.first == "schemas: 200 of 1000 schemas, 100/s, 8 s left")
    #expect(lines.count == 8)
  }

  @Test("a run that is soon over has one line, and whoever failed without a word is named at the end")
  func short() {
    var lines = FleetLines(label: "schemas: ", margin: "  ", isRewritten: false, at: FleetDisplayTests.start)
    let progress = FleetProgress(total: 1, done: 1, failed: 0, elapsed: .milliseconds(30))
    #expect(lines.show(progress, at: FleetDisplayTests.start + .milliseconds(30)) == nil)
    var report = FleetReport()
    report.note(FleetDisplayTests.member, .failed(FleetDisplayTests.failure))
    let said = lines.end(report, log: nil).split(separator: "\n")
    #expect(said.count == 2 && said[1] == "  t417: schema t_t417, 002-step2.sql, line 2: no")
  }

  @Test("the log is appended to, an object a line, and nobody else reads it")
  func log() throws {
    let path = NSTemporaryDirectory() + "fleet-\(UUID().uuidString).log"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for attempt in 1...2 {
      try FleetLog(path: path).write(FleetEvent(FleetDisplayTests.failure, of: FleetDisplayTests.member, attempt: attempt))
    }
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    try #require(lines.count == 2)
    for (number, line) in lines.enumerated() {
      let entry = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(entry["event"] as? String == "failed" && entry["tenant"] as? String == "t417")
      #expect(entry["attempt"] as? Int == number + 1 && entry["line"] as? Int == 2 && entry["at"] is String)
    }
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(throws: FleetFailure.self) { try FleetLog(path: "/nowhere/fleet.log") }
  }
}
