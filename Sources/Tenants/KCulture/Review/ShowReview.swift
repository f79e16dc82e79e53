import Kit
import TenantKit
import Web

extension KCulture {
  /// `GET /review`: the card that is due longest; `?show=<card>` turns it over.
  static var showReview: Endpoint<KCulture> {
    .get(
      "/review",
      EndpointRules(
        access: .signedIn,
        operation: Operation(
          "getReview", "How many cards are due, the due ones with what each answer would do, and when the next one comes",
          output: ReviewView.shape))
    ) { kculture, visit in
      let person = try visit.requireSession().person
      let course = try await kculture.courses.course()
      let counts = try await kculture.cards.counts(of: person)
      let due = try await kculture.cards.due(to: person, limit: visit.wantsJSON ? 20 : 1)
      let view = ReviewView(
        all: counts.all, due: counts.due, reviewedToday: counts.reviewedToday, nextDue: counts.next,
        cards: due.map { CardView($0, course, kculture.cards, visit: visit) })
      guard let card = due.first else { return .page(kculture.restPage(counts, visit: visit), json: view) }
      let isTurned = visit.query("show") == card.id.text
      return .page(kculture.cardPage(card, counts, course, isTurned: isTurned, visit: visit), json: view)
    }
  }

  /// `GET /cards/{id}`: a card, and when it comes back.
  static var showCard: Endpoint<KCulture> {
    .get(
      "/cards/{id}",
      EndpointRules(
        access: .signedIn,
        operation: Operation("getCard", "A card of the person who asks", output: CardView.shape, problems: [.notFound]))
    ) { kculture, visit in
      let person = try visit.requireSession().person
      let card = try await kculture.cards.card(try visit.id(), of: person)
      let course = try await kculture.courses.course()
      var model = kculture.back(card, course, visit: visit)
      model["isDue"] = card.due <= visit.now
      model["dueWords"] = visit.text("kculture.card.due", ["date": visit.format.date(card.due)])
      model["reviewWords"] = Wording(visit: visit).count("card.reviews", card.reviews)
      return .page(
        Page("kculture.card", title: card.face, model), json: CardView(card, course, kculture.cards, visit: visit))
    }
  }

  // MARK: Pages

  private func back(_ card: Card, _ course: Course, visit: Visit) -> [String: any Sendable] {
    let words = Wording(visit: visit)
    var model: [String: any Sendable] = ["id": card.id.text, "face": card.face]
    switch card.kind {
    case .letter: model["letters"] = course.letter(card.face).map { ["items": [words.letter($0)]] }
    case .word:
      model["words"] = ["items": [words.word(card.face, of: course)]]
      if card.face.count <= 4 { model["blocks"] = ["items": words.blocks(card.face)] }
    }
    return model
  }

  private func cardPage(_ card: Card, _ counts: CardCounts, _ course: Course, isTurned: Bool, visit: Visit) -> Page {
    let words = Wording(visit: visit)
    var model = back(card, course, visit: visit)
    model["left"] = words.count("review.left", counts.due)
    model["done"] = counts.reviewedToday
    model["all"] = counts.reviewedToday + counts.due
    model["ask"] = visit.text("kculture.review.ask.\(card.kind.rawValue)")
    model["isTurned"] = isTurned
    model["review"] = card.reviews + 1
    model["answers"] = cards.prospects(card, at: visit.now).map { prospect -> [String: any Sendable] in
      [
        "recall": prospect.recall.name, "label": visit.text("kculture.recall.\(prospect.recall.name)"),
        "back": words.days(prospect.days), "isGood": prospect.recall == .good,
      ]
    }
    return Page("kculture.review", title: visit.text("kculture.review.title"), model)
  }

  private func restPage(_ counts: CardCounts, visit: Visit) -> Page {
    let words = Wording(visit: visit)
    var model: [String: any Sendable] = ["isNone": counts.all == 0]
    if counts.reviewedToday > 0 { model["today"] = words.count("review.today", counts.reviewedToday) }
    if let next = counts.next {
      model["next"] = words.count("review.next", counts.nextCount, ["date": visit.format.date(next)])
      model["nextAt"] = next.rfc3339
    }
    return Page("kculture.rest", title: visit.text("kculture.review.title"), model)
  }
}
