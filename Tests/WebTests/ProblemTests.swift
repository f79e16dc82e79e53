import HTTPTypes
import Kit
import Testing

@testable import Web

@Suite("Problems") struct ProblemTests {
  @Test("a program gets a problem document of RFC 9457, in its language")
  func document() async throws {
    let reply = try await TestCity().ask(.get, "/nowhere", .asProgram + ["Accept-Language": "en"])
    #expect(reply.status == 404)
    #expect(reply["Content-Type"] == "application/problem+json")
    #expect(reply.problem == "not-found")
    #expect(
      try reply.json == [
        "type": "http://localhost:8080/problems/not-found", "title": "There is no such page", "status": 404,
        "detail": "The address has changed, or what stood here was deleted.", "instance": "request-1",
      ])
  }

  @Test("a person gets a page that says the same, with the way back and the request's id")
  func page() async throws {
    let reply = try await TestCity().ask(.get, "/nowhere", .asPerson)
    #expect(reply.status == 404)
    #expect(reply["Content-Type"] == "text/html; charset=utf-8")
    #expect(reply.text.contains("There is no such page"))
    #expect(reply.text.contains("request-1"))
    #expect(reply.text.contains(#"href="/""#))
  }

  @Test("the route of a path that isn't there is one, whatever the path: metrics don't grow by it")
  func route() async throws {
    let city = try TestCity()
    let routes = Set([try await city.ask(.get, "/a").route, try await city.ask(.get, "/b/c").route])
    #expect(routes.count == 1)
    #expect(try await city.ask(.get, "/notes/017f22e2-79b0-7cc3-98c4-dc0c0c07398f").route == "/notes/{id}")
    #expect(try await city.ask(.get, "/notes/nonsense").route == "/notes/{id}")
  }

  @Test(
    "an id in a path that is no UUID is a page that doesn't exist",
    arguments: ["1", "nonsense", "%00", "017f22e2-79b0-7cc3-98c4"])
  func badID(text: String) async throws {
    let reply = try await TestCity().ask(.get, "/notes/\(text)", .asProgram)
    #expect(reply.status == 404)
    #expect(reply["Content-Type"] == "application/problem+json")
  }

  @Test("a method that a path doesn't take changes nothing and is refused, naming those it takes")
  func wrongMethod() async throws {
    let reply = try await TestCity().ask(.put, "/notes", .asProgram)
    #expect(reply.status == 405)
    #expect(reply.problem == "method-not-allowed")
    #expect(reply["Allow"] == "POST")
    #expect(reply["Content-Type"] == "application/problem+json")
    #expect(reply.route == "/notes")
  }

  @Test(
    "a path with a parameter is known for its other methods, too; one that isn't there stays unknown",
    arguments: [("/notes/1", "DELETE, GET, HEAD"), ("/private/", "GET, HEAD, POST"), ("/notes/1/2", nil), ("/nowhere", nil)])
  func allowed(path: String, methods: String?) async throws {
    let reply = try await TestCity().ask(.put, path, .asPerson)
    #expect(reply.status == (methods == nil ? 404 : 405))
    #expect(reply["Allow"] == methods)
    #expect(reply["Content-Type"] == "text/html; charset=utf-8")
  }

  @Test("every refused field is named, in words")
  func fields() async throws {
    let reply = try await TestCity().ask(
      .post, "/notes", .json + ["Accept-Language": "en"], body: #"{"title":"\#(String(repeating: "가", count: 21))","stars":9}"#)
    #expect(reply.status == 422)
    #expect(
      try reply.json["errors"] == [
        ["field": "title", "detail": "At most 20 characters, please. There are 21 now."],
        ["field": "stars", "detail": "It must lie between 1 and 5."],
      ])
  }

  @Test("further members stand beside the standard ones, and a text is filled in")
  func members() async throws {
    let reply = try await TestCity().ask(.get, "/quota", .asProgram + ["Accept-Language": "en"])
    #expect(reply.status == 402)
    #expect(try reply.json["limit"] == 100)
    #expect(try reply.json["plans"] == ["student"])
    #expect(try reply.json["detail"] == "Items: all 100 of this month are used. It renews on 1 December.")
  }

  @Test("an error that is nobody's answer becomes 500 and shows nothing of itself")
  func fault() async throws {
    let reply = try await TestCity().ask(.get, "/fault", .asProgram)
    #expect(reply.status == 500)
    #expect(reply.problem == "internal-error")
    #expect(!reply.text.contains("Fault"))
  }

  @Test("an error of the HTTP library is a problem like all others")
  func libraryError() async throws {
    let reply = try await TestCity().ask(.get, "/teapot", .asProgram)
    #expect(reply.status == 400)
    #expect(reply["Content-Type"] == "application/problem+json")
    #expect(try reply.json["detail"] == "no such tea")
  }

  @Test("when sessions can't be read the answer is 503 with the time to wait, as a page too")
  func away() async throws {
    let city = try TestCity()
    let program = try await city.ask(.get, "/", .asProgram + ["Cookie": "session=down"])
    #expect(program.status == 503)
    #expect(program["Retry-After"] == "30")
    let person = try await city.ask(.get, "/", .asPerson + ["Cookie": "session=down"])
    #expect(person.status == 503)
    #expect(person.text.contains("What was saved is safe."))
  }

  @Test("a rate limit answers 429 and says when to come back")
  func limit() async throws {
    let reply = try await TestCity().ask(.get, "/shut", .asProgram)
    #expect(reply.status == 429)
    #expect(reply["Retry-After"] == "12")
  }

  @Test("a request that can't be handed to a route is refused in the same form")
  func refusal() async throws {
    let city = try TestCity()
    let reply = try await city.ask(.get, "/", .asProgram)
    #expect(reply.status == 200)
    let unknown = SiteRouter.problem(of: CancellationError())
    #expect(unknown.kind == .deadlineExceeded)
    #expect(unknown.retryAfter == 5)
  }

  @Test("what a log gets of an error has no values in it")
  func loggable() {
    struct Leak: Error { let email = "mina@example.com" }
    #expect(SiteRouter.loggable(Leak()) == "Leak")
    #expect(SiteRouter.loggable(Problem(.conflict, ["reason": "mina@example.com"])) == "conflict")
  }
}
