import Foundation
import Gateway
import Kit
import Synchronization
import Testing

@testable import Metropolis

@Suite("Where a person begins") struct StartTests {
  private let places: PlaceNames
  init() throws { places = try PlaceNames(Embedded.files) }

  @Test(
    "a place is found by its name in either language, with or without what kind of place it is",
    arguments: ["제주", "제주시", "제주특별자치도", " 제주 ", "Jeju", "JEJU", "jeju-si", "Jeju city"])
  func names(_ name: String) throws {
    let point = try #require(places.point(name))
    #expect(abs(point.latitude - 33.5) < 0.05 && abs(point.longitude - 126.53) < 0.05)
  }

  @Test("a name that ends like a kind of place is one: 대구 is no 구 of 대; decomposed letters are the same letters")
  func endings() throws {
    let daegu = try #require(places.point("대구"))
    #expect(abs(daegu.latitude - 35.87) < 0.01)
    #expect(places.point("대구광역시") == daegu)
    #expect(places.point("제주".decomposedStringWithCanonicalMapping) == places.point("제주"))
  }

  @Test("coordinates may be written instead; what is no place is none", arguments: ["33.45, 126.56", "33.45,126.56"])
  func coordinates(_ text: String) {
    #expect(places.point(text) == GeographicPoint(latitude: 33.45, longitude: 126.56))
    for wrong in ["91, 0", "1,2,3", "달나라", "시", ",", "nan, nan"] { #expect(places.point(wrong) == nil, "\(wrong)") }
  }

  @Test("every place lies in Korea, and has a name in both languages of its own")
  func gazetteer() throws {
    for language in Language.allCases {
      let names = places.names(language)
      #expect(names.count > 80 && Set(names).count == names.count)
      for name in names {
        let point = try #require(places.point(name), "\(name)")
        #expect((33...39).contains(point.latitude) && (124...132).contains(point.longitude), "\(name)")
      }
    }
  }

  @Test("tenants are counted once for all who ask within the time it is remembered; a count that fails is none")
  func counts() async throws {
    let asked = Mutex(0)
    let (jeju, busan) = (try #require(TenantID("jeju")), try #require(TenantID("busan")))
    let counts = TenantCounts([
      .members: { _ in
        asked.withLock { $0 += 1 }
        return [jeju: 7]
      },
      .active: { _ in throw Problem(.unavailable) },
    ])
    for _ in 0..<3 {
      let now = await counts.now([.members: [jeju, busan], .active: [jeju]])
      #expect(now == [.members: [jeju: 7, busan: 0]])
    }
    #expect(asked.withLock { $0 } == 1)
  }
}
