import Foundation
import HTTPTypes

/// The proxies in front of the city. Only they are believed when they say for whom they ask.
struct TrustedProxies: Sendable {
  static let variable = "METROPOLIS_TRUSTED_PROXIES"

  /// An address, or all that begin as it does.
  private struct Block: Sendable {
    let bytes: [UInt8]
    let bits: Int

    init?(_ text: String) {
      let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      guard let bytes = TrustedProxies.bytes(of: String(halves[0])) else { return nil }
      self.bytes = bytes
      guard halves.count == 2 else {
        bits = bytes.count * 8
        return
      }
      guard let bits = Int(halves[1]), (0...bytes.count * 8).contains(bits) else { return nil }
      self.bits = bits
    }

    func contains(_ address: [UInt8]) -> Bool {
      guard address.count == bytes.count else { return false }
      return (0..<bits).allSatisfy { bit in
        let mask = UInt8(0x80) >> UInt8(bit % 8)
        return bytes[bit / 8] & mask == address[bit / 8] & mask
      }
    }
  }

  private let blocks: [Block]

  /// Reads addresses and blocks (`10.0.0.0/8`, `fd00::/8`) with commas between.
  /// - Throws: ``Failure`` that names the first that is neither.
  init(_ text: String?) throws {
    blocks = try (text ?? "").split(whereSeparator: { $0 == "," || $0 == " " }).map { part in
      guard let block = Block(String(part)) else {
        throw Failure(
          description: "\(TrustedProxies.variable): found “\(part)”, expected addresses like 10.0.0.7 or blocks like 10.0.0.0/8")
      }
      return block
    }
  }

  /// Who asks: the connection's other end, unless that is a trusted proxy. Then it is the rightmost address in
  /// `X-Forwarded-For` that is none: what stands left of it, whoever asks could have written herself.
  func client(of headers: HTTPFields, peer: String) -> String {
    blocks.isEmpty ? peer : client(forwardedFor: headers[values: TrustedProxies.header], peer: peer)
  }

  /// - Parameter values: of the header, in their order; proxies add to the last or bring one more.
  func client(forwardedFor values: [String], peer: String) -> String {
    guard isTrusted(peer) else { return peer }
    var client = peer
    for hop in values.joined(separator: ",").split(separator: ",").reversed() {
      guard let address = TrustedProxies.address(hop) else { break }
      client = address
      if !isTrusted(address) { break }
    }
    return client
  }

  private func isTrusted(_ address: String) -> Bool {
    guard let bytes = TrustedProxies.bytes(of: address) else { return false }
    return blocks.contains { $0.contains(bytes) }
  }

  private static let header = HTTPField.Name("X-Forwarded-For")!

  /// Without the port some proxies add, and the brackets round an IPv6 address that has one.
  private static func address(_ hop: some StringProtocol) -> String? {
    let text = hop.trimmingCharacters(in: .whitespaces)
    if bytes(of: text) != nil { return text }
    let bare =
      text.hasPrefix("[") ? text.dropFirst().prefix { $0 != "]" } : text.prefix { $0 != ":" }
    return bytes(of: String(bare)) == nil ? nil : String(bare)
  }

  /// The address in network order; of an IPv4 address that is written as IPv6, the four bytes.
  private static func bytes(of text: String) -> [UInt8]? {
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
    var sixteen = in6_addr()
    guard inet_pton(AF_INET6, text, &sixteen) == 1 else { return nil }
    let bytes = withUnsafeBytes(of: &sixteen) { Array($0) }
    let mapped = Array(repeating: UInt8(0), count: 10) + [0xFF, 0xFF]
    return bytes.starts(with: mapped) ? Array(bytes.suffix(4)) : bytes
  }
}
