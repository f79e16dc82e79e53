import Foundation
import Kit
import Web

/// One xAPI statement as it is stored (IEEE 9274.1.1, “xAPI 2.0”): what filters ask for, and the exact document.
struct Statement: Sendable {
  /// The tenant's id, or the id of the city's own site.
  let tenant: String
  let id: UUID
  let person: PersonID
  let verb: String
  let object: String
  /// When it happened.
  let timestamp: Instant
  let success: Bool?
  /// From 0 to 1.
  let score: Double?
  let payload: String
}

extension Statement {
  /// The version this store writes.
  static let version = "2.0.0"

  /// Completes what a module said with the parts the platform knows: actor, authority, origin, times.
  ///
  /// - Parameters:
  ///   - site: where it happened; its origin makes the object's path an IRI.
  ///   - stored: when it came to the store.
  /// - Throws: ``InvalidActivity`` when the statement would not be valid.
  init(
    _ activity: RecordedActivity, id: UUID, occurred: Instant, stored: Instant, site: Site, issuer: Origin, city: Origin
  ) throws {
    let object = site.origin.url(activity.objectPath)
    guard activity.objectPath.hasPrefix("/"), IRI.isValid(object) else { throw InvalidActivity(member: "objectPath") }

    var names: [String: JSONValue] = ["ko": .string(activity.objectName.ko)]
    if let english = activity.objectName.en { names["en"] = .string(english) }
    // The context's revision and platform go with activities only (§4.2.2), which our objects are.
    var context: [String: JSONValue] = ["platform": .string(site.id)]
    if !activity.extensions.isEmpty {
      let pairs = try activity.extensions.map { key, value in (try Statement.extensionIRI(key, city: city), value) }
      context["extensions"] = .object(Dictionary(pairs) { _, last in last })
    }
    var result: [String: JSONValue] = [:]
    if let success = activity.success { result["success"] = .bool(success) }
    if let score = activity.score { result["score"] = ["scaled": .number(score)] }

    var document: [String: JSONValue] = [
      "id": .string(id.text),
      "actor": Statement.agent(homePage: issuer, name: activity.person.description),
      "verb": ["id": .string(activity.verb), "display": Vocabulary.display(of: activity.verb)],
      "object": [
        "objectType": "Activity", "id": .string(object),
        "definition": ["name": .object(names), "type": .string(activity.objectType)],
      ],
      "context": .object(context),
      "timestamp": .string(occurred.statementText),
      "stored": .string(stored.statementText),
      "authority": Statement.agent(homePage: city, name: site.id),
      "version": .string(Statement.version),
    ]
    if !result.isEmpty { document["result"] = .object(result) }

    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    self.init(
      tenant: site.id, id: id, person: activity.person, verb: activity.verb, object: object, timestamp: occurred,
      success: activity.success, score: activity.score,
      payload: String(decoding: try encoder.encode(JSONValue.object(document)), as: UTF8.self))
  }

  private static func agent(homePage: Origin, name: String) -> JSONValue {
    ["objectType": "Agent", "account": ["homePage": .string(homePage.url()), "name": .string(name)]]
  }

  /// Extensions are keyed by IRIs (§4.2.7). A module's plain word becomes one under the city's origin.
  private static func extensionIRI(_ key: String, city: Origin) throws -> String {
    if IRI.isValid(key) { return key }
    let iri = city.url("/xapi/extensions/\(key)")
    guard !key.isEmpty, IRI.isValid(iri) else { throw InvalidActivity(member: "extensions") }
    return iri
  }
}

/// What a module's event `activity.recorded` says.
struct RecordedActivity: Sendable {
  static let eventType = "activity.recorded"

  var person: PersonID
  var verb: String
  var objectType: String
  var objectPath: String
  var objectName: LocalizedText
  var success: Bool?
  var score: Double?
  var extensions: [String: JSONValue]

  /// Reads an event's payload.
  init(_ payload: JSONValue) throws(InvalidActivity) {
    guard let person = payload["person"]?.string.flatMap(PersonID.init) else { throw InvalidActivity(member: "person") }
    self.person = person
    guard let verb = payload["verb"]?.string, IRI.isValid(verb) else { throw InvalidActivity(member: "verb") }
    self.verb = verb
    guard let type = payload["objectType"]?.string, IRI.isValid(type) else { throw InvalidActivity(member: "objectType") }
    objectType = type
    guard let path = payload["objectPath"]?.string else { throw InvalidActivity(member: "objectPath") }
    objectPath = path
    guard let name = payload["objectName"]?["ko"]?.string else { throw InvalidActivity(member: "objectName") }
    objectName = LocalizedText(ko: name, en: payload["objectName"]?["en"]?.string)
    switch payload["success"] {
    case nil, .null: success = nil
    case .bool(let value): success = value
    default: throw InvalidActivity(member: "success")
    }
    switch payload["score"] {
    case nil, .null: score = nil
    // jsonb gives 1.0 back as the integer it is.
    case .integer(let value) where (0...1).contains(value): score = Double(value)
    case .number(let value) where (0...1).contains(value): score = value
    default: throw InvalidActivity(member: "score")
    }
    switch payload["extensions"] {
    case nil, .null: extensions = [:]
    case .object(let members): extensions = members
    default: throw InvalidActivity(member: "extensions")
    }
  }
}

/// An event that can't become a valid statement: its module has a mistake.
struct InvalidActivity: Error, Equatable, CustomStringConvertible {
  /// The member at fault. Never its value.
  let member: String
  var description: String { "activity.recorded: \(member) is missing or invalid" }
}

enum IRI {
  /// Whether a text is an absolute IRI by form (RFC 3987 §2.2): a scheme, a colon, and nothing that must be escaped.
  static func isValid(_ text: String) -> Bool {
    guard let colon = text.unicodeScalars.firstIndex(of: ":") else { return false }
    let scheme = text.unicodeScalars[..<colon]
    guard let first = scheme.first, first.isASCII, first.properties.isAlphabetic,
      scheme.allSatisfy({
        $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "+-.".unicodeScalars.contains($0))
      })
    else { return false }
    let rest = text.unicodeScalars[text.unicodeScalars.index(after: colon)...]
    return !rest.isEmpty
      && rest.allSatisfy {
        $0.value > 0x20 && !(0x7f...0x9f).contains($0.value) && !$0.properties.isWhitespace
          && !"<>\"{}|\\^`".unicodeScalars.contains($0)
      }
  }
}

extension Instant {
  /// RFC 3339 in UTC with all the digits we keep, so that the document and the column say the same time.
  var statementText: String {
    let text = rfc3339
    let below = ((microseconds % 1_000) + 1_000) % 1_000
    guard below != 0 else { return text }
    let digits = String(below)
    return text.dropLast() + String(repeating: "0", count: 3 - digits.count) + digits + "Z"
  }
}
