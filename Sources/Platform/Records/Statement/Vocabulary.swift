import Foundation
import Kit

/// The verbs modules use, as a record shows them to whoever reads it elsewhere.
enum Vocabulary {
  static let answered = "http://adlnet.gov/expapi/verbs/answered"
  static let completed = "http://adlnet.gov/expapi/verbs/completed"

  /// The last word of a verb's IRI: `answered`, `voted-up`. Texts are found by it.
  static func slug(of verb: String) -> String {
    String(verb.split { $0 == "/" || $0 == "#" }.last ?? "")
  }

  /// The verb's `display`, a language map (IEEE 9274.1.1 §4.2.3). Of a verb not known here, its own word.
  static func display(of verb: String) -> JSONValue {
    let slug = slug(of: verb)
    guard let words = words[slug] else { return ["en": .string(slug.replacing("-", with: " "))] }
    return ["ko": .string(words.ko), "en": .string(words.en)]
  }

  private static let words: [String: (ko: String, en: String)] = [
    "answered": ("답했어요", "answered"),
    "asked": ("질문했어요", "asked"),
    "attempted": ("시도했어요", "attempted"),
    "mastered": ("완전히 익혔어요", "mastered"),
    "experienced": ("살펴봤어요", "experienced"),
    "progressed": ("이어서 했어요", "progressed"),
    "commented": ("댓글을 남겼어요", "commented"),
    "completed": ("끝냈어요", "completed"),
    "passed": ("통과했어요", "passed"),
    "failed": ("통과하지 못했어요", "failed"),
    "initialized": ("시작했어요", "initialized"),
    "terminated": ("마쳤어요", "terminated"),
    "scored": ("점수를 받았어요", "scored"),
    "satisfied": ("조건을 채웠어요", "satisfied"),
    "waived": ("면제받았어요", "waived"),
    "abandoned": ("그만뒀어요", "abandoned"),
    "accept": ("채택했어요", "accepted"),
    "voted-up": ("추천했어요", "voted up"),
    "voted-down": ("반대했어요", "voted down"),
    "replied": ("답글을 달았어요", "replied"),
    "rated": ("평가했어요", "rated"),
    "played": ("재생했어요", "played"),
    "paused": ("멈췄어요", "paused"),
    "seeked": ("건너뛰었어요", "seeked"),
    "watched": ("봤어요", "watched"),
  ]
}
