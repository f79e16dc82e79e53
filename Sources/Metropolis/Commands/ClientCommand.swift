import ArgumentParser
import Identity
import Keys
import Kit
import Web

struct ClientCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "client", abstract: "Relying parties of the issuer that are not this city's own.", subcommands: [Add.self])

  struct Add: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "add", abstract: "Registers a client, or gives a registered one new redirect URIs and a new secret.")

    @Option(name: .long, help: "The client's id.")
    var id: String

    @Option(name: .long, help: "The name people see when they are asked for consent.")
    var name: String?

    @Option(name: .long, parsing: .singleValue, help: "A redirect URI, matched exactly. May be given several times.")
    var redirectUri: [String]

    @Option(name: .long, parsing: .singleValue, help: "Where a signed-out person may be sent, matched exactly.")
    var postLogoutRedirectUri: [String] = []

    @Flag(name: .long, help: "A client that can't keep a secret, and proves itself by PKCE alone.")
    var isPublic = false

    @OptionGroup var options: CityOptions

    func run() async throws {
      let workplace = try Workplace(options, logLevel: "warning")
      let secret = isPublic ? nil : Secret.random(bytes: 32)
      let issuer = try await workplace.withCity { city in
        try await city.identity.registerClient(
          id: id, name: LocalizedText(ko: name ?? id), redirectURIs: redirectUri, secret: secret,
          postLogoutRedirectURIs: postLogoutRedirectUri)
        return city.cities.issuer.origin
      }
      say("client_id: \(id)")
      if let secret { say("client_secret: \(secret)") }
      say("issuer: \(issuer)")
    }
  }
}
