import Foundation
import Kit
import Web

/// An e-mail address in the form it is looked up by: trimmed, in lower case. Only what can be mailed without SMTPUTF8.
struct EmailAddress: Hashable, Sendable {
  let text: String

  /// `nil` for what no mail server would take (RFC 5321 §4.1.2, without quoted local parts and address literals).
  init?(_ raw: String) {
    let text = raw.trimmed.lowercased()
    let bytes = Array(text.utf8)
    guard bytes.count <= 254, bytes.filter({ $0 == UInt8(ascii: "@") }).count == 1,
      let at = bytes.firstIndex(of: UInt8(ascii: "@"))
    else { return nil }
    let (local, domain) = (bytes[..<at], bytes[(at + 1)...])
    guard (1...64).contains(local.count), EmailAddress.isDotted(local, EmailAddress.isAtomText),
      EmailAddress.isDotted(domain, EmailAddress.isHostText), domain.contains(UInt8(ascii: ".")),
      domain.split(separator: UInt8(ascii: ".")).allSatisfy({ $0.count <= 63 && $0.first != 45 && $0.last != 45 })
    else { return nil }
    self.text = text
  }

  private static func isDotted(_ bytes: ArraySlice<UInt8>, _ allowed: (UInt8) -> Bool) -> Bool {
    bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { part in
      !part.isEmpty && part.allSatisfy(allowed)
    }
  }

  private static func isAtomText(_ byte: UInt8) -> Bool {
    isHostText(byte) || "!#$%&'*+/=?^_`{|}~".utf8.contains(byte)
  }

  private static func isHostText(_ byte: UInt8) -> Bool {
    (97...122).contains(byte) || (48...57).contains(byte) || byte == UInt8(ascii: "-")
  }

  /// Reads and checks the field `email`.
  static func read(_ input: inout Input) -> EmailAddress? {
    let typed = input.text("email", length: 1...254)
    guard !typed.isEmpty, !input.fields.contains(where: { $0.name == "email" }) else { return nil }
    let address = EmailAddress(typed)
    if address == nil { input.refuse("email", "email") }
    return address
  }
}
