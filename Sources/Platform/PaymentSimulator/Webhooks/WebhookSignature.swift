import Crypto
import Foundation

/// The header `Payment-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256(secret, "<t>.<body>")>` (RFC 2104, FIPS 180-4).
/// The time is signed too, so that an old message can't be played again later.
enum WebhookSignature {
  static let header = "Payment-Signature"

  static func value(_ body: Data, secret: String, at seconds: Int64) -> String {
    let signed = Data("\(seconds).".utf8) + body
    let code = HMAC<SHA256>.authenticationCode(for: signed, using: SymmetricKey(data: Data(secret.utf8)))
    return "t=\(seconds),v1=\(code.hex)"
  }
}
