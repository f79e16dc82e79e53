import Foundation
import HTTPTypes
import Kit
import Testing

@testable import Web

@Suite("Routes by path") struct RouteTableTests {
  private let table = RouteTable([
    ("/", "GET", "first"), ("/questions", "GET", "list"), ("/questions", "POST", "ask"), ("/questions/new", "GET", "form"),
    ("/questions/{id}", "GET", "show"), ("/questions/{id}", "PUT", "edit"), ("/questions/{id}/answers", "POST", "answer"),
    ("/tenants/{id}/plans/{plan}", "GET", "plan"), ("/tenants/{id}/plans/new", "GET", "newPlan"),
    ("/things/{thing}", "GET", "thing"), ("/things/{other}/parts", "GET", "parts"), ("/things/special/tools", "GET", "tools"),
  ])

  private func found(_ method: String, _ path: String) -> String {
    switch table.find(method, path) {
    case .route(let name, let parameters): ([name] + parameters.map { "\($0.key)=\($0.value)" }).joined(separator: " ")
    case .otherMethods(let pattern, let methods): "\(pattern): \(methods.joined(separator: " "))"
    case .nothing: "nothing"
    }
  }

  @Test(
    "a path finds its route, a word before a parameter, and its parameters by their names",
    arguments: [
      ("GET", "/", "first"), ("GET", "", "first"), ("GET", "/questions", "list"), ("POST", "/questions/", "ask"),
      ("GET", "//questions//7", "show id=7"), ("GET", "/questions/new", "form"), ("PUT", "/questions/7", "edit id=7"),
      ("POST", "/questions/a%20b/answers", "answer id=a%20b"), ("GET", "/tenants/jeju/plans/new", "newPlan id=jeju"),
      ("GET", "/tenants/jeju/plans/p1", "plan id=jeju plan=p1"), ("GET", "/things/special", "thing thing=special"),
      ("GET", "/things/special/parts", "parts other=special"), ("GET", "/things/special/tools", "tools"),
    ])
  func finds(method: String, path: String, route: String) {
    #expect(found(method, path) == route)
  }

  @Test(
    "a path with other methods names them, one that isn't there is nothing",
    arguments: [
      ("PUT", "/questions", "/questions: GET HEAD POST"), ("DELETE", "/questions/7", "/questions/{id}: GET HEAD PUT"),
      ("GET", "/questions/7/answers", "/questions/{id}/answers: POST"), ("PUT", "/questions/new", "/questions/new: GET HEAD"),
      ("GET", "/questions/7/8", "nothing"), ("GET", "/tenants", "nothing"), ("GET", "/Questions", "nothing"),
    ])
  func others(method: String, path: String, found: String) {
    #expect(self.found(method, path) == found)
  }
}

@Suite("What an answer is kept by") struct KeptByTests {
  @Test(
    "paths that are one to the router are one here, and so are queries whatever their order",
    arguments: [
      ("/a", "/a"), ("/", "/"), ("//a//b/", "/a/b"), ("/a/?", "/a"), ("/a?x=1", "/a?x=1"), ("/a?y=2&x=1", "/a?x=1&y=2"),
      ("/a?x=2&x=1", "/a?x=2&x=1"), ("/a?b&a", "/a?a&b"), ("/a#part", "/a"), ("/a?x=1#part", "/a?x=1"),
    ])
  func normalised(path: String, kept: String) {
    #expect(Negotiation.normalised(path) == kept)
  }

  @Test(
    "a cookie is found by its whole name",
    arguments: [
      ("lang=en", "en"), ("a=b; lang=en; c=d", "en"), ("a=b;lang=en", "en"), ("xlang=ko; lang=en", "en"), ("lang=", ""),
      ("slang=en", nil), ("lang", nil), ("", nil), ("a=lang=en", nil),
    ])
  func cookies(header: String, value: String?) {
    #expect(Negotiation.cookie("lang", in: header).map(String.init) == value)
  }

  @Test("tags take their parameters from the path and from who asks; without her, hers are left out")
  func tags() {
    let person = PersonID(UUID())
    let caching = Caching(for: .seconds(1), shared: .everyone, tags: ["all", "thing:{id}", "mine:{person}", "{id}/{person}"])
    let parameter: (Substring) -> String? = { $0 == "id" ? "7" : nil }
    #expect(caching.tags(parameter: parameter, person: person) == ["all", "thing:7", "mine:\(person)", "7/\(person)"])
    #expect(caching.tags(parameter: parameter, person: nil) == ["all", "thing:7"])
  }
}
