import Kit
import TenantKit
import Web

extension KCulture {
  /// `POST /cards/{id}/grade`: takes how well a card was remembered.
  static var gradeCard: Endpoint<KCulture> {
    .post(
      "/cards/{id}/grade",
      EndpointRules(
        access: .signedIn, limit: "practice",
        operation: Operation(
          "gradeCard",
          "Says how well a due card was remembered, and gets when it comes back. With `review`, its number from 1, the same "
            + "request may be sent again",
          input: .object([("recall", .choice(RecallName.allCases.map(\.rawValue))), ("review?", .integer)]),
          output: CardView.shape, problems: [.notFound, .conflict]))
    ) { kculture, visit in
      let person = try visit.requireSession().person
      let id = try visit.id()
      var input = try await visit.input()
      let recall = input.choice("recall", RecallName.self)
      let review = input.int("review", in: 1...1_000_000)
      try input.check()
      // What could not be read was refused above.
      guard let recall else { throw Problem(.invalidInput) }
      let words = Wording(visit: visit)
      do {
        let card = try await kculture.cards.grade(id, of: person, recall.recall, review: review) { words.name(of: $0) }
        guard visit.wantsJSON else { return .redirect("/review") }
        let course = try await kculture.courses.course()
        return .json(CardView(card, course, kculture.cards, visit: visit))
      } catch Cards.Refusal.notDue {
        // The second of two clicks, or another device was quicker: on with the next card.
        guard visit.wantsJSON else { return .redirect("/review") }
        throw Problem(.conflict, ["reason": visit.text("kculture.refusal.notDue")])
      }
    }
  }
}
