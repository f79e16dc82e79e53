import Foundation
import HTTPTypes
import Identity
import Jobs
import Kit
import Web

/// How the city does, for who runs it.
extension Console {
  static let cityEndpoints: [Endpoint<Console>] = [
    .get(
      "/city",
      .init(
        access: cityOperator,
        operation: Operation("cityOverview", "How the city does: tenants, jobs, outboxes, timetable.", output: CityView.shape))
    ) { console, visit in try await console.overview(visit) },
    .get(
      "/city/dead-letters",
      .init(
        access: cityOperator,
        operation: Operation("listDeadLetters", "Jobs and events that were given up.", output: LettersView.shape))
    ) { console, visit in try await console.letters(visit) },
    .post(
      "/city/dead-letters/{source}/{id}/retry",
      .init(
        access: cityOperator,
        operation: Operation(
          "retryDeadLetter",
          "Gives a job or an event all its tries again. A source of `job` is a queue's job, any other the schema.",
          input: .object([]), status: 202, problems: [.notFound]))
    ) { console, visit in try await console.retry(visit) },
  ]

  /// The source a job's letter has in its address; an event's is its schema's name.
  static let jobSource = "job"

  // MARK: Overview

  private func overview(_ visit: Visit) async throws -> Answer {
    let snapshot = await observer.snapshot(of: stanzas)
    return .page(json: CityView(snapshot, flags: flags.rules, visit: visit)) {
      Page(
        "city.console-city", title: visit.text("city.console.overview.title"),
        CityModel(snapshot, visit).values.merging(flagsModel(visit)) { $1 })
    }
  }

  // MARK: Dead letters

  struct LettersView: Encodable, Sendable {
    struct Letter: Encodable, Sendable {
      let id: String
      let source: String
      let queue: String?
      let kind: String
      let attempts: Int
      let at: String
      let lastError: String?
    }
    let letters: [Letter]

    static let shape: Shape = .object([
      (
        "letters",
        .array(
          .object([
            ("id", .uuid), ("source", .string), ("queue?", .string), ("kind", .string), ("attempts", .integer), ("at", .instant),
            ("lastError?", .string),
          ]))
      )
    ])

    init(jobs: [DeadLetter], events: [DeadLetter]) {
      func letter(_ letter: DeadLetter, _ source: String, queue: String?) -> Letter {
        Letter(
          id: letter.id.text, source: source, queue: queue, kind: letter.kind, attempts: letter.attempts, at: letter.at.rfc3339,
          lastError: letter.lastError)
      }
      letters =
        jobs.map { letter($0, Console.jobSource, queue: $0.source) } + events.map { letter($0, $0.source, queue: nil) }
    }
  }

  private func letters(_ visit: Visit) async throws -> Answer {
    let (jobs, events) = try await observer.deadLetters(limit: 100)
    let said = visit.query("done") == "1"
    return .page(json: LettersView(jobs: jobs, events: events)) {
      func rows(_ letters: [DeadLetter], _ source: (DeadLetter) -> String) -> [[String: any Sendable]] {
        letters.map { letter in
          [
            "kind": letter.kind, "source": letter.source, "id": letter.id.text,
            "error": letter.lastError ?? visit.text("city.console.letters.noError"),
            "at": visit.format.dateTime(letter.at), "when": letter.at.rfc3339,
            "attempts": visit.text("city.console.letters.attempts", ["count": visit.format.number(Int64(letter.attempts))]),
            "retryURL": "/city/dead-letters/\(source(letter))/\(letter.id.text)/retry",
          ]
        }
      }
      return Page(
        "city.console-letters", title: visit.text("city.console.letters.title"),
        [
          "jobs": rows(jobs) { _ in Console.jobSource }, "hasJobs": !jobs.isEmpty,
          "events": rows(events, \.source), "hasEvents": !events.isEmpty, "isEmpty": jobs.isEmpty && events.isEmpty,
          "saidRetried": said,
        ])
    }
  }

  private func retry(_ visit: Visit) async throws -> Answer {
    let id = try visit.id()
    let source = visit.parameter("source") ?? ""
    let actor = try visit.requireSession().person
    let kind = source == Console.jobSource ? try await observer.queue.retry(id) : try await observer.relay.retry(id, in: source)
    if let kind {
      try await identity.note(
        "dead-letter.retried", actor: actor, subject: id, detail: ["source": .string(source), "kind": .string(kind)])
    } else if visit.wantsJSON {
      // To a person who clicked twice it is on its way again, which is what she wanted.
      throw Problem(.notFound)
    }
    return visit.wantsJSON
      ? .json(["id": id.text, "source": source], status: .accepted) : .redirect("/city/dead-letters?done=1")
  }
}
