import Kit
public import Web

/// `/mailbox` of the city's own site.
extension DevelopmentMailbox {
  /// For the city's own site, in development only: it shows every mail to everyone.
  public var routes: [SiteRouter.Route] { DevelopmentMailbox.endpoints.map { SiteRouter.Route($0, of: self) } }

  /// Mails on one page.
  private static let pageSize = 100

  static var endpoints: [Endpoint<DevelopmentMailbox>] {
    [
      .get(
        "/mailbox",
        .init(
          operation: Operation(
            "mailbox", "Mails of the development mailbox, newest first, at most \(pageSize).",
            query: [.init("to", "Mails to this address only.")],
            output: .object([("messages", .array(MailView.shape))])))
      ) { mailbox, visit in try await mailbox.list(visit) },
      .get(
        "/mailbox/{id}",
        .init(operation: Operation("mail", "One mail.", output: MailView.shape, problems: [.notFound]))
      ) { mailbox, visit in try await mailbox.show(visit) },
    ]
  }

  private func list(_ visit: Visit) async throws -> Answer {
    let address = visit.query("to").map(\.trimmed).flatMap { $0.isEmpty ? nil : $0 }
    let entries = folder.list(to: address, limit: DevelopmentMailbox.pageSize)
    let page = Page(
      "notifications.mailbox", title: visit.text("notifications.mailbox.title"),
      [
        "address": address ?? "", "hasAddress": address != nil, "isEmpty": entries.isEmpty,
        "mails": entries.map { $0.model(visit) },
      ])
    // Texts are read from the disk only for a program; the page shows subjects.
    guard visit.wantsJSON else { return .page(page) }
    var messages: [MailView] = []
    for entry in entries {
      if let message = try await folder.message(entry.id) { messages.append(MailView(message)) }
    }
    return .page(page, json: ["messages": messages])
  }

  private func show(_ visit: Visit) async throws -> Answer {
    guard let message = try await folder.message(try visit.id()) else { throw Problem(.notFound) }
    var model = message.entry.model(visit)
    model["pieces"] = Links.segments(message.text).map { segment -> [String: any Sendable] in
      switch segment {
      case .text(let text): ["isLink": false, "piece": text]
      case .link(let link): ["isLink": true, "piece": link]
      }
    }
    return .page(Page("notifications.mail", title: message.entry.shownSubject(visit), model), json: MailView(message))
  }
}

extension MailFolder.Entry {
  func shownSubject(_ visit: Visit) -> String {
    subject.isEmpty ? visit.text("notifications.mailbox.noSubject") : subject
  }

  func model(_ visit: Visit) -> [String: any Sendable] {
    [
      "address": "/mailbox/\(id.text)",
      "subject": shownSubject(visit),
      "from": from, "to": recipients.joined(separator: ", "), "time": received.rfc3339,
      "ago": visit.format.ago(received, now: visit.now), "moment": visit.format.dateTime(received),
    ]
  }
}

/// A mail as programs get it.
struct MailView: Encodable, Sendable {
  let id: String
  let from: String
  let to: String
  let subject: String
  let text: String
  let links: [String]
  let received: String

  static let shape: Shape = .object([
    ("id", .uuid), ("from", .string), ("to", .string), ("subject", .string), ("text", .string), ("links", .array(.string)),
    ("received", .instant),
  ])

  init(_ message: MailFolder.Message) {
    id = message.entry.id.text
    from = message.entry.from
    to = message.entry.recipients.joined(separator: ", ")
    subject = message.entry.subject
    text = message.text
    links = Links.all(message.text)
    received = message.entry.received.rfc3339
  }
}
