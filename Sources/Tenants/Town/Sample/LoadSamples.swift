import Database
import Foundation
public import Kit
import TenantKit

extension Town {
  /// Loads questions with their answers. Times count back from now, so that a town looks alive on its first day; what an
  /// accepted answer earns is paid as it is for everyone, so that the ledger agrees with what the pages say.
  ///
  /// A record's id makes the ids of what it becomes: loaded twice, it is there once. Records of other towns are left out.
  /// - Parameter authors: the accounts that stand for `sample-1`, `sample-2`, ….
  /// - Throws: for a record that can't be read or names an unknown author; the records before it are loaded.
  public func load(_ records: [JSONValue], authors: [String: PersonID]) async throws -> Int {
    let now = services.clock.now()
    var new = 0
    for record in records where record["tenant"]?.string == tenant.id.text {
      let sample = try SampleQuestion(record)
      if try await load(sample, authors: authors, now: now) { new += 1 }
    }
    if new > 0 {
      await counts.forget()
      await trending.forget()
    }
    return new
  }

  private func load(_ sample: SampleQuestion, authors: [String: PersonID], now: Instant) async throws -> Bool {
    func person(_ name: String) throws -> PersonID {
      guard let person = authors[name] else {
        throw SampleContentError(record: sample.id, reason: "found author \(name), expected one of the sample accounts")
      }
      return person
    }
    @Sendable func time(_ hoursAgo: Double) -> Instant { now - .seconds(hoursAgo * 3_600) }
    let draft = try sample.draft()
    let asker = try person(sample.author)
    let question = UUID.named("\(tenant.id)/sample/\(sample.id)")
    let answers = try sample.answers.enumerated().map { index, answer in
      (
        id: UUID.named("\(tenant.id)/sample/\(sample.id)/answer/\(index)"), author: try person(answer.author),
        draft: AnswerDraft(body: answer.body.unixLines), at: time(answer.hoursAgo), isAccepted: answer.accepted
      )
    }
    return try await database.transaction { transaction in
      let new = try await insert(
        draft, id: question, by: asker, likes: sample.likes, at: time(sample.hoursAgo), in: transaction)
      guard new != nil else { return false }
      for answer in answers.sorted(by: { $0.at < $1.at }) {
        try await insert(answer.draft, to: question, id: answer.id, by: answer.author, at: answer.at, in: transaction)
      }
      if let accepted = answers.first(where: \.isAccepted) {
        // Some while after the last answer was in.
        let last = answers.map(\.at).max() ?? now
        _ = try await accept(accepted.id, by: asker, at: min(now, last + .minutes(20)), in: transaction)
      }
      return true
    }
  }
}
