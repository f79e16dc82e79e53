import Kit
import TenantKit
import Web

/// What a person gave as her answer.
enum GivenAnswer: Sendable, Equatable {
  /// From 0.
  case choice(Int)
  case number(ExactNumber, typed: String)
  /// She did not know.
  case skipped

  /// Reads the fields `answer` and `skip`; what can't be taken is refused on the input and reads as `nil`.
  static func read(_ input: inout Input, for item: ContentItem) -> GivenAnswer? {
    switch input.values["skip"] {
    case .bool(true), .string("1"), .string("true"): return .skipped
    default: break
    }
    guard input.has("answer") else {
      input.refuse("answer", "required")
      return nil
    }
    switch item.kind {
    case .choice:
      return input.int("answer", in: 0...max(0, item.choices.count - 1)).map { .choice($0) }
    case .number:
      let typed = input.typed("answer").trimmed
      guard typed.count <= 40, let number = ExactNumber(typed) else {
        input.refuse("answer", "number")
        return nil
      }
      return .number(number, typed: typed)
    }
  }

  /// Reads what is kept of an answer.
  init?(stored: String?, for item: ContentItem) {
    guard let stored else {
      self = .skipped
      return
    }
    switch item.kind {
    case .choice:
      guard let choice = Int(stored) else { return nil }
      self = .choice(choice)
    case .number:
      guard let number = ExactNumber(stored) else { return nil }
      self = .number(number, typed: stored)
    }
  }

  /// What is kept.
  var stored: String? {
    switch self {
    case .choice(let choice): "\(choice)"
    case .number(_, let typed): typed
    case .skipped: nil
    }
  }

  func isRight(for item: ContentItem) -> Bool {
    switch self {
    case .choice(let choice): Int(item.answer) == choice
    case .number(let number, _): ExactNumber(item.answer) == number
    case .skipped: false
    }
  }

  /// The same answer, however it was typed.
  static func == (a: GivenAnswer, b: GivenAnswer) -> Bool {
    switch (a, b) {
    case (.choice(let a), .choice(let b)): a == b
    case (.number(let a, _), .number(let b, _)): a == b
    case (.skipped, .skipped): true
    default: false
    }
  }
}
