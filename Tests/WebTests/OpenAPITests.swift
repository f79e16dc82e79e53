import HTTPTypes
import Kit
import Testing

@testable import Web

@Suite("The OpenAPI document") struct OpenAPITests {
  private func document() async throws -> JSONValue {
    let reply = try await TestCity().ask(.get, "/openapi.json")
    #expect(reply.status == 200)
    #expect(reply["Content-Type"] == "application/json")
    return try reply.json
  }

  @Test("it has each operation that is declared, and no route that isn't")
  func operations() async throws {
    let document = try await document()
    #expect(document["openapi"] == "3.1.0")
    #expect(document["servers"] == [["url": "http://jeju.localhost:8080"]])
    guard case .object(let paths)? = document["paths"] else {
      Issue.record("no paths")
      return
    }
    var found: Set<String> = []
    for (path, item) in paths {
      guard case .object(let methods) = item else { continue }
      for (method, operation) in methods { found.insert("\(method) \(path) \(operation["operationId"]?.string ?? "?")") }
    }
    let declared = Shop.endpoints.compactMap { endpoint in
      endpoint.rules.operation.map { "\(endpoint.method.rawValue.lowercased()) \(endpoint.path) \($0.id)" }
    }
    #expect(found == Set(declared))
    #expect(found.count == 5)
  }

  @Test("an operation states its parameters, its body, its answer and its problems")
  func details() async throws {
    let document = try await document()
    let create = document["paths"]?["/notes"]?["post"]
    #expect(
      create?["requestBody"]?["content"]?["application/json"]?["schema"] == [
        "type": "object", "required": ["title"],
        "properties": ["title": ["type": "string", "minLength": 1, "maxLength": 20], "pinned": ["type": "boolean"]],
      ])
    #expect(create?["responses"]?["201"]?["content"]?["application/json"]?["schema"]?["type"] == "object")
    #expect(create?["responses"]?["409"]?["description"] == "conflict")
    for status in ["400", "413", "415", "422", "429", "503"] { #expect(create?["responses"]?[status] != nil) }
    #expect(
      create?["responses"]?["422"]?["content"]?["application/problem+json"]?["schema"] == ["$ref": "#/components/schemas/Problem"]
    )
    let read = document["paths"]?["/notes/{id}"]?["get"]
    #expect(read?["parameters"] == [["name": "id", "in": "path", "required": true, "schema": ["type": "string"]]])
    #expect(read?["security"] == nil)
  }

  @Test("what needs a session says so, and what needs a role can be forbidden")
  func security() async throws {
    let document = try await document()
    let delete = document["paths"]?["/notes/{id}"]?["delete"]
    #expect(delete?["security"] == [["session": []], ["bearer": []]])
    #expect(delete?["responses"]?["401"] != nil)
    #expect(delete?["responses"]?["403"] == nil)
    #expect(document["paths"]?["/desk"]?["get"]?["responses"]?["403"]?["description"] == "forbidden")
    #expect(document["components"]?["securitySchemes"]?["session"]?["name"] == "session")
  }

  @Test("shapes are written in the vocabulary of JSON Schema 2020-12")
  func shapes() {
    #expect(Shape.array(.uuid).schema == ["type": "array", "items": ["type": "string", "format": "uuid"]])
    #expect(Shape.choice(["a", "b"]).schema == ["type": "string", "enum": ["a", "b"]])
    #expect(Shape.instant.schema == ["type": "string", "format": "date-time"])
    #expect(Shape.integer.schema == ["type": "integer", "format": "int64"])
    #expect(Shape.any.schema == .object([:]))
    #expect(
      Shape.object([("a?", .number)]).schema == ["type": "object", "properties": ["a": ["type": "number"]], "required": []])
  }
}
