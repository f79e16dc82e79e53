public import Foundation
public import HTTPTypes
public import Kit

/// What a handler gives back. The site turns it into a response: a page for people, JSON for programs.
public struct Answer: Sendable {
  enum Body: Sendable {
    case page(@Sendable () -> Page, json: (any Encodable & Sendable)?)
    case json(any Encodable & Sendable)
    case bytes(Data, contentType: String)
    case stream(contentType: String, length: Int?, @Sendable (inout AnswerWriter) async throws -> Void)
    case none
  }

  var status: HTTPResponse.Status
  var headers: HTTPFields
  var body: Body

  /// A page for people; for programs the JSON of `json`.
  public static func page(
    _ page: Page, json: (any Encodable & Sendable)? = nil, status: HTTPResponse.Status = .ok
  ) -> Answer {
    Answer(status: status, headers: [:], body: .page({ page }, json: json))
  }

  /// The same with a page that is made when a person asks only: a program's JSON does not pay for its model.
  public static func page(
    json: any Encodable & Sendable, status: HTTPResponse.Status = .ok, _ page: @escaping @Sendable () -> Page
  ) -> Answer {
    Answer(status: status, headers: [:], body: .page(page, json: json))
  }

  public static func json(_ value: any Encodable & Sendable, status: HTTPResponse.Status = .ok) -> Answer {
    Answer(status: status, headers: [:], body: .json(value))
  }

  public static func bytes(_ data: Data, contentType: String, status: HTTPResponse.Status = .ok) -> Answer {
    Answer(status: status, headers: [:], body: .bytes(data, contentType: contentType))
  }

  /// A body that is made while it is sent. The status is out by then: what throws in `body` cuts the answer short, which the
  /// client notices, so whatever can be refused is refused before.
  ///
  /// - Parameter length: in bytes, when it is known.
  public static func stream(
    contentType: String, length: Int? = nil, _ body: @escaping @Sendable (inout AnswerWriter) async throws -> Void
  ) -> Answer {
    Answer(status: .ok, headers: [:], body: .stream(contentType: contentType, length: length, body))
  }

  public static func text(_ text: String, contentType: String = "text/plain; charset=utf-8") -> Answer {
    bytes(Data(text.utf8), contentType: contentType)
  }

  /// 303 See Other: what was posted is done, look there. A path of this site, or an absolute URL the caller has checked.
  public static func redirect(_ location: String) -> Answer {
    Answer(status: .seeOther, headers: [.location: location], body: .none)
  }

  /// 308 Permanent Redirect: it is there for good, and a form that was open meanwhile may be sent there (RFC 9110 §15.4.9).
  public static func moved(to location: String) -> Answer {
    Answer(status: .permanentRedirect, headers: [.location: location], body: .none)
  }

  public static let noContent = Answer(status: .noContent, headers: [:], body: .none)

  public func header(_ name: HTTPField.Name, _ value: String) -> Answer {
    var copy = self
    copy.headers[name] = value
    return copy
  }
}

/// A page: a template and the values in it.
public struct Page: Sendable {
  /// `namespace.name` of a template file.
  public let template: String
  public let title: String
  public let model: [String: any Sendable]
  /// Origins a form of this page may end at, beside its own and the issuer's (CSP `form-action` follows redirects).
  public var formTargets: [String] = []
  /// The fields of the form and what was wrong with them.
  public var notice: String?

  public init(_ template: String, title: String, _ model: [String: any Sendable] = [:]) {
    self.template = template
    self.title = title
    self.model = model
  }

  public func allowingForms(to origins: [String]) -> Page {
    var copy = self
    copy.formTargets = origins
    return copy
  }
}

/// A form shown again with what was typed and what was wrong, field by field.
public struct FormState: Sendable {
  private var model: [String: any Sendable] = [:]

  /// - Parameters:
  ///   - names: the fields of the form.
  ///   - input: what was typed; `nil` for a fresh form.
  ///   - initial: values of a fresh form.
  public init(
    _ names: [String], input: Input? = nil, problem: Problem? = nil, initial: [String: String] = [:], visit: Visit
  ) {
    for name in names {
      var field: [String: any Sendable] = ["value": input?.typed(name) ?? initial[name] ?? ""]
      if let refused = problem?.fields.first(where: { $0.name == name }) {
        field["error"] = FormState.words(refused, visit)
      }
      field["is"] = [(field["value"] as? String) ?? "": true]
      model[name] = field
    }
    if let problem {
      model["refused"] = problem.fields.map { field -> [String: any Sendable] in
        ["name": field.name, "message": FormState.words(field, visit)]
      }
    }
  }

  /// Why a field was refused; whole numbers are written as the reader writes them.
  private static func words(_ field: Problem.Field, _ visit: Visit) -> String {
    visit.text("web.field.\(field.code)", field.arguments.mapValues { Int64($0).map(visit.format.number) ?? $0 })
  }

  /// `{{field.title.value}}`, `{{field.title.error}}`, and `{{#field.urgency.is.urgent}}` for choices.
  public var fields: [String: any Sendable] { model }
}
