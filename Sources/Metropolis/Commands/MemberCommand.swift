import ArgumentParser
import Foundation
import Identity
import Kit
import Web

struct MemberCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "member", abstract: "The posts of the city's staff: who may do what at the console.",
    subcommands: [Grant.self, Withdraw.self, List.self])

  /// Whom and what a post is given to or taken from.
  struct Choice: ParsableArguments {
    @Option(name: .long, help: "The e-mail address of a registered account.")
    var email: String

    @Option(name: .long, help: "A tenant's id, or city.")
    var at: String

    @Option(name: .long, help: "operator (of a tenant, or of the city) or finance (of the city).")
    var role: String

    /// - Throws: ``Failure`` that names what was found and what was expected.
    func post(tenants: [String]) throws -> StaffPost {
      let places = [StaffPost.city] + tenants
      guard places.contains(at) else {
        throw Failure(description: "--at: found “\(at)”, expected one of \(places.joined(separator: ", "))")
      }
      guard let role = StaffPost.Role(rawValue: role) else {
        let roles = StaffPost.Role.allCases.map(\.rawValue).joined(separator: ", ")
        throw Failure(description: "--role: found “\(self.role)”, expected one of \(roles)")
      }
      guard let post = StaffPost(role, at: at) else {
        throw Failure(description: "--at: found “\(at)”, expected \(StaffPost.city): \(role.rawValue) is a post of the city")
      }
      return post
    }

    func person(in city: City) async throws -> PersonID {
      guard let person = try await city.identity.person(email: email) else {
        throw Failure(description: "--email: found an address that no account has, expected that of a registered account")
      }
      return person
    }
  }

  struct Grant: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "grant", abstract: "Gives someone a post. Audited.")

    @OptionGroup var choice: Choice
    @OptionGroup var options: CityOptions

    func run() async throws {
      let workplace = try Workplace(options, logLevel: "warning")
      try await workplace.withCity { city in
        let post = try choice.post(tenants: city.configuration.tenants.map(\.id.text))
        let person = try await choice.person(in: city)
        let held = try await city.identity.roles(of: person, at: post.place).contains(post.role.rawValue)
        try await city.identity.grant(person, at: post.place, role: post.role.rawValue)
        say(held ? "\(choice.email) was \(post) already." : "\(choice.email) is \(post) from now on.")
        if let console = city.cities.console { say("console: \(console.origin)") }
      }
    }
  }

  struct Withdraw: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "withdraw", abstract: "Takes someone's post away. Audited.")

    @OptionGroup var choice: Choice
    @OptionGroup var options: CityOptions

    func run() async throws {
      let workplace = try Workplace(options, logLevel: "warning")
      try await workplace.withCity { city in
        let post = try choice.post(tenants: city.configuration.tenants.map(\.id.text))
        let person = try await choice.person(in: city)
        let held = try await city.identity.roles(of: person, at: post.place).contains(post.role.rawValue)
        guard held else {
          let posts = StaffPost.among(try await city.identity.memberships(of: person)).map(\.description)
          throw Failure(
            description: "\(choice.email): found \(posts.isEmpty ? "no post" : posts.joined(separator: ", ")), expected \(post)")
        }
        try await city.identity.withdraw(person, at: post.place, role: post.role.rawValue)
        say("\(choice.email) is no longer \(post). A session that is open loses it at once.")
      }
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists who has which post.")

    @OptionGroup var options: CityOptions

    func run() async throws {
      let workplace = try Workplace(options, logLevel: "warning")
      try await workplace.withCity { city in
        let all = try await city.identity.memberships(roles: Set(StaffPost.Role.allCases.map(\.rawValue)))
        let rows = all.compactMap { one in
          StaffPost(Membership(tenant: one.tenant, role: one.role)).map { (post: $0, one: one) }
        }.sorted { $0.post < $1.post }
        if rows.isEmpty { say("Nobody has a post. Give the first: metropolis member grant --email E --at city --role operator") }
        let width = rows.map(\.post.description.count).max() ?? 0
        for row in rows {
          let post = row.post.description.padding(toLength: width, withPad: " ", startingAt: 0)
          say("\(post)  \(row.one.email ?? row.one.person.description)  \(row.one.displayName)")
        }
      }
    }
  }
}
