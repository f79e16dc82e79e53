import Foundation
import Kit
import Logging
import Synchronization
import TenantKit
import Testing
import Web

@testable import Metropolis

@Suite("Flags of the live configuration") struct ConfigurationFlagTests {
  /// Keeps what was logged.
  private final class Lines: Sendable {
    let texts = Mutex<[String]>([])
  }

  private struct Recorder: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
      lines.texts.withLock { $0.append("\(event.message) \(event.metadata?["flag"].map { "\($0)" } ?? "")") }
    }
  }

  private let jeju = TenantID("jeju")!

  private func session(_ number: Int, roles: Set<String> = ["member"]) -> Session {
    let id = UUID(uuidString: "0198f6d0-0000-7000-8000-\(String(format: "%012d", number))")!
    return Session(id: id, person: PersonID(id), displayName: "누구", proof: .cookie, roles: roles)
  }

  private func flags(_ yaml: String) throws -> FlagRules {
    try ConfigurationSample.read(
      ConfigurationSample.replacing("new-search: {tenants: [jeju], share: 10, about: 뜻으로 찾기}", yaml)
    ).flags
  }

  @Test("a module asks by its session; another configuration answers the next question")
  func following() throws {
    let live = LiveFlags(
      try flags("new-search: {tenants: [jeju], roles: [operator], share: 0, about: x}"), logger: Logger(label: "test"))
    let (here, there) = (live.at(jeju), live.at(TenantID("univprep")))
    let people = (0..<500).map { session($0) }
    #expect(!people.contains { here.isOn("new-search", for: $0) })
    #expect(here.isOn("new-search", for: session(1, roles: ["operator"])))
    #expect(!there.isOn("new-search", for: session(1, roles: ["operator"])))
    #expect(!here.isOn("new-search", for: nil))

    live.follow(try flags("new-search: {tenants: [jeju], share: 30, about: x}"))
    let some = Set(people.filter { here.isOn("new-search", for: $0) }.map(\.person))
    #expect((100...200).contains(some.count))
    live.follow(try flags("new-search: {tenants: [jeju], share: 31, about: x}"))
    #expect(some.isSubset(of: people.filter { here.isOn("new-search", for: $0) }.map(\.person)))
    live.follow(try flags("new-search: {tenants: [jeju], about: x}"))
    #expect(people.allSatisfy { here.isOn("new-search", for: $0) } && here.isOn("new-search", for: nil))
    #expect(!there.isOn("new-search", for: people[0]))
  }

  @Test("a flag nobody declared is off, and that is said once")
  func unknown() throws {
    let lines = Lines()
    let live = LiveFlags(FlagRules(), logger: Logger(label: "test") { _ in Recorder(lines: lines) })
    for number in 0..<10 { #expect(!live.at(jeju).isOn("new-serach", for: session(number))) }
    #expect(!live.at(nil).isOn("other", for: nil))
    #expect(
      lines.texts.withLock { $0 } == [
        "a feature flag is not in the configuration: off new-serach", "a feature flag is not in the configuration: off other",
      ])
  }

  @Test("the repository's own file has the flag of the response cache, for everyone")
  func ours() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "tenants.yaml"), encoding: .utf8)
    let city = try CityConfiguration(reading: text, file: "tenants.yaml")
    #expect(city.flags["gateway.response-cache"]?.share == FlagRules.whole)
    #expect(ConnectionLoad.all(of: city, limits: ["main": 97])[0].refusal == nil)
    #expect(CapacityReport(city, limits: ["main": 97]).findings.isEmpty)
  }
}
