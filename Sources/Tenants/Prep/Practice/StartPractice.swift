import Kit
import TenantKit
import Web

extension Prep {
  /// `POST /practice`: serves an item and goes to it.
  static var startPractice: Endpoint<Prep> {
    .post(
      "/practice",
      EndpointRules(
        access: .signedIn, limit: "practice",
        operation: Operation(
          "startPractice",
          "Serves an item: the one left open (200), or a new one, which takes a unit of the month's allowance (201)",
          input: .object([("topic?", .string)]), output: AttemptView.shape, status: 201,
          problems: [.quotaExceeded, .conflict, .keyReused]))
    ) { prep, visit in
      let person = try visit.requireSession().person
      var input = try await visit.input()
      let topic = input.text("topic", length: 0...64)
      try input.check()
      do {
        let served = try await prep.practice.serve(
          person, topic: topic.isEmpty ? nil : topic, key: try visit.idempotencyKey(input))
        guard visit.wantsJSON else { return .redirect("/practice/\(served.attempt.id.text)") }
        var allowance = served.allowance
        if allowance == nil {
          allowance = try await prep.services.entitlements.check(person, Practice.feature, at: prep.tenant.id)
        }
        return .json(
          AttemptView(served.attempt, served.item, allowance: allowance, visit: visit),
          status: httpStatus(served.isNew ? 201 : 200))
      } catch let problem as Problem where problem.kind == .quotaExceeded {
        return try Quota(problem, namespace: "prep", aside: .init("/history", labelKey: "prep.quota.history")).answer(to: visit)
      } catch Practice.Refusal.noItems {
        throw Problem(.conflict, ["reason": visit.text("prep.refusal.noItems")])
      }
    }
  }
}
