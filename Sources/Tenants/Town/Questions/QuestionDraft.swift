import Foundation
import Kit
import Web

/// What a person wants to ask, or what her question shall become: checked.
struct QuestionDraft: Hashable, Sendable {
  static let titleLength = 5...100
  static let bodyLength = 1...2_000
  /// The fields of the form, in its order.
  static let fields = ["title", "body", "category", "hashtags", "placeName", "latitude", "longitude", "urgency"]

  let title: String
  let body: String
  let category: Category
  let hashtags: [String]
  let place: Place?
  let urgency: Urgency

  /// - Throws: ``Kit/Problem`` `invalid-input` with every field that can't be taken.
  init(_ given: Input, area: Area) throws(Problem) {
    var input = Input(Place.flatten(given.values))
    title = input.text("title", length: QuestionDraft.titleLength).oneLine
    body = input.text("body", length: QuestionDraft.bodyLength).unixLines
    category = input.choice("category", Category.self) ?? .etc
    hashtags = Hashtag.read(&input, "hashtags")
    place = Place.read(&input, in: area)
    urgency = input.choice("urgency", Urgency.self, default: .normal) ?? .normal
    try input.check()
  }

  /// All of it in one text: what a repeated request is compared by.
  var content: String {
    let parts: [String] = [
      title, body, category.rawValue, hashtags.joined(separator: " "), place?.name ?? "", place?.coordinates?.text ?? "",
      urgency.rawValue,
    ]
    return parts.joined(separator: "\u{1F}")
  }
}

extension String {
  /// Line ends as `\n` alone: forms send CRLF (HTML, “constructing the entry list”).
  var unixLines: String {
    utf8.contains(UInt8(ascii: "\r")) ? replacing("\r\n", with: "\n").replacing("\r", with: "\n") : self
  }
  /// Line ends and tabs as spaces.
  var oneLine: String { String(map { $0.isNewline || $0 == "\t" ? " " : $0 }) }
}
