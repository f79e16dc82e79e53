import Foundation
import Gateway
import Kit
import Web

/// Says rules and decisions in the reader's language.
struct StartWords: Sendable {
  let visit: Visit

  init(_ visit: Visit) { self.visit = visit }

  func site(_ tenant: TenantID) -> Site? { visit.cities.tenants.first { $0.id == tenant.text } }

  func name(_ tenant: TenantID) -> String { site(tenant)?.name(visit.language) ?? tenant.text }

  private func text(_ key: String, _ arguments: [String: String] = [:]) -> String { visit.text("city.start.\(key)", arguments) }

  private func names(_ tenants: [TenantID]) -> String { tenants.map(name).joined(separator: ", ") }

  func goal(_ goal: Goal) -> String { text("goal.\(goal).title") }

  /// Whole kilometres; below ten, tenths of them.
  func kilometres(_ distance: Double) -> String {
    distance < 10 ? String(format: "%.1f", distance) : visit.format.number(Int64(distance.rounded()))
  }

  /// What a condition is about, and what it asks: “Age”, “18 or younger”.
  func condition(_ condition: RoutingCondition) -> (subject: String, asks: String) {
    (text("subject.\(code(condition))"), asks(condition))
  }

  private func code(_ condition: RoutingCondition) -> String {
    switch condition {
    case .age: "age"
    case .goal: "goal"
    case .major: "major"
    case .interest: "interest"
    case .language: "language"
    case .place: "place"
    case .near: "near"
    }
  }

  private func asks(_ condition: RoutingCondition) -> String {
    switch condition {
    case .age(let comparison, let years): text("age.\(comparison)", ["years": "\(years)"])
    case .goal(let goals): goals.map(goal).joined(separator: ", ")
    case .major(let majors): majors.isEmpty ? text("any") : majors.joined(separator: ", ")
    case .interest(let words), .language(let words): words.joined(separator: ", ")
    case .place(let tenant): name(tenant)
    case .near(let tenant, let most): text("nearby", ["name": name(tenant), "distance": kilometres(most)])
    }
  }

  private func finding(_ condition: RoutingCondition, _ state: String) -> StartView.Reason {
    let code = code(condition)
    return .init(code: "\(code).\(state)", text: text("finding.\(code).\(state)", ["asks": asks(condition)]))
  }

  /// Why the rule held, and why it led where it did.
  func reasons(_ decision: RoutingDecision) -> [StartView.Reason] {
    var reasons: [StartView.Reason] = []
    for condition in decision.rule.conditions {
      if case .goal = condition {
        let state = decision.isGoalInferred ? "inferred" : "holds"
        reasons.append(
          .init(code: "goal.\(state)", text: text("finding.goal.\(state)", ["asks": goal(decision.goal)])))
      } else {
        reasons.append(finding(condition, "holds"))
      }
    }
    if decision.rule.conditions.isEmpty { reasons.append(.init(code: "everyone", text: text("finding.everyone"))) }
    if case .nearest = decision.rule.destination, let town = decision.town { reasons.append(place(town)) }
    switch decision.seat {
    case .first: break
    case .member: reasons.append(.init(code: "seat.member", text: text("seat.member")))
    case .overflow(let full):
      reasons.append(.init(code: "seat.overflow", text: text("seat.overflow", ["full": names(full)])))
    case .allFull: reasons.append(.init(code: "seat.allFull", text: text("seat.allFull")))
    }
    return reasons
  }

  func place(_ town: FoundTown) -> StartView.Reason {
    switch town.how {
    case .inside: .init(code: "town.inside", text: text("found.inside", ["name": name(town.tenant)]))
    case .nearest(let distance):
      .init(
        code: "town.nearest", text: text("found.nearest", ["name": name(town.tenant), "distance": kilometres(distance)]))
    }
  }

  /// What kept a rule from holding.
  func obstacle(_ obstacle: RoutingDecision.Obstacle) -> StartView.Reason {
    switch obstacle {
    case .fails(let condition): finding(condition, "fails")
    case .unknown(let condition): finding(condition, "unknown")
    case .closed(let tenant): .init(code: "closed", text: text("obstacle.closed", ["name": name(tenant)]))
    case .noPlace: .init(code: "noPlace", text: text("obstacle.noPlace"))
    case .noTown: .init(code: "noTown", text: text("obstacle.noTown"))
    case .tooFar(let tenant, let distance, let most):
      .init(
        code: "tooFar",
        text: text(
          "obstacle.tooFar", ["name": name(tenant), "distance": kilometres(distance), "most": kilometres(most)]))
    }
  }

  /// Where a rule leads, whoever comes.
  func destination(_ rule: RoutingRules.Rule) -> String {
    switch rule.destination {
    case .tenant(let tenant): name(tenant)
    case .nearest(let kind, let most):
      text("destination.nearest", ["kind": visit.text("web.kind.\(kind)"), "distance": kilometres(most)])
    }
  }

  /// When a rule overflows, and where to.
  func overflow(_ rule: RoutingRules.Rule) -> String? {
    guard let capacity = rule.capacity else { return nil }
    return text(
      "destination.overflow.\(capacity.measure)",
      ["most": visit.format.number(Int64(capacity.most)), "names": names(rule.overflow)])
  }
}
