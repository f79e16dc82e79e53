import Database
import Kit
import Testing

@testable import Metropolis

@Suite("Stanzas of tenants and databases") struct ConfigurationStanzaTests {
  private typealias Sample = ConfigurationSample

  private func jeju(_ more: String) throws -> CityConfiguration.Stanza {
    let city = try Sample.read(Sample.replacing("    host: jeju.example.com\n", "    host: jeju.example.com\n\(more)\n"))
    return try #require(city.tenants.first { $0.id.text == "jeju" })
  }

  private func mistakes(_ more: String) -> [String] {
    Sample.mistakes(Sample.replacing("    host: jeju.example.com\n", "    host: jeju.example.com\n\(more)\n"))
  }

  @Test("what a tenant says nothing of is as it was: open, on main, every COMMIT on the disk")
  func defaults() throws {
    let stanza = try jeju("")
    #expect(stanza.state == .open && stanza.database == "main" && stanza.durability == .sync)
    #expect(stanza.formerHosts.isEmpty && stanza.infrastructure == nil && stanza.binding != nil)
  }

  @Test("state, durability, former hosts and planned cost are read")
  func values() throws {
    let stanza = try jeju(
      "    state: disabled\n    durability: async\n    former_hosts: [old.example.com, older.example.com]\n    infrastructure: 1200"
    )
    #expect(stanza.state == .disabled && stanza.durability == .async && stanza.infrastructure == 1_200)
    #expect(stanza.formerHosts == ["old.example.com", "older.example.com"])
  }

  @Test("an announced tenant has no module yet; one that is archived has one, to be restored by")
  func states() throws {
    #expect(try jeju("    state: announced").binding == nil)
    #expect(try jeju("    state: archived").binding != nil)
    #expect(CityConfiguration.Stanza.State.allCases.filter(\.hasSchema) == [.open, .disabled])
  }

  @Test(
    "what is wrong is named with its line, what was found and what was expected",
    arguments: [
      (
        "    state: closed",
        "city.yaml:18: tenants.jeju.state: found “closed”, expected one of open, announced, disabled, archived"
      ),
      ("    durability: maybe", "city.yaml:18: tenants.jeju.durability: found “maybe”, expected one of sync, async"),
      ("    database: east", "city.yaml:18: tenants.jeju.database: found “east”, expected one of the databases: main"),
      (
        "    former_hosts: [univprep.example.com]",
        "city.yaml:26: tenants.univprep.host: found “univprep.example.com”, expected a host of its own; tenants.jeju.former_hosts has this one"
      ),
      (
        "    former_hosts: [id.example.com]",
        "city.yaml:18: tenants.jeju.former_hosts: found “id.example.com”, expected a host of its own; city.issuer has this one"
      ),
      (
        "    former_hosts: [jeju.example.com]",
        "city.yaml:18: tenants.jeju.former_hosts: found “jeju.example.com”, expected hosts it had before; this one it has"
      ),
      (
        "    former_hosts: [nohost]",
        "city.yaml:18: tenants.jeju.former_hosts: found “nohost”, expected host names like jeju.example.com"
      ),
    ])
  func mistake(line: String, message: String) {
    #expect(mistakes(line) == [message])
  }

  @Test("main is always there; others have a URL in the environment, and no secret in the file")
  func databases() throws {
    #expect(try Sample.read().databases.map(\.name) == ["main"])
    #expect(try Sample.read().databases[0].url == nil)
    let two = try Sample.read(
      Sample.yaml + """
        databases:
          east:
            url: env:EAST_URL
            replicas: [env:EAST_R1]
            max_lag: 500ms
            pooler: transaction
            direct_url: env:EAST_DIRECT
            connections: 12
          main: {connections: 20, reserve: 2, limit: 100}
        """
    ).databases
    #expect(two.map(\.name) == ["main", "east"])
    #expect(two[0].connections == 20 && two[0].reserve == 2 && two[0].limit == 100 && two[0].pooler == .none)
    #expect(two[1].url?.name == "EAST_URL" && two[1].directURL?.name == "EAST_DIRECT" && two[1].pooler == .transaction)
    #expect(two[1].replicas.map(\.name) == ["EAST_R1"] && two[1].maxLag == .milliseconds(500) && two[1].reserve == 2)
  }

  @Test("a password that stands in the file is refused, and not repeated")
  func secrets() {
    let found = Sample.mistakes(
      Sample.yaml + """
        databases:
          east: {url: "postgresql://metropolis:hunter2@db/east", replicas: ["postgres://x:hunter2@r/x"], pooler: transaction}
          west: {}
        """)
    #expect(
      found.map { $0.split(separator: ": ")[1] } == [
        "databases.east.direct_url", "databases.east.replicas", "databases.east.url", "databases.west.url",
      ])
    #expect(!found.joined().contains("hunter2"))
  }

  @Test("the process must have every variable the file names, and all that is missing is said at once")
  func environment() throws {
    let city = try Sample.read(
      Sample.yaml + "databases:\n  main: {url: env:MAIN_URL}\n  east: {url: env:EAST_URL, replicas: [env:EAST_R1]}\n")
    let key = String(repeating: "A", count: 43) + "="
    #expect {
      _ = try ProcessSettings(["EAST_URL": "nonsense", "METROPOLIS_MASTER_KEY": key], data: "/tmp", configuration: city)
    } throws: { error in
      let text = "\(error)"
      return text.contains("MAIN_URL: not set; databases.main.url names it")
        && text.contains("EAST_R1: not set; databases.east.replicas names it")
        && text.contains("EAST_URL: found something else")
    }
  }
}
