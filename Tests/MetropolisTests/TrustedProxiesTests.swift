import Testing

@testable import Metropolis

@Suite("For whom a proxy asks") struct TrustedProxiesTests {
  @Test("nobody is believed unless named")
  func strangers() throws {
    let none = try TrustedProxies(nil)
    #expect(none.client(forwardedFor: ["203.0.113.9"], peer: "10.0.0.7") == "10.0.0.7")
    let one = try TrustedProxies("10.0.0.7")
    #expect(one.client(forwardedFor: ["203.0.113.9"], peer: "10.0.0.8") == "10.0.0.8")
    #expect(one.client(forwardedFor: ["203.0.113.9"], peer: "10.0.0.7") == "203.0.113.9")
    #expect(one.client(forwardedFor: [], peer: "10.0.0.7") == "10.0.0.7")
  }

  @Test("the rightmost address that is no proxy is the client: what stands left of it she could have written herself")
  func rightmost() throws {
    let proxies = try TrustedProxies("10.0.0.0/8, fd00::/8")
    #expect(proxies.client(forwardedFor: ["1.1.1.1, 203.0.113.9, 10.2.3.4"], peer: "10.0.0.7") == "203.0.113.9")
    #expect(proxies.client(forwardedFor: ["1.1.1.1", "203.0.113.9", "fd12::1"], peer: "10.0.0.7") == "203.0.113.9")
    // All are proxies: the one that is farthest.
    #expect(proxies.client(forwardedFor: ["10.9.9.9, 10.2.3.4"], peer: "10.0.0.7") == "10.9.9.9")
    // What can't be read ends the way.
    #expect(proxies.client(forwardedFor: ["203.0.113.9, unknown, 10.2.3.4"], peer: "10.0.0.7") == "10.2.3.4")
  }

  @Test("an address is the same however it is written")
  func forms() throws {
    let proxies = try TrustedProxies("10.0.0.7")
    #expect(proxies.client(forwardedFor: ["203.0.113.9:4711"], peer: "::ffff:10.0.0.7") == "203.0.113.9")
    #expect(proxies.client(forwardedFor: ["[2001:db8::1]:443"], peer: "10.0.0.7") == "2001:db8::1")
    #expect(proxies.client(forwardedFor: [" 2001:db8::1 "], peer: "10.0.0.7") == "2001:db8::1")
  }

  @Test("what is no address stops the start and is named", arguments: ["proxy.local", "10.0.0.0/33", "10.0.0", "fd00::/x"])
  func mistakes(_ text: String) {
    #expect {
      try TrustedProxies("10.0.0.7, \(text)")
    } throws: {
      "\($0)".contains("“\(text)”") && "\($0)".contains("METROPOLIS_TRUSTED_PROXIES")
    }
  }
}
