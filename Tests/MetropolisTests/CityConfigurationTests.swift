import Foundation
import Kit
import Testing

@testable import Metropolis
@testable import Web

@Suite("The city's file") struct CityConfigurationTests {
  private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "tenants.yaml")
  private let text: String
  init() throws { text = try String(contentsOf: CityConfigurationTests.file, encoding: .utf8) }

  private func mistakes(_ change: (String) -> String) -> String {
    do {
      _ = try CityConfiguration(reading: change(text), file: "tenants.yaml")
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test("the repository's own is right, and its console has an origin of its own")
  func console() throws {
    let city = try CityConfiguration(reading: text, file: "tenants.yaml")
    #expect(city.consoleHost == "console.dreamseed.ai")
    let map = city.cityMap(port: 8080)
    let console = try #require(map.console)
    #expect(console.origin.description == "http://console.localhost:8080")
    #expect(console.kind == "console" && console.tenant == nil)
    #expect(map.all.contains(console))
    #expect(Set(map.all.map(\.origin)).count == map.all.count)
  }

  @Test("the console's host is required, and nobody else's")
  func host() {
    #expect(mistakes { $0.replacing(/\n  console: [^\n]*/, with: "") }.contains("console"))
    #expect(
      mistakes { $0.replacing("console: console.dreamseed.ai", with: "console: id.dreamseed.ai") }.contains("a host of its own"))
    #expect(
      mistakes { $0.replacing("host: jeju.dongnemuleoboa.com", with: "host: console.dreamseed.ai") }.contains("city.console"))
  }
}
