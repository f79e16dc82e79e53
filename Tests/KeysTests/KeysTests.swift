import Crypto
import Foundation
import Keys
import Testing

@Suite("Master key") struct MasterKeyTests {
  private let master = MasterKey(bytes: Array(0..<32))

  @Test("each purpose has a key of its own, the same at every start")
  func purposes() {
    #expect(master.key("seal:email") == MasterKey(bytes: Array(0..<32)).key("seal:email"))
    #expect(master.key("seal:email") != master.key("find:email"))
    #expect(master.key("seal:email") != MasterKey(bytes: Array(1..<33)).key("seal:email"))
    #expect(master.key("csrf").bitCount == 256)
    #expect(master.password("role:town") != master.password("role:prep"))
    #expect(master.password("role:town") == master.password("role:town"))
  }

  @Test("keys are derived by HKDF-SHA256, so other programs can derive them too")
  func derivation() {
    let expected = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: SymmetricKey(data: Data(0..<32)), salt: Data(), info: Data("metropolis/csrf".utf8), outputByteCount: 32)
    #expect(master.key("csrf") == expected)
  }

  @Test("a fresh master key is 32 bytes as text, and is read back")
  func generation() throws {
    let text = MasterKey.generate()
    #expect([UInt8](base64URL: text)?.count == 32)
    #expect(text != MasterKey.generate())
    #expect(try #require(MasterKey(text)).key("x") == #require(MasterKey(" \(text)\n")).key("x"))
  }

  @Test("a key is read from base64 and base64url alike")
  func alphabets() throws {
    let bytes = [UInt8](repeating: 0xFB, count: 32)
    let standard = Data(bytes).base64EncodedString()
    #expect(standard.contains("+"))
    #expect(try #require(MasterKey(standard)).key("x") == #require(MasterKey(bytes.base64URL)).key("x"))
  }

  @Test(
    "a text that is too short or no base64 is no key",
    arguments: ["", "short", String(repeating: "A", count: 42), "!" + String(repeating: "A", count: 43)])
  func refused(text: String) {
    #expect(MasterKey(text) == nil)
  }
}

@Suite("Sealed values") struct SealerTests {
  private let sealer = Sealer(MasterKey(bytes: Array(0..<32)).key("seal:email"))

  @Test(
    "what was sealed is opened in its context, Korean and nothing included",
    arguments: ["mina@example.com", "제주 바다 🌊", "", String(repeating: "가", count: 10_000)])
  func roundTrip(text: String) {
    #expect(sealer.open(sealer.seal(text, context: "person 1"), context: "person 1") == text)
  }

  @Test("the same text is sealed to other bytes each time, and none of it shows")
  func randomness() {
    let sealed = sealer.seal("mina@example.com", context: "c")
    #expect(sealed != sealer.seal("mina@example.com", context: "c"))
    #expect(!String(decoding: sealed, as: UTF8.self).contains("mina"))
  }

  @Test("a value moved to another context, or met by another key, does not open")
  func wrongPlace() {
    let sealed = sealer.seal("mina@example.com", context: "person 1")
    #expect(sealer.open(sealed, context: "person 2") == nil)
    #expect(Sealer(MasterKey(bytes: Array(0..<32)).key("other")).open(sealed, context: "person 1") == nil)
  }

  @Test("a value does not open when any of its bytes was changed, or the end is missing")
  func tampered() {
    let sealed = sealer.seal("mina@example.com", context: "c")
    for index in sealed.indices {
      var changed = sealed
      changed[index] ^= 1
      #expect(sealer.open(changed, context: "c") == nil)
    }
    #expect(sealer.open(Array(sealed.dropLast()), context: "c") == nil)
    #expect(sealer.open([], context: "c") == nil)
  }
}

@Suite("Secrets") struct SecretTests {
  @Test("random secrets have the bytes asked for and never repeat")
  func random() {
    let secrets = (0..<100).map { _ in Secret.random(bytes: 16) }
    #expect(Set(secrets).count == 100)
    #expect(secrets.allSatisfy { [UInt8](base64URL: $0)?.count == 16 && $0.utf8.count == 22 })
  }

  @Test("what is kept of a secret is its SHA-256 (FIPS 180-4, “abc”)")
  func digest() {
    let hex = Secret.digest("abc").map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test(
    "secrets are equal when all their bytes are",
    arguments: [
      ("", "", true), ("abc", "abc", true), ("abc", "abd", false), ("abc", "xbc", false), ("abc", "ab", false), ("a", "", false),
      ("가", "나", false),
    ])
  func equality(a: String, b: String, expected: Bool) {
    #expect(Secret.equal(a, b) == expected)
  }

  @Test("two spellings of one character are not the same secret")
  func spelling() {
    #expect(!Secret.equal("\u{AC00}", "\u{1100}\u{1161}"))
  }

  @Test("a fingerprint is HMAC-SHA256 (RFC 4231, case 2)")
  func fingerprint() {
    let print = Fingerprint(SymmetricKey(data: Data("Jefe".utf8)))
    let hex = print.bytes("what do ya want for nothing?").map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(hex == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    #expect(print.text("x") == print.bytes("x").base64URL)
    #expect(print.text("x") != Fingerprint(SymmetricKey(data: Data("Jeff".utf8))).text("x"))
  }
}

@Suite("base64url") struct Base64URLTests {
  @Test(
    "the vectors of RFC 4648 §10 hold, without padding",
    arguments: [
      ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"), ("foobar", "Zm9vYmFy"),
    ])
  func vectors(plain: String, coded: String) {
    #expect(Array(plain.utf8).base64URL == coded)
    #expect([UInt8](base64URL: coded) == Array(plain.utf8))
  }

  @Test("the two characters that differ from base64 are those of §5, and both alphabets are read, padded or not")
  func alphabet() {
    #expect([0xFB, 0xEF, 0xFF].base64URL == "--__")
    #expect([UInt8](base64URL: "++//") == [0xFB, 0xEF, 0xFF])
    #expect([UInt8](base64URL: "Zg==") == Array("f".utf8))
  }

  @Test("what is not base64 is not read", arguments: ["Z", "Zm9v!", "Zm 9v", "가나다라", "Zm9vY", "Zg\n=="])
  func refused(text: String) {
    #expect([UInt8](base64URL: text) == nil)
  }
}
