import Foundation
import HTTPTypes
import Kit
import Web

/// What an owner does for the children in her care.
extension FamilyService {
  private static let child = Shape.object([("person", .uuid)])

  static let childEndpoints: [Endpoint<FamilyService>] = [
    .post(
      "/family/children",
      EndpointRules(
        access: .signedIn, limit: "post",
        operation: Operation(
          "addChild", "Makes an account without an e-mail in your care, and gives it a seat. Repeated, it is one child.",
          input: .object([("name", .text(1...40)), ("signInName", .text(4...30)), ("password", .string)]), output: child,
          status: 201, problems: [.invalidInput, .conflict, .forbidden, .unavailable]))
    ) { family, visit in
      var input = try await visit.input()
      return try await family.acting(visit, form: .child, input, done: "child") { person in
        let name = input.text("name", length: 1...40)
        let signInName = input.text("signInName", length: 4...30)
        let password = input.secret("password", length: 1...512)
        try input.check()
        let draft = ChildDraft(name: name, signInName: signInName, password: password)
        let child: PersonID
        do {
          child = try await family.addChild(draft, by: person)
        } catch let problem as Problem where problem.kind == .invalidInput {
          throw FamilyService.inFormTerms(problem)
        }
        return visit.wantsJSON ? .json(["person": child.description], status: .created) : nil
      }
    },
    .post(
      "/family/children/{person}/seat",
      EndpointRules(
        access: .signedIn, limit: "post",
        operation: Operation(
          "seatChild", "Gives a child in your care a seat again.", output: FamilyView.shape, problems: [.notFound, .conflict]))
    ) { family, visit in
      try await family.acting(visit, done: "seat") { person in
        try await family.giveSeat(to: PersonID(try visit.id("person")), by: person)
        return nil
      }
    },
    .post(
      "/family/children/{person}/password",
      EndpointRules(
        access: .signedIn, limit: "post",
        operation: Operation(
          "setChildPassword", "Gives a child in your care a new password; it has to sign in anew.",
          input: .object([("password", .string)]), output: child, problems: [.notFound, .invalidInput, .unavailable]))
    ) { family, visit in
      var input = try await visit.input()
      let owner = try visit.requireSession().person
      let child = PersonID(try visit.id("person"))
      do {
        let password = input.secret("password", length: 1...512)
        try input.check()
        try await family.people.setPassword(password, of: child, by: owner)
      } catch let problem as Problem where problem.kind == .invalidInput && !visit.wantsJSON {
        return try await family.childPage(visit, refused: problem)
      }
      if visit.wantsJSON { return .json(["person": child.description]) }
      return .redirect("/family/members/\(child)?done=password")
    },
  ]

  /// Identity calls a name `displayName`; the form, and the API, call it `name`.
  private static func inFormTerms(_ problem: Problem) -> Problem {
    var renamed = problem
    renamed.fields = problem.fields.map {
      $0.name == "displayName" ? Problem.Field("name", $0.code, $0.arguments) : $0
    }
    return renamed
  }
}
