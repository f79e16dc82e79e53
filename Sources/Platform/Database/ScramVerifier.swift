import Crypto
import Foundation

/// What the server keeps of a password (RFC 5803, with SCRAM-SHA-256 of RFC 7677). Made here, so that the password itself
/// is in no statement and no log of the server.
enum ScramVerifier {
  /// RFC 7677 §4 asks for 4,096 at least.
  static let iterations = 4_096

  /// - Parameter password: ASCII only: others would have to be normalised (RFC 4013) first.
  static func make(password: String, salt: [UInt8]) -> String {
    precondition(password.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "a role's password is printable ASCII")
    let key = SymmetricKey(data: Data(password.utf8))
    var block = Data(HMAC<SHA256>.authenticationCode(for: Data(salt) + Data([0, 0, 0, 1]), using: key))
    var salted = Array(block)
    for _ in 1..<iterations {
      block = Data(HMAC<SHA256>.authenticationCode(for: block, using: key))
      for (index, byte) in block.enumerated() { salted[index] ^= byte }
    }
    let saltedKey = SymmetricKey(data: salted)
    let clientKey = Data(HMAC<SHA256>.authenticationCode(for: Data("Client Key".utf8), using: saltedKey))
    let storedKey = Data(SHA256.hash(data: clientKey))
    let serverKey = Data(HMAC<SHA256>.authenticationCode(for: Data("Server Key".utf8), using: saltedKey))
    return "SCRAM-SHA-256$\(iterations):\(Data(salt).base64EncodedString())"
      + "$\(storedKey.base64EncodedString()):\(serverKey.base64EncodedString())"
  }

  static func make(password: String) -> String {
    make(password: password, salt: (0..<16).map { _ in UInt8.random(in: .min ... .max) })
  }
}
