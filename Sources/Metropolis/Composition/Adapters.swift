import Billing
import Content
import Database
import Foundation
import Gateway
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Identity
import Jobs
import Keys
import Kit
import Logging
import NIOCore
import Notifications
import Records
import RelyingParty
import Synchronization
import TenantKit
import Web

// Core services don't know each other. What one needs of another it states as a protocol; here they meet.

/// A tenant's outbox: its events and its people's activities.
struct TenantOutbox: TenantKit.Outbox {
  let table: OutboxTable

  func emit(_ event: DomainEvent, in transaction: Transaction) throws {
    try table.write(
      Event(
        id: event.id, type: event.type, version: event.version, tenant: table.tenant, occurred: event.occurred,
        payload: event.payload), in: transaction)
  }

  func record(_ activity: Activity, in transaction: Transaction) throws {
    var name: [String: JSONValue] = ["ko": .string(activity.objectName.ko)]
    if let en = activity.objectName.en { name["en"] = .string(en) }
    var payload: [String: JSONValue] = [
      "person": .string(activity.person.description), "verb": .string(activity.verb),
      "objectType": .string(activity.objectType), "objectPath": .string(activity.objectPath), "objectName": .object(name),
      "extensions": .object(activity.extensions),
    ]
    if let success = activity.success { payload["success"] = .bool(success) }
    if let score = activity.score { payload["score"] = .number(score) }
    try table.write(
      Event(
        id: activity.id, type: "activity.recorded", tenant: table.tenant, occurred: activity.occurred, payload: .object(payload)),
      in: transaction)
  }
}

/// What a tenant's kept answers are made of.
struct TenantFreshness: TenantKit.Freshness {
  let tags: TagTable

  func touch(_ tags: Set<String>, in transaction: Transaction) throws {
    try self.tags.touch(tags, in: transaction)
  }
}

/// Identity's events, in its own outbox.
struct IdentityOutbox: IdentityEvents {
  let table: OutboxTable

  func registered(_ person: PersonID, at instant: Instant, in transaction: Transaction) async throws {
    try table.write(
      Event(
        id: UUID.v7(at: instant), type: "user.registered", tenant: nil, occurred: instant,
        payload: ["person": .string(person.description)]), in: transaction)
  }
}

/// Mails wait in a queue, sealed, until the relay has taken them.
struct QueuedMail: MailSender {
  static let queue = JobQueue.Settings("e-mail", concurrency: 5, attempts: 5)
  static let kind = "mail.send"

  let queue: JobQueue
  let sealer: Sealer

  func send(to: String, subject: String, text: String, language: Language) async throws {
    let mail: [String: String] = ["to": to, "subject": subject, "text": text]
    let plain = String(decoding: try JSONEncoder().encode(mail), as: UTF8.self)
    try await queue.add(
      QueuedMail.kind, ["sealed": .string(sealer.seal(plain, context: QueuedMail.kind).base64URL)], to: QueuedMail.queue)
  }

  /// Works off one job.
  static func deliver(_ job: JobQueue.Job, with mailer: SMTPMailer, sealer: Sealer) async throws {
    guard let sealed = job.payload["sealed"]?.string.flatMap({ [UInt8](base64URL: $0) }),
      let plain = sealer.open(sealed, context: kind),
      let mail = try? JSONDecoder().decode([String: String].self, from: Data(plain.utf8)),
      let to = mail["to"], let subject = mail["subject"], let text = mail["text"]
    else { throw Problem(.malformedRequest, ["reason": "a mail that can't be opened"]) }
    try await mailer.send(Mail(to: to, subject: subject, text: text))
  }
}

/// Requests of our own relying parties reach the issuer by the gateway, as a stranger's do, without a socket.
final class InProcessIssuer: IssuerTransport {
  private let origin: Origin
  private let gateway = Mutex<Gateway?>(nil)

  init(origin: Origin) { self.origin = origin }

  func connect(_ gateway: Gateway) { self.gateway.withLock { $0 = gateway } }

  func post(path: String, form: [String: String], basic: (String, String)?) async throws -> (status: Int, body: Data) {
    let body = form.map { "\(Renderer.encode($0.key))=\(Renderer.encode($0.value))" }.joined(separator: "&")
    var headers: HTTPFields = [.contentType: "application/x-www-form-urlencoded", .accept: "application/json"]
    if let basic {
      let pair = "\(Renderer.encode(basic.0)):\(Renderer.encode(basic.1))"
      headers[.authorization] = "Basic \(Data(pair.utf8).base64EncodedString())"
    }
    return try await send(.post, path, headers, ByteBuffer(string: body))
  }

  func get(path: String) async throws -> (status: Int, body: Data) {
    try await send(.get, path, [.accept: "application/json"], ByteBuffer())
  }

