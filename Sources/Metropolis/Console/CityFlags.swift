import Foundation
import HTTPTypes
import Identity
import Kit
import Web

/// Risky changes, and for how many they are on: the city's operators turn them up, and off at once.
///
/// What is set here is a version of the configuration: every node follows it, and the file's next application respects it.
extension Console {
  static let flagEndpoints: [Endpoint<Console>] = [
    .post(
      "/city/flags/{flag}",
      .init(
        access: cityOperator,
        operation: Operation(
          "setFlagShare", "For what share of people a change is on, in percent: 0 turns it off for all but its roles.",
          input: .object([("share", .number)]), output: FlagView.shape, problems: [.notFound]))
    ) { console, visit in try await console.setShare(visit) }
  ]

  /// The steps a person chooses from; programs may name any share.
  private static let steps = [0, 100, 500, 1_000, 2_500, 5_000, FlagRules.whole]

  private func setShare(_ visit: Visit) async throws -> Answer {
    guard let name = visit.parameter("flag"), flags.rules[name] != nil else { throw Problem(.notFound) }
    let actor = try visit.requireSession().person
    var input = try await visit.input()
    // Nothing said must not turn a change off.
    if !input.has("share") { input.refuse("share", "required") }
    let percent = input.number("share", in: 0...100)
    try input.check()
    let share = Int(((percent ?? 0) * 100).rounded())
    let version = try await observer.configurations.change(
      [ConfigurationPath(["flags", name, "share"]): .scalar(FlagView.percent(share))], by: actor.description,
      file: "the live configuration")
    try await identity.note(
      "flag.changed", actor: actor, subject: nil,
      detail: ["flag": .string(name), "share": .integer(Int64(share)), "version": .integer(Int64(version))])
    // This node hears of it like any other. The page that comes next shall show it.
    for _ in 0..<100 where flags.rules[name]?.share != share { try await Task.sleep(for: .milliseconds(10)) }
    guard visit.wantsJSON else { return .redirect("/city?done=flag") }
    guard let flag = flags.rules[name] else { throw Problem(.notFound) }
    return .json(FlagView(flag))
  }

  /// The page's part.
  func flagsModel(_ visit: Visit) -> [String: any Sendable] {
    let rules = flags.rules
    return [
      "flags": rules.flags.map { flag -> [String: any Sendable] in
        let steps = Console.steps.contains(flag.share) ? Console.steps : (Console.steps + [flag.share]).sorted()
        let places = flag.tenants.map { tenants in
          tenants.sorted().map { Console.placeName($0.text, visit) }.joined(separator: ", ")
        }
        return [
          "name": flag.name, "about": flag.about, "isOff": flag.share == 0,
          "share": visit.text("city.console.flags.share", ["percent": FlagView.percent(flag.share)]),
          "places": places ?? visit.text("city.console.flags.everywhere"),
          "roles": flag.roles.sorted().joined(separator: ", "), "hasRoles": !flag.roles.isEmpty,
          "url": "/city/flags/\(flag.name)",
          "steps": steps.map { step -> [String: any Sendable] in
            ["percent": FlagView.percent(step), "isChosen": step == flag.share]
          },
        ]
      },
      "hasFlags": !rules.flags.isEmpty, "saidFlag": visit.query("done") == "flag",
    ]
  }
}

/// A flag as programs get it.
struct FlagView: Encodable, Sendable {
  let name: String
  let about: String
  /// Percent, as it is written: `2.5`.
  let share: String
  let roles: [String]
  /// Absent: everywhere.
  let tenants: [String]?

  init(_ flag: FlagRules.Flag) {
    (name, about, share) = (flag.name, flag.about, FlagView.percent(flag.share))
    (roles, tenants) = (flag.roles.sorted(), flag.tenants.map { $0.map(\.text).sorted() })
  }

  static let shape = Shape.object([
    ("name", .string), ("about", .string), ("share", .string), ("roles", .array(.string)), ("tenants?", .array(.string)),
  ])

  /// Hundredths of a percent as a percentage: 250 is `2.5`.
  static func percent(_ hundredths: Int) -> String {
    let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
    if rest == 0 { return "\(whole)" }
    return rest.isMultiple(of: 10) ? "\(whole).\(rest / 10)" : "\(whole).\(rest < 10 ? "0" : "")\(rest)"
  }
}
