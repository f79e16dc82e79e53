import Foundation
import Kit
import Web

/// The page of one plan, as people see it.
struct PlanModel {
  let view: StoredPlanView
  let id: PlanID
  let draft: Plan?
  /// The newest first.
  let versions: [PlanStore.Version]
  /// Live subscriptions by version.
  let counts: [Int: Int]
  let seen: String?
  /// The first day that holders can be moved.
  let earliest: CivilDate
  let catalogue: PlanCatalogue
  let desk: Desk
  let input: Input?
  let problem: Problem?

  private static let acts = ["saved", "published", "withdrawn", "discarded"]

  var page: Page {
    let language = desk.visit.language
    let name = (versions.first?.plan ?? draft)?.name(language) ?? id.text
    let said = desk.visit.query("done").flatMap { done in PlanModel.acts.first { $0 == done } }
    let form = FormState(["holders_from"], input: input, problem: problem, visit: desk.visit)
    // What was right when it was saved may fit the rules no more: its mistakes belong to the draft, not to this form.
    let stale = (problem?.fields ?? []).filter { $0.name != "holders_from" }
    var model: [String: any Sendable] = [
      "name": name, "id": id.text, "state": desk.text("plans.state.\(view.state.rawValue)"), "isSold": view.state == .sold,
      "isWithdrawn": view.state == .withdrawn, "isOurs": view.editable, "isOfCity": view.owner == "city",
      "isOfFile": view.origin == .file && view.owner != "city",
      "mayWithdraw": view.editable && view.origin == .console && view.state == .sold, "path": desk.path(of: id),
      "field": form.fields,
      "isRefused": problem != nil, "isStale": !stale.isEmpty, "earliest": earliest.description,
      "stale": stale.map { "\($0.name): \(desk.visit.text("web.field.\($0.code)", $0.arguments))" },
      "said": said.map { desk.text("done.\($0)") } ?? "", "saidHint": said.map { desk.text("done.\($0)Hint") } ?? "",
      "hasSaid": said != nil, "versions": versions.map(line), "hasVersions": !versions.isEmpty,
      "hasHolders": !counts.isEmpty, "holders": desk.text("plan.holders", ["count": desk.number(counts.values.reduce(0, +))]),
      "withdrawQuestion": desk.text("plan.withdrawQuestion", ["plan": name]),
    ]
    if let draft {
      model["draft"] =
        [
          "plans": cards(draft), "seen": seen ?? "",
          "publish": desk.text(
            versions.isEmpty ? "plan.publish" : "plan.publishVersion", ["version": "\((versions.first?.version ?? 0) + 1)"]),
        ] as [String: any Sendable]
    } else if let current = versions.first {
      model["current"] = ["plans": cards(current.plan)] as [String: any Sendable]
    }
    return Page("billing.operator-plan", title: name, desk.frame("plans").merging(model) { $1 })
  }

  /// As on /plans: by the month, and by the year where it is sold so.
  private func cards(_ plan: Plan) -> [[String: any Sendable]] {
    plan.isFree
      ? [PlanCards(catalogue: catalogue, every: .month, best: nil, visit: desk.visit, isPreview: true).card(plan, isNested: true)]
      : plan.intervals.map { every in
        PlanCards(catalogue: catalogue, every: every, best: nil, visit: desk.visit, isPreview: true).card(plan, isNested: true)
      }
  }

  private func line(_ version: PlanStore.Version) -> [String: any Sendable] {
    let yearly = version.plan.yearly.isEmpty ? "" : desk.text("plan.yearly", ["price": desk.prices(version.plan.yearly)])
    var line: [String: any Sendable] = [
      "version": desk.text("plans.version", ["version": "\(version.version)"]), "price": desk.prices(version.plan.prices),
      "yearly": yearly, "hasYearly": !yearly.isEmpty, "published": desk.visit.format.date(version.published),
      "count": desk.number(counts[version.version] ?? 0), "isNewest": version.version == versions.first?.version,
    ]
    if let day = version.holdersFrom { line["moves"] = desk.text("plan.moves", ["day": desk.visit.format.date(day)]) }
    return line
  }
}
