import Foundation
import Testing

@testable import Metropolis

@Suite("Where the core's database is") struct MainAddressTests {
  private typealias Sample = ConfigurationSample
  private let environment = [
    "DATABASE_URL": "postgresql://x@one/city", "CITY_URL": "postgresql://x@two/city",
    "CITY_DIRECT_URL": "postgresql://x@three/city",
    "EMPTY": "",
  ]

  private func address(_ main: String?, _ environment: [String: String]? = nil) throws -> MainAddress {
    let databases = main.map { "databases:\n  main: \($0)\n" } ?? ""
    return try MainAddress(reading: Sample.yaml + databases, file: "city.yaml", environment: environment ?? self.environment)
  }

  private func refusal(_ run: () throws -> MainAddress) -> String {
    do { return "nothing: \(try run())" } catch { return "\(error)" }
  }

  @Test(
    "the variable the file names counts, else DATABASE_URL; without it the cluster is private",
    arguments: [nil, "{connections: 9}"])
  func unnamed(_ main: String?) throws {
    let found = try address(main)
    #expect(found.variable == "DATABASE_URL" && found.url == "postgresql://x@one/city" && found.directURL == nil)
    for nothing in [[:], ["DATABASE_URL": ""]] {
      let own = try address(main, nothing)
      #expect(own.variable == nil && own.url == nil)
    }
  }

  @Test("a named variable goes before DATABASE_URL, and so does the way past a pooler")
  func named() throws {
    let found = try address("{url: env:CITY_URL, pooler: transaction, direct_url: env:CITY_DIRECT_URL}")
    #expect(found.variable == "CITY_URL" && found.url == "postgresql://x@two/city")
    #expect(found.directURL == "postgresql://x@three/city")
  }

  @Test("a named variable that is not set is told, and no other database is taken", arguments: ["ABSENT", "EMPTY"])
  func missing(_ name: String) {
    #expect(refusal { try address("{url: env:\(name)}") } == "databases.main: the variable \(name) is not set for this process")
    #expect(refusal { try address("{direct_url: env:\(name)}") }.contains("the variable \(name) is not set"))
  }

  @Test("a URL in the file is refused and not repeated; a file that is no YAML is refused with its place")
  func wrong() throws {
    let found = refusal { try address("{url: \"postgresql://x:hunter2@db/city\"}") }
    #expect(found.contains("databases.main.url: found something else, expected env:NAME") && !found.contains("hunter2"))
    #expect(refusal { try address("{url: [env:CITY_URL]}") }.contains("databases.main.url"))
    #expect(refusal { try address("{url: ") }.contains("1 mistake in city.yaml:\ncity.yaml:"))
  }

  @Test("a node without the file has DATABASE_URL; a file that is there is read")
  func file() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("main-address-\(UUID()).yaml").path
    #expect(try MainAddress(file: path, environment: environment).variable == "DATABASE_URL")
    try (Sample.yaml + "databases: {main: {url: env:CITY_URL}}\n").write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(try MainAddress(file: path, environment: environment).variable == "CITY_URL")
  }
}
