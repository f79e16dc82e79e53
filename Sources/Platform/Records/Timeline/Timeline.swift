import Database
public import Foundation
public import Kit
import Web

/// Where a timeline goes on: at what is older than this statement.
public struct TimelineCursor: Hashable, Sendable, CustomStringConvertible {
  public let timestamp: Instant
  public let id: UUID

  public init(timestamp: Instant, id: UUID) {
    self.timestamp = timestamp
    self.id = id
  }

  /// Reads what ``description`` gave out.
  public init?(_ text: String) {
    guard let point = text.firstIndex(of: "."), let microseconds = Int64(text[..<point]),
      // The years that both PostgreSQL and this product can name.
      (0..<253_402_300_800_000_000).contains(microseconds), let id = UUID(uuidString: String(text[text.index(after: point)...]))
    else { return nil }
    self.init(timestamp: Instant(microseconds: microseconds), id: id)
  }

  /// Microseconds and id: safe in a URL.
  public var description: String { "\(timestamp.microseconds).\(id.text)" }
}

/// One act of a person, whatever the reader's language.
public struct TimelineEntry: Sendable {
  public let id: UUID
  /// The tenant's id, or the id of the city's own site.
  public let tenant: String
  /// An IRI.
  public let verb: String
  /// The object's IRI, which is its address.
  public let object: String
  public let objectType: String
  public let objectName: LocalizedText
  public let timestamp: Instant
  public let stored: Instant
  public let success: Bool?
  /// From 0 to 1.
  public let score: Double?
}

/// A stretch of a timeline, newest first.
public struct Timeline: Sendable {
  public let entries: [TimelineEntry]
  /// `nil` at the end.
  public let next: TimelineCursor?
}

extension RecordsService {
  /// What a person did in all tenants, by statement time, then id, newest first.
  /// - Parameters:
  ///   - cursor: ``Timeline/next`` of the stretch before.
  ///   - limit: entries at most.
  public func timeline(_ person: PersonID, before cursor: TimelineCursor? = nil, limit: Int = 20) async throws -> Timeline {
    // One more than asked for tells whether there is more.
    let rows = try await store.statements(of: person, before: cursor, limit: limit + 1)
    let entries = try rows.prefix(limit).map { row in try TimelineEntry(row) }
    let next = rows.count > limit ? entries.last.map { TimelineCursor(timestamp: $0.timestamp, id: $0.id) } : nil
    return Timeline(entries: entries, next: next)
  }
}

extension TimelineEntry {
  init(_ row: Row) throws {
    object = try row.get("object")
    let payload = Data(try row.get("payload", as: String.self).utf8)
    let definition = try JSONDecoder().decode(StatementObject.self, from: payload).object.definition
    objectType = definition?.type ?? ""
    objectName = LocalizedText(languageMap: definition?.name ?? [:]) ?? LocalizedText(ko: object)
    id = try row.get("id")
    tenant = try row.get("tenant")
    verb = try row.get("verb")
    timestamp = try row.get("timestamp")
    stored = try row.get("stored")
    success = try row.getIfPresent("success")
    score = try row.getIfPresent("score")
  }
}

/// The part of a statement that a timeline shows.
private struct StatementObject: Decodable {
  struct Object: Decodable {
    struct Definition: Decodable {
      let name: [String: String]?
      let type: String?
    }
    let definition: Definition?
  }
  let object: Object
}

extension LocalizedText {
  /// Reads an xAPI language map; a language of neither kind stands in where there is no other.
  init?(languageMap map: [String: String]) {
    func text(_ language: Language) -> String? {
      map[language.rawValue] ?? map.keys.sorted().first { $0.hasPrefix("\(language.rawValue)-") }.flatMap { map[$0] }
    }
    guard let first = text(.ko) ?? text(.en) ?? map.keys.sorted().first.flatMap({ map[$0] }) else { return nil }
    self.init(ko: first, en: text(.en))
  }
}

/// An entry for a reader: one sentence in her language.
struct TimelineSentence: Sendable {
  /// What stands before and after the object's name, which is a link.
  let before: String
  let object: String
  let after: String
  var text: String { before + object + after }

  /// By the verb's word, and by success where the verb tells it: `records.did.answered.right`; by the object's type first,
  /// where there are words for it: `records.did.answered.flashcard.right`.
  init(_ entry: TimelineEntry, tenant: String, catalogue: Catalogue, language: Language) {
    let verb = "records.did.\(Vocabulary.slug(of: entry.verb))"
    var candidates = ["\(verb).plain", "records.did.other.plain"]
    if let success = entry.success { candidates.insert("\(verb).\(success ? "right" : "wrong")", at: 0) }
    // Of some things one says it in words of their own: a card is remembered, not solved.
    let ofType = candidates.filter { $0.hasPrefix("\(verb).") }.map {
      $0.replacing("\(verb).", with: "\(verb).\(Vocabulary.slug(of: entry.objectType)).")
    }
    candidates.insert(contentsOf: ofType, at: 0)
    let key = candidates.first { catalogue.has($0) } ?? candidates[candidates.count - 1]
    // Split before anything is filled in: a tenant's or object's name may look like a placeholder.
    let template = catalogue.text(key, in: language)
    let parts = template.components(separatedBy: "{object}").map { $0.replacingOccurrences(of: "{tenant}", with: tenant) }
    before = parts[0]
    object = entry.objectName(language)
    after = parts.dropFirst().joined()
  }
}
