import ArgumentParser
import Billing
import Identity

struct AuditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "The tamper-evident log of what changed accounts and money.", subcommands: [Verify.self])

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "verify", abstract: "Follows both hash chains from their first line, and the ledger's balance.")

    @OptionGroup var options: CityOptions

    func run() async throws {
      let workplace = try Workplace(options, logLevel: "warning")
      try await workplace.withCity { city in
        say("accounts: \(try await city.identity.verifyAudit()) lines, unbroken")
        let money = try await city.billing.audit.verify()
        guard money.isIntact else {
          throw Failure(description: "money: the chain is broken at line \(money.brokenAt ?? 0)")
        }
        say("money: lines \(money.first) to \(money.last), unbroken")
        let trial = try await city.billing.ledger.trialBalance()
        guard trial.differences.values.allSatisfy({ $0 == 0 }), trial.accountsAdrift == 0 else {
          throw Failure(description: "the ledger does not balance: \(trial.differences), \(trial.accountsAdrift) accounts adrift")
        }
        say("ledger: balanced")
      }
    }
  }
}
