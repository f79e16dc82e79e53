import Database
import Foundation
import Kit
import Web

/// Which questions a list shall show, and from where on.
struct QuestionFilter: Hashable, Sendable {
  static let page = 20

  var order: QuestionOrder = .newest
  var category: Category?
  var tag: String?
  var search = SearchWords("")
  /// One person's own; never from a query string.
  var author: PersonID?
  var after: QuestionCursor?

  init() {}

  /// Reads a query string.
  /// - Throws: ``Kit/Problem`` `invalid-input` for values that mean nothing.
  init(_ query: (String) -> String?) throws(Problem) {
    var refused: [Problem.Field] = []
    func read<Value>(_ name: String, _ allowed: [String], _ value: (String) -> Value?) -> Value? {
      guard let text = query(name), !text.isEmpty else { return nil }
      if let value = value(text) { return value }
      refused.append(Problem.Field(name, "choice", ["allowed": allowed.joined(separator: ", ")]))
      return nil
    }
    order = read("order", QuestionOrder.allCases.map(\.rawValue)) { QuestionOrder(rawValue: $0) } ?? .newest
    category = read("category", Category.allCases.map(\.rawValue)) { Category(rawValue: $0) }
    tag = read("tag", [Hashtag.form]) { Hashtag.normal($0) }
    search = SearchWords(query("q") ?? "")
    after = read("after", ["next"]) { QuestionCursor($0) }
    if let after, after.order != order { refused.append(Problem.Field("after", "choice", ["allowed": "next"])) }
    guard refused.isEmpty else { throw Problem(.invalidInput, fields: refused) }
  }

  /// The address of this list.
  var url: String {
    var pairs: [(String, String)] = []
    if order != .newest { pairs.append(("order", order.rawValue)) }
    if let category { pairs.append(("category", category.rawValue)) }
    if let tag { pairs.append(("tag", tag)) }
    if !search.isEmpty { pairs.append(("q", search.text)) }
    if let after { pairs.append(("after", after.text)) }
    let path = author != nil ? "/me/questions" : search.isEmpty ? "/questions" : "/search"
    return pairs.isEmpty ? path : path + "?" + pairs.map { "\($0)=\(Renderer.encode($1))" }.joined(separator: "&")
  }

  /// Another list: its first page with one thing changed.
  func with(_ change: (inout QuestionFilter) -> Void) -> QuestionFilter {
    var copy = self
    copy.after = nil
    change(&copy)
    return copy
  }

  /// One row more than a page has, to know whether there is a next one.
  func statement(in schema: Schema) -> SQL {
    var sql: SQL = "SELECT \(sql: Question.columnsOfList) FROM \(schema).question q WHERE q.state <> 'deleted'"
    if let category { sql += " AND q.category = \(category)" }
    if let author { sql += " AND q.author = \(author)" }
    if let tag { sql += " AND q.hashtags @> \([tag])" }
    for pattern in search.patterns { sql += " AND q.search LIKE lower(\(pattern))" }
    if let after {
      switch order {
      case .newest: sql += " AND (q.created_at, q.id) < (\(after.created), \(after.id))"
      case .popular:
        sql += " AND (q.popularity, q.created_at, q.id) < (\(Int32(after.rank)), \(after.created), \(after.id))"
      case .urgent: sql += " AND (q.pressing, q.created_at, q.id) < (\(after.rank == 1), \(after.created), \(after.id))"
      }
    }
    switch order {
    case .newest: sql += " ORDER BY q.created_at DESC, q.id DESC"
    case .popular: sql += " ORDER BY q.popularity DESC, q.created_at DESC, q.id DESC"
    case .urgent: sql += " ORDER BY q.pressing DESC, q.created_at DESC, q.id DESC"
    }
    sql += " LIMIT \(QuestionFilter.page + 1)"
    return sql
  }
}
