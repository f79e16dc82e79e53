import Foundation
import HTTPTypes
import Kit

/// A problem as RFC 9457 writes it.
struct ProblemDocument: Encodable, Sendable {
  let problem: Problem
  let title: String
  let detail: String
  let type: String
  let instance: String
  let errors: [(field: String, detail: String)]

  struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    var members = encoder.container(keyedBy: Key.self)
    for (name, value) in problem.members { try members.encode(value, forKey: Key(name)) }
    try members.encode(type, forKey: Key("type"))
    try members.encode(title, forKey: Key("title"))
    try members.encode(problem.kind.status, forKey: Key("status"))
    try members.encode(detail, forKey: Key("detail"))
    try members.encode(instance, forKey: Key("instance"))
    if !errors.isEmpty {
      try members.encode(errors.map { ["field": $0.field, "detail": $0.detail] }, forKey: Key("errors"))
    }
  }
}

extension Visit {
  /// The answer to a request that met a problem: a page for people, `application/problem+json` for programs.
  func answer(_ problem: Problem) -> Answer {
    let key = "web.problem.\(problem.kind.slug)"
    let known = catalogue.has("\(key).title")
    let title = text(known ? "\(key).title" : "web.problem.internal-error.title", problem.arguments)
    let detail = text(known ? "\(key).detail" : "web.problem.internal-error.detail", problem.arguments)
    let document = ProblemDocument(
      problem: problem, title: title, detail: detail, type: cities.city.origin.url("/problems/\(problem.kind.slug)"),
      instance: requestID,
      errors: problem.fields.map { ($0.name, text("web.field.\($0.code)", $0.arguments)) })
    var answer: Answer
    if wantsJSON {
      answer = .json(document).header(.contentType, "application/problem+json")
    } else {
      answer = .page(
        Page(
          "web.problem", title: title,
          [
            "detail": detail, "status": "\(problem.kind.status)", "requestID": requestID,
            "hasErrors": !document.errors.isEmpty, "isNotSignedIn": problem.kind == .notSignedIn,
            "errors": document.errors.map { ["field": $0.field, "detail": $0.detail] },
          ]))
    }
    answer.status = .init(code: problem.kind.status)
    if problem.kind == .notSignedIn { answer = answer.header(.wwwAuthenticate, "Bearer") }
    if let seconds = problem.retryAfter { answer = answer.header(.retryAfter, "\(seconds)") }
    return answer
  }
}
