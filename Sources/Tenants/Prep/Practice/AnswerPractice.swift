import Kit
import TenantKit
import Web

extension Prep {
  /// `POST /practice/{id}/answer`: takes the answer, once.
  static var answerPractice: Endpoint<Prep> {
    .post(
      "/practice/{id}/answer",
      EndpointRules(
        access: .signedIn, limit: "practice",
        operation: Operation(
          "answerPractice",
          "Answers an item: the choice from 0, or a number like 12, -0.5 or 3/4; skip when she does not know",
          input: .object([("answer?", .string), ("skip?", .boolean)]), output: AttemptView.shape,
          problems: [.notFound, .conflict]))
    ) { prep, visit in
      let person = try visit.requireSession().person
      let id = try visit.id()
      var input = try await visit.input()
      let (attempt, item) = try await prep.practice.attempt(id, of: person)
      let given = GivenAnswer.read(&input, for: item)
      do throws(Problem) {
        try input.check()
      } catch {
        guard !visit.wantsJSON, attempt.result == nil else { throw error }
        let form = FormState(["answer"], input: input, problem: error, visit: visit)
        return .page(try await prep.page(attempt, item, form: form, visit: visit), status: httpStatus(422))
      }
      // What could not be read was refused above.
      guard let given else { throw Problem(.invalidInput) }
      do {
        let answered = try await prep.practice.answer(
          id, of: person, item: item, with: given, name: Wording(visit: visit).title(of: item))
        guard visit.wantsJSON else { return .redirect("/practice/\(id.text)") }
        return .json(AttemptView(answered, item, visit: visit))
      } catch Practice.Refusal.answeredOtherwise {
        throw Problem(.conflict, ["reason": visit.text("prep.refusal.answeredOtherwise")])
      }
    }
  }
}
