import Kit
import Testing

@testable import Metropolis

/// A city small enough to be read at a glance.
enum ConfigurationSample {
  static let yaml = """
    city:
      name: 작은 도시
      summary: 시험하는 도시
      environment: development
      host: my.example.com
      issuer: id.example.com
      console: console.example.com
      entity: one
      look: {accent: "#2B59C3", mark: 작}
    entities:
      one: {name: 하나, country: KR, currency: KRW}
    tenants:
      jeju:
        module: town
        name: {ko: 제주, en: Jeju}
        summary: 제주
        host: jeju.example.com
        entity: one
        look: {accent: "#E8590C", mark: 제}
        settings: {area: {south: 33.1, north: 33.6, west: 126.1, east: 126.9}, answer_target: 10m}
      univprep:
        module: prep
        name: 유니브
        summary: 입시
        host: univprep.example.com
        entity: one
        look: {accent: "#862E9C", mark: 입}
        settings: {packages: [math-foundations]}
    plans:
      free:
        owner: city
        name: 무료
        grants:
          - {feature: prep.item, tenants: {module: prep}, limit: 100, per: month, pool: shared}
      sat-camp:
        owner: univprep
        name: SAT 캠프
        price: {KRW: 9000}
        grants:
          - {feature: prep.item, tenants: [univprep], unlimited: true}
    flags:
      new-search: {tenants: [jeju], share: 10, about: 뜻으로 찾기}

    """

  /// One more tenant, as its stanza.
  static let gangneung = """
      gangneung:
        module: town
        name: {ko: 강릉, en: Gangneung}
        summary: 강릉
        host: gangneung.example.com
        entity: one
        look: {accent: "#0B7285", mark: 강}
        settings: {area: {south: 37.6, north: 37.9, west: 128.7, east: 129.1}, answer_target: 10m}

    """

  /// The text with a part replaced. It must be there.
  static func replacing(
    _ old: String, _ new: String, in text: String = yaml, _ location: SourceLocation = #_sourceLocation
  ) -> String {
    #expect(text.contains(old), sourceLocation: location)
    return text.replacing(old, with: new)
  }

  /// With Gangneung behind the other tenants.
  static func withGangneung(_ text: String = yaml) -> String { replacing("plans:\n", "\(gangneung)plans:\n", in: text) }

  /// Without a tenant's stanza.
  static func without(_ tenant: String, _ text: String = yaml) -> String {
    var isInside = false
    return text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
      if line == "  \(tenant):" {
        isInside = true
      } else if isInside, !line.hasPrefix("    ") {
        isInside = false
      }
      return !isInside
    }.joined(separator: "\n")
  }

  static func read(_ text: String = yaml) throws -> CityConfiguration { try CityConfiguration(reading: text, file: "city.yaml") }

  /// Every mistake of a text, a line each.
  static func mistakes(_ text: String) -> [String] {
    do {
      _ = try CityConfiguration(reading: text, file: "city.yaml")
      return []
    } catch {
      return error.mistakes.map(\.description)
    }
  }
}
