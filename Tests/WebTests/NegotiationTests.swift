import HTTPTypes
import Kit
import Testing

@testable import Web

@Suite("A page for people, JSON for programs") struct NegotiationTests {
  @Test("a browser gets a page inside the common layout, in its language")
  func page() async throws {
    let reply = try await TestCity().ask(.get, "/", .asPerson)
    #expect(reply.status == 200)
    #expect(reply["Content-Type"] == "text/html; charset=utf-8")
    #expect(reply.text.contains(#"<html lang="en">"#))
    #expect(reply.text.contains("<title>Home · Jeju</title>"))
    #expect(reply.text.contains("<h1>Notes</h1>"))
    #expect(reply.route == "/")
    #expect(reply.problem == nil)
  }

  @Test("a program gets the same as JSON", arguments: ["application/json", "application/problem+json, application/json"])
  func json(accept: String) async throws {
    let reply = try await TestCity().ask(.get, "/", ["Accept": accept])
    #expect(reply.status == 200)
    #expect(reply["Content-Type"] == "application/json")
    #expect(reply.text == #"{"shop":"kiosk"}"#)
  }

  @Test("whoever names text/html gets a page, even when JSON is named beside it")
  func both() async throws {
    let reply = try await TestCity().ask(.get, "/", ["Accept": "application/json, text/html"])
    #expect(reply["Content-Type"] == "text/html; charset=utf-8")
  }

  @Test("a bearer token without a word on the form asks for JSON")
  func bearer() async throws {
    let reply = try await TestCity().ask(.get, "/", ["Authorization": "Bearer good", "Accept": "*/*"])
    #expect(reply["Content-Type"] == "application/json")
  }

  @Test("what came with the request is escaped in the page")
  func escaping() async throws {
    let reply = try await TestCity().ask(.get, "/?said=%3Cscript%3Ealert(1)%3C/script%3E%22%27%26", .asPerson)
    #expect(!reply.text.contains("<script>alert"))
    #expect(reply.text.contains("&lt;script&gt;"))
  }

  @Test("the language chosen by a link holds for this page and is kept in a cookie")
  func chosenLanguage() async throws {
    let city = try TestCity()
    let reply = try await city.ask(.get, "/?lang=ko", .asPerson)
    #expect(reply.text.contains(#"<html lang="ko">"#))
    #expect(reply.cookies.contains { $0.hasPrefix("lang=ko;") })
    let next = try await city.ask(.get, "/", .asPerson + ["Cookie": "lang=ko"])
    #expect(next.text.contains("쪽지"))
  }

  @Test("Korean is shown to who names no language of ours, and what a site lacks is not switched to")
  func defaultLanguage() async throws {
    #expect(try await TestCity().ask(.get, "/", ["Accept": "text/html", "Accept-Language": "fr"]).text.contains(#"lang="ko""#))
    let korean = try await TestCity(languages: [.ko]).ask(.get, "/?lang=en", .asPerson + ["Cookie": "lang=en"])
    #expect(korean.text.contains(#"<html lang="ko">"#))
    #expect(!korean.cookies.contains { $0.hasPrefix("lang=") })
    let nonsense = try await TestCity().ask(.get, "/?lang=xx", .asPerson)
    #expect(!nonsense.cookies.contains { $0.hasPrefix("lang=") })
  }

  @Test("a form that was sent leads on with 303; a program gets what it made")
  func afterPost() async throws {
    let city = try TestCity()
    let form = try await city.form(.asPerson)
    let person = try await city.ask(
      .post, "/notes", .asPerson + .form + ["Cookie": form.cookie], body: "title=hello&_csrf=\(form.token)")
    #expect(person.status == 303)
    #expect(person["Location"] == "/notes")
    let program = try await city.ask(.post, "/notes", .json, body: #"{"title":" 안녕 "}"#)
    #expect(program.status == 201)
    #expect(program.text == #"{"title":"안녕"}"#)
  }

  @Test("an idempotency key is taken from the header, else from the form, and has 100 characters at most")
  func idempotencyKey() async throws {
    let city = try TestCity()
    #expect(try await city.ask(.get, "/key?form=b", ["Idempotency-Key": "a"]).text == #"{"key":"a"}"#)
    #expect(try await city.ask(.get, "/key?form=b").text == #"{"key":"b"}"#)
    #expect(try await city.ask(.get, "/key").text == #"{"key":null}"#)
    let long = try await city.ask(.get, "/key", .asProgram + ["Idempotency-Key": String(repeating: "k", count: 101)])
    #expect(long.status == 400)
  }

  @Test("style sheet and script have names that may be cached for ever, and the page refers to them")
  func assets() async throws {
    let city = try TestCity()
    let page = try await city.ask(.get, "/", .asPerson)
    let path = try #require(page.text.firstMatch(of: /href="(\/assets\/app\.[0-9a-f]{12}\.css)"/)).1
    let sheet = try await city.ask(.get, String(path))
    #expect(sheet.status == 200)
    #expect(sheet["Content-Type"] == "text/css; charset=utf-8")
    #expect(sheet["Cache-Control"] == "public, max-age=31536000, immutable")
    #expect(sheet["X-Content-Type-Options"] == "nosniff")
    #expect(sheet.cookies.isEmpty)
    #expect(try await city.ask(.get, "/assets/app.000000000000.css").status == 404)
  }

  @Test("every site has its look, its icon and its word to crawlers")
  func siteFiles() async throws {
    let city = try TestCity()
    let look = try await city.ask(.get, "/look.css")
    #expect(look["Content-Type"] == "text/css; charset=utf-8")
    #expect(look.text.contains("--accent:\(city.site.look.fill.hex);"))
    #expect(look.text.contains(".t-jeju{"))
    let icon = try await city.ask(.get, "/favicon.ico")
    #expect(icon["Content-Type"] == "image/svg+xml")
    #expect(icon.text.contains("제</text>"))
    #expect(try await city.ask(.get, "/robots.txt").text.contains("Disallow: /account"))
  }
}
