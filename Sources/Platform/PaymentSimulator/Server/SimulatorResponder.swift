import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Kit
import NIOCore
import Synchronization

/// A request's context that keeps the connection, so that a fault can cut it.
struct SimulatorContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  let channel: any Channel
  init(source: ApplicationRequestContextSource) {
    coreContext = .init(source: source)
    channel = source.channel
  }
}

/// An answer before it is on the wire.
struct Answer: Sendable {
  var status: Int
  var headers: HTTPFields
  var body: Data

  static func json(_ value: JSONValue, status: Int = 200) -> Answer { .json(value.canonical, status: status) }
  static func json(_ body: Data, status: Int) -> Answer {
    Answer(status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"], body: body)
  }
  static func redirect(_ url: String) -> Answer {
    Answer(status: 303, headers: [.location: url, .cacheControl: "no-store"], body: Data())
  }
  static func refusal(_ refusal: Refusal) -> Answer {
    .json(["error": ["code": .string(refusal.code), "message": .string(refusal.message)]], status: refusal.status)
  }
}

/// A request with its whole body.
struct Ask: Sendable {
  let method: HTTPRequest.Method
  let path: String
  let query: [String: String]
  let headers: HTTPFields
  let body: Data
  /// The path's parts.
  var parts: [String] { path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init) }
}

/// From the wire to the one who answers and back, through the faults that tests asked for.
final class SimulatorResponder: HTTPResponder {
  typealias Context = SimulatorContext
  private static let bodyLimit = 64 << 10

  private let api: GatewayAPI
  private let pages: CheckoutPages
  private let store: Store
  private let faults: Faults
  private let options: PaymentSimulator.Options
  private let clock: @Sendable () -> Moment
  private let origin = Mutex("")

  init(
    api: GatewayAPI, pages: CheckoutPages, store: Store, faults: Faults, options: PaymentSimulator.Options,
    clock: @escaping @Sendable () -> Moment
  ) {
    self.api = api
    self.pages = pages
    self.store = store
    self.faults = faults
    self.options = options
    self.clock = clock
  }

  func serve(on port: Int) { origin.withLock { $0 = "http://127.0.0.1:\(port)" } }

  func respond(to request: Request, context: SimulatorContext) async throws -> Response {
    var query: [String: String] = [:]
    for (name, value) in request.uri.queryParameters { query[String(name)] = String(value) }
    let body: ByteBuffer
    do {
      body = try await request.body.collect(upTo: Self.bodyLimit)
    } catch is NIOTooManyBytesError {
      return response(.refusal(Refusal(413, "too_large", "the body is larger than \(Self.bodyLimit) bytes")))
    }
    let ask = Ask(
      method: request.method, path: request.uri.path, query: query, headers: request.headers, body: Data(body.readableBytesView))
    guard let fault = faults.take(method: ask.method.rawValue, path: ask.path) else { return response(await answer(ask)) }
    if fault.delay > .zero { try await Task.sleep(for: fault.delay) }
    switch fault.cut {
    case nil:
      return response(await answer(ask))
    case .before:
      return await cut(context.channel)
    case .after:
      _ = await answer(ask)
      return await cut(context.channel)
    case .midAnswer:
      return half(await answer(ask), context.channel)
    }
  }

  private func answer(_ ask: Ask) async -> Answer {
    do {
      switch ask.parts.first {
      case "v1", "simulator":
        try authorize(ask)
        if ask.parts.first == "v1" { return try await api.answer(ask, origin: origin.withLock { $0 }) }
        return try await faultAnswer(ask)
      case "checkout", "checkout.css":
        return try await pages.answer(ask, store: store, clock: clock)
      default:
        throw Refusal(404, "not_found", "there is nothing at \(ask.path)")
      }
    } catch let refusal as Refusal {
      return .refusal(refusal)
    } catch {
      // The disk refused. What was done may be lost with the process, so nobody is told that it was done.
      return .refusal(Refusal(503, "journal_unavailable", "\(error)"))
    }
  }

  private func authorize(_ ask: Ask) throws(Refusal) {
    let given = ask.headers[.authorization] ?? ""
    // Digests compare in constant time.
    guard SHA256.hash(data: Data(given.utf8)) == SHA256.hash(data: Data("Bearer \(options.apiKey)".utf8)) else {
      throw Refusal(401, "unauthorized", "expected the header Authorization: Bearer <API key>")
    }
  }

  private func faultAnswer(_ ask: Ask) async throws -> Answer {
    switch (ask.method, ask.path) {
    case (.post, "/simulator/faults"):
      try faults.set(ask.body)
      return .json([:])
    case (.get, "/simulator/state") where faults.isAllowed:
      return .json(try await store.act { $0.census })
    default:
      throw Refusal(404, "not_found", "there is nothing at \(ask.path)")
    }
  }

  private func response(_ answer: Answer) -> Response {
    Response(
      status: .init(code: answer.status), headers: answer.headers, body: .init(byteBuffer: ByteBuffer(bytes: answer.body)))
  }

  private func cut(_ channel: any Channel) async -> Response {
    try? await channel.close()
    return Response(status: .ok)  // goes nowhere
  }

  /// Announces the whole length and sends half of it.
  private func half(_ answer: Answer, _ channel: any Channel) -> Response {
    let start = ByteBuffer(bytes: answer.body.prefix(answer.body.count / 2))
    let body = ResponseBody(contentLength: answer.body.count) { writer in
      try await writer.write(start)
      try? await channel.close()
      throw CancellationError()
    }
    return Response(status: .init(code: answer.status), headers: answer.headers, body: body)
  }
}

extension Book {
  /// Counts for tests: what there is under each reference.
  var census: JSONValue {
    var byReference: [String: JSONValue] = [:]
    for (reference, ids) in paymentsOfReference {
      var counts: [Payment.Status: Int64] = [:]
      for id in ids { counts[payments[id]?.status ?? .failed, default: 0] += 1 }
      byReference[reference] = [
        "pending": .integer(counts[.pending] ?? 0), "succeeded": .integer(counts[.succeeded] ?? 0),
        "failed": .integer(counts[.failed] ?? 0),
      ]
    }
    return [
      "checkouts": .integer(Int64(checkouts.count)), "payments": .object(byReference),
      "refunds": .object(refundsOfReference.mapValues { .integer(Int64($0.count)) }), "events": .integer(Int64(eventCount)),
      "undelivered": .integer(Int64(deliveries.count)),
    ]
  }
}
