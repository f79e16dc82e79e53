import Kit
public import Web

/// `/account` of the city's own site: what a person did, everywhere, and what she has.
extension RecordsService {
  /// For the city's own site.
  public var routes: [SiteRouter.Route] { RecordsService.endpoints.map { SiteRouter.Route($0, of: self) } }

  private static let page: [Operation.Parameter] = [
    .init("before", "Go on at what is older than this: `next` of the answer before."),
    .init("limit", "Entries at most, from 1 to 100; 20 when left out.", .integer),
  ]

  static var endpoints: [Endpoint<RecordsService>] {
    [
      .get(
        "/account",
        .init(
          access: .signedIn,
          operation: Operation(
            "account", "Your timeline over all tenants, subscription, allowances, points and memberships.", query: page,
            output: AccountView.shape, problems: [.invalidInput]))
      ) { service, visit in try await service.account(visit) },
      .get(
        "/account/timeline",
        .init(
          access: .signedIn,
          operation: Operation(
            "accountTimeline", "What you did in all tenants, newest first.", query: page, output: TimelineView.shape,
            problems: [.invalidInput]))
      ) { service, visit in .json(TimelineView(try await service.timeline(visit), visit: visit)) },
    ]
  }

  private func timeline(_ visit: Visit) async throws -> Timeline {
    let person = try visit.requireSession().person
    var input = Input(["limit": visit.query("limit").map { .string($0) } ?? .null])
    let limit = input.int("limit", in: 1...100) ?? 20
    var cursor: TimelineCursor?
    if let text = visit.query("before"), !text.isEmpty {
      cursor = TimelineCursor(text)
      if cursor == nil { input.refuse("before", "type", ["expected": "next"]) }
    }
    try input.check()
    return try await timeline(person, before: cursor, limit: limit)
  }

  private func account(_ visit: Visit) async throws -> Answer {
    let session = try visit.requireSession()
    let (person, panels, logger) = (session.person, self.panels, visit.logger)
    async let subscription = panel("subscription", logger: logger) {
      try await panels.subscriptions?.subscription(person, visit)
    }
    async let allowances = panel("allowances", logger: logger) { try await panels.allowances?.allowances(person) }
    async let points = panel("points", logger: logger) { try await panels.points?.points(person) }
    async let memberships = panel("memberships", logger: logger) { try await panels.memberships?.memberships(person) }
    let timeline = try await timeline(visit)
    let view = AccountView(
      name: session.displayName, timeline: TimelineView(timeline, visit: visit),
      subscription: await subscription.map { SubscriptionView($0, language: visit.language) },
      allowances: await allowances?.map { AccountView.Allowance($0, visit: visit) },
      points: await points.map { .init(amount: $0.minorUnits, currency: $0.currency.rawValue) },
      memberships: await memberships?.map { AccountView.Membership($0, visit: visit) })

    var model: [String: any Sendable] = [
      "greeting": visit.text("records.account.greeting", ["name": session.displayName]),
      "entries": timeline.entries.map { $0.model(visit) },
      "hasEntries": !timeline.entries.isEmpty,
      "isOlder": visit.query("before").map { !$0.isEmpty } ?? false,
      "olderURL": timeline.next.map { "/account?before=\($0)" } ?? "",
      "hasOlder": timeline.next != nil,
    ]
    if let subscription = await subscription { model["subscription"] = subscription.model(visit) }
    if let points = await points { model["points"] = ["amount": visit.format.money(points)] }
    let parts = await allowances ?? []
    model["allowances"] = parts.enumerated().map { index, part in
      part.model(visit, index: index, isOneOfSeveral: parts.count { $0.title == part.title } > 1)
    }
    let rows = (await memberships ?? []).compactMap { $0.model(visit) }
    model["memberships"] = rows
    model["hasMemberships"] = !rows.isEmpty
    return .page(Page("records.account", title: visit.text("records.account.title"), model), json: view)
  }
}

