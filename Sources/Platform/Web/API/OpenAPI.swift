public import Kit

/// The OpenAPI 3.1 document of one site, made from its endpoints: what is not declared there does not exist here.
public enum OpenAPI {
  public static func document(
    title: String, origin: Origin, operations: [(path: String, method: String, rules: EndpointRules)]
  )
    -> JSONValue
  {
    var paths: [String: [String: JSONValue]] = [:]
    for (path, method, rules) in operations {
      guard let operation = rules.operation else { continue }
      paths[path, default: [:]][method.lowercased()] = describe(operation, path: path, rules: rules)
    }
    return [
      "openapi": "3.1.0",
      "info": ["title": .string(title), "version": "1"],
      "servers": [["url": .string("\(origin)")]],
      "paths": .object(paths.mapValues { .object($0) }),
      "components": [
        "schemas": ["Problem": problem],
        "securitySchemes": [
          "session": ["type": "apiKey", "in": "cookie", "name": .string(origin.isSecure ? "__Host-session" : "session")],
          "bearer": ["type": "http", "scheme": "bearer"],
        ],
      ],
    ]
  }

  private static func describe(_ operation: Operation, path: String, rules: EndpointRules) -> JSONValue {
    var parameters: [JSONValue] = path.split(separator: "/").filter { $0.hasPrefix("{") }.map { part in
      [
        "name": .string(String(part.dropFirst().dropLast())), "in": "path", "required": true,
        "schema": ["type": "string"],
      ]
    }
    parameters += operation.query.map { parameter in
      [
        "name": .string(parameter.name), "in": "query", "description": .string(parameter.summary),
        "schema": parameter.shape.schema,
      ]
    }
    var responses: [String: JSONValue] = [:]
    var success: [String: JSONValue] = ["description": "done"]
    if let output = operation.output {
      success["content"] = ["application/json": ["schema": output.schema]]
    }
    responses["\(operation.status)"] = .object(success)
    var kinds = operation.problems
    if rules.access != .anyone { kinds.append(.notSignedIn) }
    if case .role = rules.access { kinds.append(.forbidden) }
    if operation.input != nil { kinds += [.malformedRequest, .invalidInput, .tooLarge, .unsupportedMediaType] }
    kinds += [.tooManyRequests, .unavailable]
    for (status, group) in Dictionary(grouping: kinds, by: \.status) {
      responses["\(status)"] = [
        "description": .string(Set(group.map(\.slug)).sorted().joined(separator: ", ")),
        "content": ["application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]],
      ]
    }
    var description: [String: JSONValue] = [
      "operationId": .string(operation.id), "summary": .string(operation.summary), "parameters": .array(parameters),
      "responses": .object(responses),
    ]
    if rules.access != .anyone { description["security"] = [["session": []], ["bearer": []]] }
    if let input = operation.input {
      description["requestBody"] = ["required": true, "content": ["application/json": ["schema": input.schema]]]
    }
    return .object(description)
  }

  /// RFC 9457.
  private static let problem: JSONValue = [
    "type": "object",
    "properties": [
      "type": ["type": "string", "format": "uri"], "title": ["type": "string"], "status": ["type": "integer"],
      "detail": ["type": "string"], "instance": ["type": "string"],
      "errors": [
        "type": "array",
        "items": [
          "type": "object", "properties": ["field": ["type": "string"], "detail": ["type": "string"]],
        ],
      ],
    ],
    "required": ["type", "title", "status"],
  ]
}
