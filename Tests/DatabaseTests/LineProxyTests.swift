import Database
import Testing

@testable import Support

@Suite struct LineProxyTests {
  @Test func `Messages are found however the bytes arrive`() {
    let encryption: [UInt8] = [0, 0, 0, 8, 4, 210, 22, 47]
    let startup: [UInt8] = [0, 0, 0, 9, 0, 3, 0, 0, 0]
    let query: [UInt8] = [81, 0, 0, 0, 7, 49, 59, 0]
    let sync: [UInt8] = [83, 0, 0, 0, 4]
    let bytes = encryption + startup + query + sync + query
    for size in 1...bytes.count {
      var framer = ProtocolFramer(isFromClient: true)
      var found: [ProtocolMessage] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        framer.append(bytes[start..<min(start + size, bytes.count)])
        while let message = framer.next() { found.append(message) }
      }
      #expect(String(found.map(\.type)) == "^^QSQ", "\(size)")
      #expect(found.flatMap(\.bytes) == bytes && ProtocolFramer.asksForEncryption(found[0]), "\(size)")
    }
    var framer = ProtocolFramer(isFromClient: false)
    framer.expectEncryptionAnswer()
    framer.append([78, 90, 0, 0, 0, 5, 73])
    #expect(framer.next()?.type == "^" && framer.next()?.type == "Z" && framer.next() == nil)
  }

  @Test func `Untouched, all passes in its order, and is counted`() async throws {
    try await withDatabase { test in
      let proxy = try LineProxy(to: test.settings)
      defer { proxy.close() }
      let database = Database(
        proxy.settings(test.settings), pool: .patient(connections: 2), name: "line", logger: test.logger, loop: test.loop)
      // More than all buffers on the way hold.
      let rows = try await database.query("SELECT n, repeat(md5(n::text), 40) AS x FROM generate_series(1, 20000) n")
      #expect(rows.count == 20_000)
      #expect(try zip(1..., rows).allSatisfy { try $0 == $1.get("n", as: Int32.self) })
      #expect(proxy.passages.count { $0.direction == .toClient && $0.message.type == "D" } == 20_000)
      #expect(proxy.count(.toClient) > 20_000 && !proxy.hasFired && proxy.lines == 1)
      let text = String(repeating: "가", count: 1_000_000)
      #expect(try await database.one("SELECT length(\(text)) AS n")?.get("n", as: Int32.self) == 1_000_000)
      await database.close()
      #expect(await eventually(within: .seconds(20)) { proxy.lines == 0 })
    }
  }
}
