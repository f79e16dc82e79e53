import Crypto
import Foundation
import Kit

/// The signature of a webhook: `t=<unix seconds>,v1=<hex HMAC-SHA256(secret, "<t>.<body>")>` (RFC 2104). There may be several
/// `v1`, while a secret is being changed.
struct WebhookSignature: Sendable {
  /// How far the time of signing may be from ours, either way: what was recorded can't be played back later.
  static let tolerance = Duration.minutes(5)

  private let key: SymmetricKey

  init(secret: String) { key = SymmetricKey(data: Data(secret.utf8)) }

  func isValid(_ header: String, of body: Data, now: Instant) -> Bool {
    var time: String?
    var codes: [[UInt8]] = []
    for part in header.utf8.count <= 1_000 ? header.split(separator: ",") : [] {
      let pair = part.split(separator: "=", maxSplits: 1).map(\.trimmed)
      guard pair.count == 2 else { return false }
      switch pair[0] {
      case "t":
        guard time == nil else { return false }
        time = pair[1]
      case "v1": if let code = Self.bytes(hex: pair[1]) { codes.append(code) }
      default: break  // A scheme of later.
      }
    }
    guard let time, let seconds = Int64(time), (0...99_999_999_999).contains(seconds) else { return false }
    let age = now - Instant(seconds: seconds)
    guard age <= Self.tolerance, age >= .zero - Self.tolerance else { return false }
    let signed = Data("\(time).".utf8) + body
    // Compares in constant time.
    return codes.contains { HMAC<SHA256>.isValidAuthenticationCode($0, authenticating: signed, using: key) }
  }

  func header(for body: Data, at instant: Instant) -> String {
    let code = HMAC<SHA256>.authenticationCode(for: Data("\(instant.seconds).".utf8) + body, using: key)
    let digits = Array("0123456789abcdef".utf8)
    return "t=\(instant.seconds),v1="
      + String(decoding: code.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  private static func bytes(hex: String) -> [UInt8]? {
    let digits = Array(hex.utf8)
    guard digits.count == 64 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: 64, by: 2) {
      guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 48...57: digit - 48
    case 97...102: digit - 87
    case 65...70: digit - 55
    default: nil
    }
  }
}