/// The account as programs get it. A part that could not be had is absent.
struct AccountView: Encodable, Sendable {
  struct Allowance: Encodable, Sendable {
    let title: String
    let used: Int
    let limit: Int?
    let renews: String?
    let tenants: [String]

    init(_ allowance: AccountAllowance, visit: Visit) {
      title = allowance.title(visit.language)
      used = allowance.used
      limit = allowance.limit
      renews = allowance.renews?.rfc3339
      tenants = allowance.tenants.map(\.text)
    }
  }
  struct Points: Encodable, Sendable {
    let amount: Int64
    let currency: String
  }
  struct Membership: Encodable, Sendable {
    let tenant: String
    let tenantName: String
    let roles: [String]

    init(_ membership: AccountMembership, visit: Visit) {
      tenant = membership.tenant.text
      tenantName = visit.cities.site(tenant)?.name(visit.language) ?? tenant
      roles = membership.roles
    }
  }

  let name: String
  let timeline: TimelineView
  let subscription: SubscriptionView?
  let allowances: [Allowance]?
  let points: Points?
  let memberships: [Membership]?

  static let shape: Shape = .object([
    ("name", .string), ("timeline", TimelineView.shape), ("subscription?", SubscriptionView.shape),
    (
      "allowances?",
      .array(
        .object([
          ("title", .string), ("used", .integer), ("limit?", .integer), ("renews?", .instant), ("tenants", .array(.string)),
        ]))
    ),
    ("points?", .object([("amount", .integer), ("currency", .string)])),
    (
      "memberships?",
      .array(.object([("tenant", .string), ("tenantName", .string), ("roles", .array(.string))]))
    ),
  ])
}

extension AccountAllowance {
  /// The share of a limit from which a reader is told that it comes to its end.
  private static let nearlyAll = 80

  func model(_ visit: Visit, index: Int, isOneOfSeveral: Bool) -> [String: any Sendable] {
    let title = title(visit.language)
    let heading = title.prefix(1).uppercased() + title.dropFirst()
    var model: [String: any Sendable] = ["heading": heading, "anchor": "allowance-\(index)"]
    if isOneOfSeveral {
      model["place"] = tenants.compactMap { visit.cities.site($0.text)?.name(visit.language) }.joined(separator: ", ")
    }
    guard let limit, limit > 0 else {
      model["isLimited"] = false
      model["summary"] = visit.text("records.allowance.unlimited")
      return model
    }
    model["isLimited"] = true
    model["used"] = min(used, limit)
    model["limit"] = limit
    // Calm below `low`, a warning from there on, and the last colour when nothing is left.
    let low = limit * AccountAllowance.nearlyAll / 100
    model["low"] = low
    model["high"] = max(limit - 1, low)
    model["isUsedUp"] = used >= limit
    model["isNearlyUsedUp"] = used < limit && used >= limit * AccountAllowance.nearlyAll / 100
    let figures = ["used": visit.format.number(Int64(used)), "limit": visit.format.number(Int64(limit))]
    model["figures"] = visit.text("records.allowance.figures", figures)
    model["summary"] =
      renews.map { visit.text("records.allowance.renews", figures.merging(["day": visit.format.date($0)]) { $1 }) }
      ?? visit.text("records.allowance.figures", figures)
    return model
  }
}

extension AccountMembership {
  /// `nil` for a tenant that is no longer in the city.
  func model(_ visit: Visit) -> [String: any Sendable]? {
    guard let site = visit.cities.site(tenant.text) else { return nil }
    // At the console a role says where it holds: `operator@jeju`.
    let names = roles.map { role in
      let halves = role.split(separator: "@", maxSplits: 1)
      let key = "records.role.\(halves.first ?? "")"
      let name = visit.catalogue.has(key) ? visit.text(key) : role
      guard halves.count == 2, let place = visit.cities.site(String(halves[1])) else { return name }
      return "\(place.name(visit.language)) \(name)"
    }
    return [
      "site": site.id, "siteName": site.name(visit.language), "siteURL": site.origin.url(), "mark": site.look.mark,
      "roles": names.joined(separator: ", "),
    ]
  }
}
