import ArgumentParser
import Billing
import Foundation
import Kit

struct FinanceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "finance", abstract: "The books: a month for the programs finance works with.",
    subcommands: [Export.self, Check.self, Close.self])

  /// - Throws: ``Failure`` that names what was found and expected.
  static func month(_ text: String) throws -> Month {
    guard let month = Month(text) else { throw Failure(description: "--month: found \(text), expected YYYY-MM, such as 2026-11") }
    return month
  }

  struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "export", abstract: "Writes the postings of a month. The file is whole and balanced, or there is none.",
      discussion: """
        A month that is not over is exported as provisional; a closed one is compared with what was sealed.
        """)

    @Option(name: .long, help: "The month, YYYY-MM, in the city's time zone.")
    var month: String

    @Option(name: .long, help: "hledger, beancount, csv or xlsx.")
    var format: String

    @Option(
      name: .long,
      help: """
        A file, a folder that exists (of hledger and beancount it gets the shared body and a file for each), or - for standard \
        output. By default a file in this folder, named by its month.
        """)
    var output: String?

    @OptionGroup var options: CityOptions

    func run() async throws {
      let month = try FinanceCommand.month(month)
      guard let format = LedgerExport.Format(rawValue: format) else {
        let formats = LedgerExport.Format.allCases.map(\.rawValue).joined(separator: ", ")
        throw Failure(description: "--format: found \(format), expected one of \(formats)")
      }
      let workplace = try Workplace(options, logLevel: "warning")
      try await workplace.withCity { city in
        do {
          try await write(month, format, city.billing.ledgerExport)
        } catch let refusal as LedgerExport.Refusal {
          if case .unwritable = refusal {
            throw Failure(description: "--output: \(refusal), expected a place this user may write")
          }
          throw Failure(description: "\(refusal)")
        }
      }
    }

    private func write(_ month: Month, _ format: LedgerExport.Format, _ export: LedgerExport) async throws {
      guard let output else {
        let (summary, file) = try await export.write(month, format, named: ".")
        return say("\(file): \(FinanceCommand.line(summary))")
      }
      var isFolder: ObjCBool = false
      if output == "-" {
        let summary = try await export.writeChecked(month, format) { bytes in
          // Throws when the reader has gone, where FileHandle's older ways would stop the process.
          try FileHandle.standardOutput.write(contentsOf: bytes)
        }
        try FileHandle.standardError.write(contentsOf: Data("\(FinanceCommand.line(summary))\n".utf8))
      } else if FileManager.default.fileExists(atPath: output, isDirectory: &isFolder), isFolder.boolValue {
        let (summary, files) = try await export.write(month, format, folder: output)
        say("\(files.joined(separator: ", ")) in \(output): \(FinanceCommand.line(summary))")
      } else {
        let summary = try await export.write(month, format, file: output)
        say("\(output): \(FinanceCommand.line(summary))")
      }
    }
  }

  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check", abstract: "Reads a month again and compares postings, sums, balances and what was sealed.")

    @Option(name: .long, help: "The month, YYYY-MM, in the city's time zone.")
    var month: String

    @OptionGroup var options: CityOptions

    func run() async throws {
      let month = try FinanceCommand.month(month)
      let workplace = try Workplace(options, logLevel: "warning")
      try await workplace.withCity { city in
        do {
          let summary = try await city.billing.ledgerExport.check(month)
          say("\(FinanceCommand.line(summary))\nsha-256 \(summary.figures.digestText)")
        } catch let refusal as LedgerExport.Refusal {
          throw Failure(description: "\(refusal)")
        }
      }
    }
  }

  struct Close: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "close", abstract: "Closes a month for good: nothing is booked into it afterwards.")

    @Option(name: .long, help: "The month, YYYY-MM, in the city's time zone.")
    var month: String

    @OptionGroup var options: CityOptions

    func run() async throws {
      let month = try FinanceCommand.month(month)
      let workplace = try Workplace(options, logLevel: "warning")
      try await workplace.withCity { city in
        do {
          try await city.finance.tick()
          _ = try await city.finance.close(month, by: "command")
          say("\(month): closed")
        } catch let refusal as CloseRefusal {
          let members = refusal.problem.members.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
          throw Failure(description: "\(month) can't be closed: \(members.joined(separator: ", "))")
        } catch let problem as Problem where problem.kind == .notFound {
          throw Failure(description: "\(month) can't be closed: found no entry in it or before it")
        }
      }
    }
  }

  static func line(_ summary: LedgerExport.Summary) -> String {
    let figures = summary.figures
    let sums = figures.debits.sorted { $0.key.rawValue < $1.key.rawValue }.map { currency, amount in
      "\(Money(amount, currency).decimal) \(currency.rawValue)"
    }
    let state =
      switch summary.state {
      case .provisional: "provisional, the month is not over"
      case .open: "not closed"
      case .closed: "closed, as it was sealed"
      }
    return "\(summary.month) (\(state)): \(figures.entries) entries, \(figures.postings) postings, balanced"
      + (sums.isEmpty ? "" : "; debits and credits \(sums.joined(separator: ", ")) each")
  }
}