  private func send(
    _ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields, _ body: ByteBuffer
  ) async throws
    -> (status: Int, body: Data)
  {
    guard let gateway = gateway.withLock({ $0 }) else { throw Problem(.unavailable) }
    let head = HTTPRequest(
      method: method, scheme: origin.scheme, authority: origin.authority, path: path, headerFields: headers)
    let response = await gateway.respond(to: head, body: body, network: "city")
    let writer = CollectingWriter()
    try await response.body.write(writer)
    return (Int(response.status.code), writer.data)
  }
}

/// Takes a response's body into memory.
private final class CollectingWriter: ResponseBodyWriter {
  private(set) var data = Data()

  func write(_ buffer: ByteBuffer) async throws { data.append(contentsOf: buffer.readableBytesView) }
  func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

struct EntitlementsAdapter: Entitlements {
  let service: EntitlementService

  func check(_ person: PersonID, _ feature: String, at tenant: TenantID) async throws -> TenantKit.Allowance {
    EntitlementsAdapter.allowance(try await service.check(person, feature, at: tenant))
  }
  func consume(_ person: PersonID, _ feature: String, at tenant: TenantID, key: UUID) async throws -> TenantKit.Allowance {
    EntitlementsAdapter.allowance(try await service.consume(person, feature, at: tenant, key: key))
  }
  func release(_ person: PersonID, key: UUID) async throws { try await service.release(person, key: key) }

  private static func allowance(_ allowance: EntitlementService.Allowance) -> TenantKit.Allowance {
    switch allowance {
    case .none: .none
    case .unlimited: .unlimited
    case .limited(let limit, let used, let renews): .limited(limit: limit, used: used, renews: renews)
    }
  }
}

struct PointsAdapter: PointsBalances {
  let service: BillingService
  func balance(_ person: PersonID) async throws -> Money { try await service.points.balance(person) }
}

struct PeopleAdapter: PeopleDirectory {
  let identity: IdentityService
  func names(_ people: Set<PersonID>) async throws -> [PersonID: String] { try await identity.names(people) }
}

struct LibraryAdapter: ContentLibrary {
  let service: ContentService

  func items(
    packages: [String], topic: String?, near difficulty: Double, excluding seen: Set<String>, limit: Int
  ) async throws
    -> [ContentItem]
  {
    try await service.items(packages: packages, topic: topic, near: difficulty, excluding: seen, limit: limit).map(
      LibraryAdapter.item)
  }
  func item(_ id: String) async throws -> ContentItem? { try await service.item(id).map(LibraryAdapter.item) }
  func topics(packages: [String]) async throws -> [(subject: String, topic: String, count: Int)] {
    try await service.topics(packages: packages).map { ($0.subject, $0.topic, $0.count) }
  }

  func lessons(packages: [String]) async throws -> [ContentLesson] {
    try await service.lessons(packages: packages).map {
      ContentLesson(id: $0.id, order: $0.order, unit: $0.unit, title: $0.title, body: $0.body)
    }
  }

  private static func item(_ item: LibraryItem) -> ContentItem {
    ContentItem(
      id: item.id, subject: item.subject, topic: item.topic, level: item.level, difficulty: item.difficulty,
      discrimination: item.discrimination, guess: item.guess, kind: item.kind == .choice ? .choice : .number,
      prompt: item.prompt, choices: item.choices, answer: item.answer, explanation: item.explanation)
  }
}

/// Who is active at a tenant, as the record store counts it, for the tenant's operator.
struct RecordsFigures: TenantFigures {
  let records: RecordsService

  func figures(at tenant: TenantID, days: Int) async throws -> [(day: CivilDate, people: Int, activities: Int)] {
    try await records.figures(at: tenant, days: days).map { ($0.day, $0.people, $0.activities) }
  }
}

/// What relying parties ask of the issuer beside its public endpoints.
struct AuthorityAdapter: SessionAuthority {
  let identity: IdentityService

  func isLive(_ session: UUID) async throws -> Bool { try await identity.isLive(session: session) }
  func remembersLive(_ session: UUID) -> Bool? { identity.remembersLive(session: session) }
  func names(_ people: Set<PersonID>) async throws -> [PersonID: String] { try await identity.names(people) }

  /// At the console a person's roles are her posts everywhere.
  func roles(of person: PersonID, at tenant: String) async throws -> Set<String> {
    guard tenant == Site.consoleID else { return try await identity.roles(of: person, at: tenant) }
    return Set(StaffPost.among(try await identity.memberships(of: person)).map(\.description))
  }

  /// Nobody joins the console: posts are given.
  func join(_ person: PersonID, at tenant: String) async throws -> Set<String> {
    guard tenant == Site.consoleID else { return try await identity.join(person, at: tenant) }
    return try await roles(of: person, at: tenant)
  }
  func end(_ session: UUID) async throws { try await identity.revoke(session: session) }
  func bearer(_ token: String) async throws -> (session: UUID, person: PersonID)? { try await identity.bearer(token) }
}
