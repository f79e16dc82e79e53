import Kit
import Web

/// What a person without an e-mail signs in by, in its normal form: trimmed, in lower case.
struct SignInName: Hashable, Sendable {
  static let length = 4...30

  let text: String

  /// `nil` for anything but 4 to 30 of a–z, 0–9, dot, hyphen and underscore, a letter first. So no name is an e-mail.
  init?(_ raw: String) {
    let text = raw.trimmed.lowercased()
    let bytes = text.utf8
    guard SignInName.length.contains(bytes.count), let first = bytes.first, SignInName.isLetter(first),
      bytes.allSatisfy({ SignInName.isLetter($0) || (48...57).contains($0) || "._-".utf8.contains($0) })
    else { return nil }
    self.text = text
  }

  private static func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte) }

  /// Reads and checks the field `signInName`.
  static func read(_ input: inout Input) -> SignInName? {
    let typed = input.text("signInName", length: length)
    guard !typed.isEmpty, !input.fields.contains(where: { $0.name == "signInName" }) else { return nil }
    let name = SignInName(typed)
    if name == nil { input.refuse("signInName", "signInName") }
    return name
  }
}
