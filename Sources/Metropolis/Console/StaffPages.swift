import Foundation
import HTTPTypes
import Identity
import Kit
import Web

/// Who may do what, for who runs the city.
extension Console {
  static let staffEndpoints: [Endpoint<Console>] = [
    .get(
      "/city/staff",
      .init(
        access: cityOperator,
        operation: Operation("listStaff", "Who has which post.", output: .object([("staff", .array(StaffView.shape))])))
    ) { console, visit in try await console.staff(visit) },
    .post(
      "/city/staff",
      .init(
        access: cityOperator,
        operation: Operation(
          "grantPost", "Gives a post to the account of an e-mail address. One that is held already stays as it is.",
          input: .object([("email", .text(1...254)), ("post", .string)]), output: StaffView.shape, status: 201))
    ) { console, visit in try await console.grant(visit) },
    .post(
      "/city/staff/{person}/withdraw",
      .init(
        access: cityOperator,
        operation: Operation(
          "withdrawPost", "Takes a post away. Nobody takes their own.", input: .object([("post", .string)]), status: 204,
          problems: [.notFound, .conflict]))
    ) { console, visit in try await console.withdraw(visit) },
  ]

  struct StaffView: Encodable, Sendable {
    let person: String
    let name: String
    let email: String?
    let post: String
    let place: String
    let role: String
    let granted: String

    init(_ membership: StaffMembership, _ post: StaffPost) {
      person = membership.person.description
      name = membership.displayName
      email = membership.email
      self.post = "\(post)"
      place = post.place
      role = post.role.rawValue
      granted = membership.granted.rfc3339
    }

    static let shape: Shape = .object([
      ("person", .uuid), ("name", .string), ("email?", .string), ("post", .string), ("place", .string),
      ("role", .choice(StaffPost.Role.allCases.map(\.rawValue))), ("granted", .instant),
    ])
  }

  private func holders() async throws -> [(membership: StaffMembership, post: StaffPost)] {
    try await identity.memberships(roles: Set(StaffPost.Role.allCases.map(\.rawValue))).compactMap { membership in
      StaffPost(Membership(tenant: membership.tenant, role: membership.role)).map { (membership, $0) }
    }.sorted { $0.post < $1.post }
  }

  private func staff(_ visit: Visit, input: Input? = nil, problem: Problem? = nil) async throws -> Answer {
    let holders = try await holders()
    let here = try visit.requireSession().person
    let form = FormState(["email", "post"], input: input, problem: problem, visit: visit)
    let chosen = input?.typed("post") ?? ""
    let posts = StaffPost.all(tenants: tenants)
    return .page(
      json: ["staff": holders.map { StaffView($0.membership, $0.post) }], status: problem == nil ? .ok : .unprocessableContent
    ) {
      Page(
        "city.console-staff", title: visit.text("city.console.staff.title"),
        [
          "field": form.fields, "isRefused": problem != nil,
          "posts": posts.map { post -> [String: any Sendable] in
            ["value": "\(post)", "name": Console.name(of: post, visit), "isChosen": "\(post)" == chosen]
          },
          "holders": holders.map { membership, post -> [String: any Sendable] in
            [
              "name": membership.displayName, "email": membership.email ?? "", "person": membership.person.description,
              "post": "\(post)", "postName": Console.name(of: post, visit), "site": post.place,
              "since": visit.format.date(membership.granted),
              "isHerself": membership.person == here && post.isOfCity
                && post.role == .operator,
              "question": visit.text(
                "city.console.staff.withdrawQuestion",
                ["name": membership.displayName, "post": Console.name(of: post, visit)]),
            ]
          },
          "saidGranted": visit.query("done") == "granted", "saidWithdrawn": visit.query("done") == "withdrawn",
        ])
    }
  }

  static func name(of post: StaffPost, _ visit: Visit) -> String {
    let role = visit.text("city.console.role.\(post.role.rawValue)")
    let place = post.isOfCity ? visit.text("city.console.place.city") : placeName(post.place, visit)
    return visit.text("city.console.post", ["place": place, "role": role])
  }

  private func grant(_ visit: Visit) async throws -> Answer {
    var input = try await visit.input()
    do {
      let email = input.text("email", length: 1...254)
      let post = readPost(&input)
      var person: PersonID?
      if !email.isEmpty {
        person = try await identity.person(email: email)
        if person == nil { input.refuse("email", email.contains("@") ? "unknownAccount" : "email") }
      }
      try input.check()
      guard let person, let post else { throw Problem(.invalidInput) }
      let actor = try visit.requireSession().person
      try await identity.grant(person, at: post.place, role: post.role.rawValue, by: actor)
      guard visit.wantsJSON else { return .redirect("/city/staff?done=granted") }
      guard let holder = try await holders().first(where: { $0.membership.person == person && $0.post == post }) else {
        throw Problem(.conflict, ["reason": "\(post)"])
      }
      return .json(StaffView(holder.membership, holder.post), status: .created)
    } catch let problem as Problem where problem.kind == .invalidInput && !visit.wantsJSON {
      return try await staff(visit, input: input, problem: problem)
    }
  }

  private func readPost(_ input: inout Input) -> StaffPost? {
    let text = input.text("post", length: 1...100)
    guard !text.isEmpty else { return nil }
    let posts = StaffPost.all(tenants: tenants)
    guard let post = StaffPost(text), posts.contains(post) else {
      input.refuse("post", "choice", ["allowed": posts.map(\.description).joined(separator: ", ")])
      return nil
    }
    return post
  }

  /// A post at a tenant that has left the city can be taken away too, so any post that can be read will do.
  private func withdraw(_ visit: Visit) async throws -> Answer {
    var input = try await visit.input()
    let text = input.text("post", length: 1...100)
    try input.check()
    let person = PersonID(try visit.id("person"))
    let actor = try visit.requireSession().person
    guard let post = StaffPost(text) else {
      let allowed = StaffPost.all(tenants: tenants).map(\.description).joined(separator: ", ")
      throw Problem(.invalidInput, fields: [Problem.Field("post", "choice", ["allowed": allowed])])
    }
    // So the city is never left without someone who can let others in.
    if person == actor, post.isOfCity, post.role == .operator {
      throw Problem(.conflict, ["reason": visit.text("city.console.staff.ownPost")])
    }
    let held = try await identity.roles(of: person, at: post.place).contains(post.role.rawValue)
    if held { try await identity.withdraw(person, at: post.place, role: post.role.rawValue, by: actor) }
    if !held, visit.wantsJSON { throw Problem(.notFound) }
    return visit.wantsJSON ? .noContent : .redirect("/city/staff?done=withdrawn")
  }
}
