import Identity
import Kit
import Testing

@testable import Metropolis
@testable import Web

@Suite("Posts of the city's staff") struct StaffPostTests {
  @Test("memberships become the console's roles: operators of tenants and city, finance of the city, nothing else")
  func mapping() {
    let posts = StaffPost.among([
      Membership(tenant: "univprep", role: "member"), Membership(tenant: "univprep", role: "operator"),
      Membership(tenant: "city", role: "member"), Membership(tenant: "city", role: "finance"),
      Membership(tenant: "city", role: "operator"), Membership(tenant: "jeju", role: "resident"),
      // Money is the city's business: a row like this opens nothing.
      Membership(tenant: "jeju", role: "finance"),
    ])
    #expect(posts.map(\.description) == ["finance@city", "operator@city", "operator@univprep"])
    #expect(StaffPost.among([Membership(tenant: "console", role: "member")]).isEmpty)
  }

  @Test("a post is written role@place", arguments: ["operator@univprep", "operator@city", "finance@city"])
  func text(post: String) throws {
    #expect(try #require(StaffPost(post)).description == post)
  }

  @Test(
    "what is no post is none", arguments: ["", "operator", "operator@", "@city", "finance@jeju", "member@city", "Operator@city"])
  func refused(text: String) {
    #expect(StaffPost(text) == nil)
  }

  @Test("each tenant has one post to give, the city two")
  func all() {
    #expect(
      StaffPost.all(tenants: ["jeju", "univprep"]).map(\.description)
        == ["operator@city", "finance@city", "operator@jeju", "operator@univprep"])
  }

  @Test("each post leads to its work")
  func paths() throws {
    func path(_ text: String) throws -> String { Console.path(of: try #require(StaffPost(text))) }
    #expect(try path("operator@univprep") == "/tenants/univprep")
    #expect(try path("finance@city") == "/finance")
    #expect(try path("operator@city") == "/city")
  }
}
