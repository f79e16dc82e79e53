// What the city is measured against: a Hummingbird server that does nothing but answer, and libargon2 alone.

import CArgon2
import Database
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

let usage = """
  metropolis-bench-peer serve --port P --bytes-file F     answers GET / on 127.0.0.1 with exactly these bytes
      [--database CONNINFO --id ID]                       after reading t_univprep.attempt by its key, over ten connections
  metropolis-bench-peer argon2 --threads N --seconds S    prints how many passwords are verified per second
  """

/// The options of the command line, all of which are required.
struct Options {
  private var values: [String: String] = [:]

  init(_ arguments: ArraySlice<String>) {
    var rest = arguments
    while let name = rest.popFirst(), let value = rest.popFirst() { values[name] = value }
  }

  func has(_ name: String) -> Bool { values[name] != nil }

  func text(_ name: String) -> String {
    guard let value = values[name] else { refuse("\(name) is missing") }
    return value
  }

  func number(_ name: String, in range: ClosedRange<Int>) -> Int {
    let text = text(name)
    guard let number = Int(text), range.contains(number) else {
      refuse("\(name): found \(text), expected \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }
}

func refuse(_ reason: String) -> Never {
  FileHandle.standardError.write(Data("error: \(reason)\n\(usage)\n".utf8))
  exit(64)
}

/// Hummingbird with one route and no middleware: the limit of what an answer through it can cost.
///
/// - Parameter read: done before each answer.
func serve(port: Int, bytes: Data, read: @escaping @Sendable () async throws -> Void) async throws {
  let buffer = ByteBuffer(bytes: bytes)
  let router = Router()
  router.get("/") { _, _ in
    try await read()
    return Response(status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: buffer))
  }
  try await Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: port))).runService()
}

/// One row by its key, through the city's database client: what an answer with a query costs when there is no city around it.
func reader(of database: String, id text: String) throws -> @Sendable () async throws -> Void {
  guard let id = UUID(uuidString: text) else { refuse("--id: found \(text), expected a UUID") }
  let client = Database(
    try ConnectionSettings(url: database), pool: PoolSettings(connections: 10), name: "peer",
    logger: Logger(label: "metropolis-bench-peer"), loop: DatabaseLoop())
  return {
    guard try await client.one("SELECT * FROM t_univprep.attempt WHERE id = \(id)") != nil else { refuse("no attempt \(text)") }
  }
}

/// Verifies one password again and again on threads of its own, as a sign-in does, with the costs of Identity's
/// `PasswordHasher`.
func verifications(threads: Int, seconds: Int) -> Double {
  let (memoryKiB, passes, lanes): (UInt32, UInt32, UInt32) = (19_456, 2, 1)
  let password = Array("metropolis-2026".utf8)
  let salt = Array("sixteen bytes ok".utf8)
  var encoded = [CChar](
    repeating: 0, count: argon2_encodedlen(passes, memoryKiB, lanes, UInt32(salt.count), 32, Argon2_id))
  let status = argon2id_hash_encoded(
    passes, memoryKiB, lanes, password, password.count, salt, salt.count, 32, &encoded, encoded.count)
  guard status == ARGON2_OK.rawValue else { refuse("libargon2 answers \(status) to a first hash") }
  let hash = encoded
  let total = Mutex(0)
  let group = DispatchGroup()
  let start = ContinuousClock.now
  for _ in 0..<threads {
    group.enter()
    Thread.detachNewThread {
      var count = 0
      while ContinuousClock.now - start < .seconds(seconds) {
        guard argon2id_verify(hash, password, password.count) == ARGON2_OK.rawValue else {
          refuse("libargon2 does not know its own hash")
        }
        count += 1
      }
      total.withLock { $0 += count }
      group.leave()
    }
  }
  group.wait()
  let elapsed = (ContinuousClock.now - start) / .seconds(1)
  return Double(total.withLock { $0 }) / elapsed
}

let options = Options(CommandLine.arguments.dropFirst(2))
switch CommandLine.arguments.dropFirst().first {
case "serve":
  let path = options.text("--bytes-file")
  guard let bytes = FileManager.default.contents(atPath: path) else { refuse("--bytes-file: \(path) can't be read") }
  let read =
    options.has("--database") ? try reader(of: options.text("--database"), id: options.text("--id")) : { @Sendable () async in }
  try await serve(port: options.number("--port", in: 1...65_535), bytes: bytes, read: read)
case "argon2":
  let (threads, seconds) = (options.number("--threads", in: 1...256), options.number("--seconds", in: 1...600))
  print(verifications(threads: threads, seconds: seconds))
default: refuse("one of the two modes is expected")
}
