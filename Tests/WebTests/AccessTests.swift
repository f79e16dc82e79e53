import Foundation
import HTTPTypes
import Hummingbird
import Kit
import NIOCore
import Testing

@testable import Web

@Suite("Who may ask, and with what body") struct AccessTests {
  private let city: TestCity
  init() throws { city = try TestCity() }

  @Test("a visitor who wants to look is taken to sign in, and back to where she was")
  func redirect() async throws {
    let reply = try await city.ask(.get, "/private?a=1&b=%EA%B0%80", .asPerson)
    #expect(reply.status == 303)
    #expect(reply["Location"] == "/signin?return_to=/private%3Fa%3D1%26b%3D%25EA%25B0%2580")
  }

  @Test("a program without a session gets 401, and is told how to prove who it is")
  func unauthorized() async throws {
    let reply = try await city.ask(.get, "/private", .asProgram)
    #expect(reply.status == 401)
    #expect(reply.problem == "not-signed-in")
    #expect(reply["WWW-Authenticate"] == "Bearer")
    #expect(try await city.ask(.get, "/private", .asProgram + ["Cookie": "session=expired"]).status == 401)
  }

  @Test("what a person posted without a session isn't thrown away by a redirect: the page says to sign in")
  func post() async throws {
    let form = try await city.form(.asPerson)
    let reply = try await city.ask(
      .post, "/private", .asPerson + .form + ["Cookie": form.cookie], body: "_csrf=\(form.token)")
    #expect(reply.status == 401)
    #expect(reply.text.contains(#"href="/signin?return_to=/""#))
  }

  @Test("a session opens the door, by cookie and by access token")
  func session() async throws {
    #expect(try await city.ask(.get, "/private", .asProgram + ["Cookie": "session=mina"]).text == #"{"name":"mina"}"#)
    #expect(try await city.ask(.get, "/private", ["Authorization": "Bearer good"]).text == #"{"name":"program"}"#)
  }

  @Test("a role is asked of everyone: 401 without a session, 403 without the role")
  func role() async throws {
    #expect(try await city.ask(.get, "/desk", .asProgram).status == 401)
    let member = try await city.ask(.get, "/desk", .asProgram + ["Cookie": "session=mina"])
    #expect(member.status == 403)
    #expect(member.problem == "forbidden")
    #expect(try await city.ask(.get, "/desk", .asProgram + ["Cookie": "session=operator"]).status == 204)
  }

  @Test("a visitor who opens a page of a role is taken to sign in; a person without the role sees that she can't")
  func rolePage() async throws {
    let visitor = try await city.ask(.get, "/desk", .asPerson)
    #expect(visitor.status == 303)
    #expect(visitor["Location"] == "/signin?return_to=/desk")
    #expect(try await city.ask(.get, "/desk", .asPerson + ["Cookie": "session=mina"]).status == 403)
  }

  @Test("a body over the limit is refused by its announced length, before it is read")
  func announcedLength() async throws {
    let reply = try await city.ask(.post, "/small", .json + ["Content-Length": "33"], body: "{}")
    #expect(reply.status == 413)
    #expect(try reply.json["limit"] == 32)
  }

  @Test("a body over the limit is refused while it comes in, when nothing was announced")
  func streamedLength() async throws {
    let parts = AsyncStream<ByteBuffer> { continuation in
      for _ in 0..<5 { continuation.yield(ByteBuffer(string: "12345678")) }
      continuation.finish()
    }
    let reply = try await city.ask(.post, "/small", .json, body: RequestBody(asyncSequence: parts))
    #expect(reply.status == 413)
    #expect(reply.problem == "too-large")
  }

  @Test("a body of just the limit is taken")
  func exactLength() async throws {
    let body = #"{"a":"\#(String(repeating: "x", count: 24))"}"#
    #expect(body.utf8.count == 32)
    #expect(try await city.ask(.post, "/small", .json + ["Content-Length": "32"], body: body).status == 204)
  }

