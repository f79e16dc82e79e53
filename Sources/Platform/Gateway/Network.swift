import Foundation

/// The network a request came from, for the limits: set by the gateway for the time of the request.
public enum Network {
  @TaskLocal static var name = "unknown"

  /// As the current request's.
  public static var current: String { name }

  /// The network of an address: one IPv4 address, or the /64 of an IPv6 address; what one subscriber has.
  public static func name(of address: String) -> String {
    guard address.contains(":") else { return address }
    if let mapped = address.range(of: "::ffff:"), address[mapped.upperBound...].contains(".") {
      return String(address[mapped.upperBound...])
    }
    let halves = address.components(separatedBy: "::")
    let head = halves[0].split(separator: ":").map(String.init)
    if head.count >= 4 || halves.count == 1 { return head.prefix(4).joined(separator: ":") }
    let tail = halves[1].split(separator: ":").map(String.init)
    let zeros = Array(repeating: "0", count: max(0, 8 - head.count - tail.count))
    return (head + zeros + tail).prefix(4).joined(separator: ":")
  }
}
