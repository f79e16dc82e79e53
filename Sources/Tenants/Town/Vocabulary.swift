import Foundation
import Kit
import TenantKit

/// The verbs and object types of a town's activities (xAPI; `records-acceptance.md`, “Vocabulary”).
enum Vocabulary {
  static let asked = "http://adlnet.gov/expapi/verbs/asked"
  static let replied = "http://id.tincanapi.com/verb/replied"
  static let accepted = "http://activitystrea.ms/schema/1.0/accept"
  static let liked = "http://id.tincanapi.com/verb/voted-up"

  static let question = "http://adlnet.gov/expapi/activities/question"
  static let topic = "http://id.tincanapi.com/activitytype/forum-topic"
  static let reply = "http://id.tincanapi.com/activitytype/forum-reply"
}

// What a record calls a question and an answer. Not by their own words: a person's words stay here, where she can delete
// them, and records and events carry ids and figures only.
extension Category {
  var questionName: LocalizedText {
    LocalizedText(ko: "\(title(.ko)) 질문", en: "A question: \(title(.en).lowercased())")
  }
  var answerName: LocalizedText {
    LocalizedText(ko: "\(title(.ko)) 질문의 답변", en: "An answer: \(title(.en).lowercased())")
  }
}

extension UUID {
  /// A UUID version 8 (RFC 9562 §5.8) made of a name by FNV-1a with 128 bits: the same name, the same id. The names are
  /// ours, so nobody gains by finding two of one id.
  static func named(_ name: String) -> UUID {
    var hash: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
    for byte in name.utf8 { hash = (hash ^ UInt128(byte)) &* 0x0000_0000_0100_0000_0000_0000_0000_013B }
    var bytes: uuid_t = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    withUnsafeMutableBytes(of: &bytes) { bytes in
      for index in 0..<16 { bytes[index] = UInt8(truncatingIfNeeded: hash >> (120 - 8 * index)) }
      bytes[6] = 0x80 | (bytes[6] & 0x0F)
      bytes[8] = 0x80 | (bytes[8] & 0x3F)
    }
    return UUID(uuid: bytes)
  }
}

extension Town {
  /// The id of something that one thing here causes once: an event, an activity.
  func made(_ what: String, _ id: UUID, _ person: PersonID? = nil) -> UUID {
    .named("\(tenant.id)/\(what)/\(id.text)/\(person?.uuid.text ?? "")")
  }
}