  @Test(
    "JSON that is malformed, or no object, is refused with 400",
    arguments: ["", "{", #"{"title": "a""#, "[1]", #""text""#, "null", "{'title':'a'}", "{\"title\":\"\u{1}\"}", "\u{FEFF}x"])
  func malformedJSON(body: String) async throws {
    let reply = try await city.ask(.post, "/notes", .json, body: body)
    #expect(reply.status == 400)
    #expect(reply.problem == "malformed-request")
    #expect(reply["Content-Type"] == "application/problem+json")
  }

  @Test("a value of the wrong type is the field's mistake, 422")
  func wrongType() async throws {
    let reply = try await city.ask(.post, "/notes", .json + ["Accept-Language": "en"], body: #"{"title":5,"stars":"many"}"#)
    #expect(reply.status == 422)
    #expect(
      try reply.json["errors"] == [
        ["field": "title", "detail": "This has the wrong form. Expected: string"],
        ["field": "stars", "detail": "This has the wrong form. Expected: integer"],
      ])
  }

  @Test(
    "a media type that no route reads is refused with 415",
    arguments: ["text/xml", "multipart/form-data; boundary=x", "application/octet-stream"])
  func mediaType(type: String) async throws {
    let reply = try await city.ask(
      .post, "/notes", ["Content-Type": type, "Authorization": "Bearer good", "Accept-Language": "en"], body: "<a/>")
    #expect(reply.status == 415)
    #expect(try reply.json["detail"]?.string?.contains("Expected: application/json") == true)
  }

  @Test("a body without a media type is refused; no body at all is an empty one")
  func noMediaType() async throws {
    #expect(try await city.ask(.post, "/small", ["Authorization": "Bearer good"], body: "a=b").status == 415)
    #expect(try await city.ask(.post, "/small", ["Authorization": "Bearer good"]).status == 204)
  }

  @Test("parameters of a media type don't matter, nor does its case")
  func parameters() async throws {
    let reply = try await city.ask(
      .post, "/notes", ["Content-Type": "Application/JSON; charset=utf-8"], body: #"{"title":"a"}"#)
    #expect(reply.status == 201)
  }
}

@Suite("What keeps a browser careful") struct SecurityHeaderTests {
  @Test("a page comes with a policy that allows our own files and nothing inline")
  func policy() async throws {
    let reply = try await TestCity().ask(.get, "/", .asPerson)
    let policy = try #require(reply["Content-Security-Policy"])
    let rules = policy.split(separator: ";").map(\.trimmed)
    #expect(rules.contains("default-src 'none'"))
    #expect(rules.contains("script-src 'self'"))
    #expect(rules.contains("style-src 'self'"))
    #expect(rules.contains("frame-ancestors 'none'"))
    #expect(rules.contains("base-uri 'none'"))
    #expect(rules.contains("form-action 'self' http://id.localhost:8080"))
    #expect(!policy.contains("unsafe"))
    #expect(!policy.contains("*"))
    #expect(reply["Referrer-Policy"] == "same-origin")
    #expect(reply["Cross-Origin-Opener-Policy"] == "same-origin")
    #expect(reply["Permissions-Policy"] != nil)
  }

  @Test("the common layout keeps to that policy")
  func layout() async throws {
    let text = try await TestCity().ask(.get, "/", .asPerson).text
    #expect(text.firstMatch(of: /<script(?![^>]*\ssrc=)/) == nil)
    #expect(text.firstMatch(of: /\s(style|on[a-z]+)\s*=\s*"/) == nil)
    #expect(!text.contains("<style"))
  }

  @Test(
    "every answer says its type is meant, isn't kept, and has the request's id",
    arguments: ["/", "/private", "/nowhere", "/fault", "/cookies"])
  func everywhere(path: String) async throws {
    for headers in [[String: String].asPerson, .asProgram] {
      let reply = try await TestCity().ask(.get, path, headers)
      #expect(reply["X-Content-Type-Options"] == "nosniff")
      #expect(reply["Cache-Control"] == "no-store")
      #expect(reply["X-Request-Id"] == "request-1")
      #expect(reply["Strict-Transport-Security"] == nil)
    }
  }

  @Test("an https site asks to be reached by https only")
  func transport() async throws {
    let reply = try await TestCity(isSecure: true).ask(.get, "/", .asPerson)
    #expect(reply["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains")
  }

  @Test("cookies are out of reach of scripts and of other sites' forms; on http they are not Secure")
  func cookies() async throws {
    let reply = try await TestCity().ask(.get, "/cookies")
    let chosen = try #require(reply.cookies.first { $0.hasPrefix("chosen=tea") }).lowercased()
    #expect(chosen.contains("httponly"))
    #expect(chosen.contains("samesite=lax"))
    #expect(chosen.contains("max-age=60"))
    #expect(chosen.contains("path=/"))
    #expect(!chosen.contains("secure"))
    #expect(reply.cookies.contains { $0.hasPrefix("old=;") && $0.contains("Max-Age=0") })
  }
}
