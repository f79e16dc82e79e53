import HTTPTypes
import Kit
import Testing

@testable import Web

@Suite("Requests that others forge") struct ForgeryTests {
  private let city: TestCity
  init() throws { city = try TestCity() }

  private func post(_ headers: [String: String], _ body: String, of site: Site? = nil) async throws -> Reply {
    try await city.ask(.post, "/notes", .asPerson + .form + headers, body: body, of: site)
  }

  @Test("a form without a token is refused, and so is one without the cookie it belongs to")
  func missing() async throws {
    let form = try await city.form(.asPerson)
    #expect(try await post(["Cookie": form.cookie], "title=a").problem == "forged-request")
    let withoutCookie = try await post([:], "title=a&_csrf=\(form.token)")
    #expect(withoutCookie.status == 403)
    #expect(withoutCookie.problem == "forged-request")
  }

  @Test("the token of the page passes, in the form or in a header")
  func right() async throws {
    let form = try await city.form(.asPerson)
    #expect(try await post(["Cookie": form.cookie], "title=a&_csrf=\(form.token)").status == 303)
    #expect(try await post(["Cookie": form.cookie, "X-CSRF-Token": form.token], "title=a").status == 303)
  }

  @Test(
    "a token that was guessed, cut or changed is refused",
    arguments: ["x", "", "%00", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
  func wrong(token: String) async throws {
    let form = try await city.form(.asPerson)
    #expect(try await post(["Cookie": form.cookie], "title=a&_csrf=\(token)").status == 403)
  }

  @Test("a token belongs to one browser, one session and one site")
  func bound() async throws {
    let form = try await city.form(.asPerson)
    let other = try await city.form(.asPerson)
    #expect(form.token != other.token)
    #expect(try await post(["Cookie": other.cookie], "title=a&_csrf=\(form.token)").status == 403)
    #expect(try await post(["Cookie": form.cookie + "; session=mina"], "title=a&_csrf=\(form.token)").status == 403)
    let signedIn = try await city.form(.asPerson + ["Cookie": "session=mina"])
    #expect(try await post(["Cookie": signedIn.cookie], "title=a&_csrf=\(signedIn.token)").status == 303)
    #expect(
      try await post(["Cookie": signedIn.cookie.replacing("mina", with: "hana")], "title=a&_csrf=\(signedIn.token)").status == 403
    )
    #expect(try await post(["Cookie": form.cookie], "title=a&_csrf=\(form.token)", of: city.cities.city).status == 403)
  }

  @Test("a browser that keeps its cookie keeps its tokens: two tabs don't spoil each other")
  func tabs() async throws {
    let first = try await city.form(.asPerson)
    let second = try await city.form(.asPerson + ["Cookie": first.cookie])
    #expect(first.token == second.token)
    let page = try await city.ask(.get, "/", .asPerson + ["Cookie": first.cookie])
    #expect(!page.cookies.contains { $0.hasPrefix("visitor=") })
  }

  @Test("what a browser says comes from another site is refused whatever its token")
  func crossSite() async throws {
    let form = try await city.form(.asPerson)
    let body = "title=a&_csrf=\(form.token)"
    #expect(try await post(["Cookie": form.cookie, "Sec-Fetch-Site": "cross-site"], body).problem == "forged-request")
    #expect(try await post(["Cookie": form.cookie, "Sec-Fetch-Site": "same-origin"], body).status == 303)
  }

  @Test(
    "a foreign origin is refused, our own passes",
    arguments: [
      ("http://jeju.localhost:8080", 303), ("http://evil.example", 403), ("null", 403), ("https://jeju.localhost:8080", 403),
      ("http://jeju.localhost", 403), ("http://busan.localhost:8080", 403),
    ])
  func origins(origin: String, status: Int) async throws {
    let form = try await city.form(.asPerson)
    let reply = try await post(["Cookie": form.cookie, "Origin": origin], "title=a&_csrf=\(form.token)")
    #expect(reply.status == status)
  }

  @Test("JSON needs no token, since no page of another origin can send it; from a foreign origin it is refused all the same")
  func json() async throws {
    #expect(try await city.ask(.post, "/notes", .json + ["Cookie": "session=mina"], body: #"{"title":"a"}"#).status == 201)
    let foreign = try await city.ask(
      .post, "/notes", .json + ["Cookie": "session=mina", "Origin": "http://evil.example"], body: #"{"title":"a"}"#)
    #expect(foreign.status == 403)
  }

  @Test("a plain-text body, which any page may send, doesn't pass for JSON")
  func plainText() async throws {
    let reply = try await city.ask(
      .post, "/notes", ["Content-Type": "text/plain", "Cookie": "session=mina"], body: #"{"title":"a"}"#)
    #expect(reply.status == 403 || reply.status == 415)
  }

  @Test("an access token is no cookie: a browser never sends it by itself")
  func bearer() async throws {
    let reply = try await city.ask(
      .post, "/notes", .form + ["Authorization": "Bearer good", "Origin": "http://elsewhere.example"], body: "title=a")
    #expect(reply.status == 201)
  }

  @Test("a route with its own proof is left to it")
  func ownProof() async throws {
    let reply = try await city.ask(
      .post, "/token", ["Origin": "http://elsewhere.example", "Sec-Fetch-Site": "cross-site"], body: "abc")
    #expect(reply.status == 200)
    #expect(reply.text == #"{"size":3}"#)
  }

  @Test("on an https site the token's cookie is Secure, of this host only, and out of reach of scripts")
  func cookie() async throws {
    let page = try await TestCity(isSecure: true).ask(.get, "/", .asPerson)
    let cookie = try #require(page.cookies.first { $0.hasPrefix("__Host-visitor=") })
    let parts = Set(cookie.split(separator: ";").dropFirst().map { $0.trimmed.lowercased() })
    #expect(parts.isSuperset(of: ["path=/", "secure", "httponly", "samesite=lax"]))
    #expect(!parts.contains { $0.hasPrefix("domain") })
  }
}
