import HTTPTypes
import Kit
import Testing

@testable import Identity

/// How long the issuer takes to refuse names with a wrong password, beside what a hash takes by itself.
///
/// Other tests keep the cores busy: of each the fastest says what the work itself takes. All are taken by turns, so that the
/// machine is as busy for the one as for the other.
struct SignInTimes {
  private(set) var texts: Set<String> = []
  private(set) var fastest: [String: Duration] = [:]
  private(set) var hash = Duration.seconds(60)

  /// Four rounds; more of them, up to `most`, while the names are far apart: what is quick because it does less stays so.
  init(_ city: TestCity, names: [String], most rounds: Int = 4) async throws {
    let clock = ContinuousClock()
    for round in 0..<rounds where round < 4 || !areEven {
      for name in names {
        var reply: Browser.Reply?
        let time = try await clock.measure { reply = try await SignInTimes.attempt(name, city) }
        #expect(reply?.status == 422)
        texts.insert(reply?.text ?? "")
        fastest[name] = min(fastest[name] ?? time, time)
        let own = try await clock.measure {
          _ = try await city.identity.hasher.verify("wrong wrong wrong", against: PasswordHasher.decoy)
        }
        hash = min(hash, own)
      }
    }
  }

  static func attempt(_ name: String, _ city: TestCity) async throws -> Browser.Reply {
    try await Browser(city).send(
      .post, "\(city.issuer)/signin", json: ["email": .string(name), "password": "wrong wrong wrong"])
  }

  /// All have paid for a hash; a look-up alone would take a hundredth of it.
  var areHashed: Bool { fastest.values.allSatisfy { $0 > hash / 2 } }

  var areEven: Bool {
    guard let least = fastest.values.min(), let most = fastest.values.max() else { return false }
    return areHashed && least > most / 4
  }
}
