import Foundation
import HTTPTypes
import Kit
import Testing

@testable import Web

@Suite("Menus and sites") struct MenuTests {
  private func session(_ roles: Set<String>) -> Session {
    Session(id: UUID.v7(), person: PersonID(UUID.v7()), displayName: "하늘", proof: .cookie, roles: roles)
  }

  @Test("an entry without roles is everyone's, one with roles is seen by those who have one of them")
  func roles() {
    #expect(MenuItem("/", titleKey: "t").isShown(to: nil))
    let finance = MenuItem("/finance", titleKey: "t", roles: ["finance@city", "operator@city"])
    #expect(!finance.isShown(to: nil))
    #expect(!finance.isShown(to: session([])))
    #expect(!finance.isShown(to: session(["operator@jeju", "finance@cityhall"])))
    #expect(finance.isShown(to: session(["member", "finance@city"])))
  }

  @Test("a star stands for any place")
  func star() {
    let tenants = MenuItem("/tenants", titleKey: "t", roles: ["operator@*"])
    #expect(tenants.isShown(to: session(["operator@jeju"])))
    #expect(!tenants.isShown(to: session(["finance@city", "operator"])))
  }

  @Test("a post is a role at a place, and at no other")
  func holds() {
    let operates = session(["operator@univprep"])
    #expect(operates.holds("operator", at: "univprep"))
    #expect(!operates.holds("operator", at: "univ"))
    #expect(!operates.holds("finance", at: "univprep"))
  }

  @Test("the console is one of all sites, with a style sheet of its own, and known by its mark everywhere")
  func console() throws {
    let test = try TestCity()
    let site = Site(
      id: "console", origin: Origin(scheme: "http", host: "console.localhost", port: 8080), name: LocalizedText(ko: "콘솔"),
      summary: LocalizedText(ko: "요약"), look: test.site.look, languages: [.ko], timeZone: .gmt, kind: "console")
    let with = CityMap(
      city: test.cities.city, issuer: test.cities.issuer, tenants: test.cities.tenants, isDevelopment: true, console: site)
    #expect(test.cities.console == nil)
    #expect(with.all.map(\.id) == ["city", "id", "console", "jeju"])
    #expect(!with.styleSheet(of: site).isEmpty)
    #expect(with.styleSheet(of: test.site).contains(".t-console{"))
  }

  @Test("a page that is made late is not made for a program")
  func late() async throws {
    let made = Answer.page(json: ["a": 1]) { Page("shop.home", title: "Home") }
    guard case .page(let page, let json) = made.body else { throw Problem(.internalError) }
    #expect(page().title == "Home")
    #expect(json != nil)
    #expect(made.status == .ok)
  }
}
