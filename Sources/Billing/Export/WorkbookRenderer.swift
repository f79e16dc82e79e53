import Database
import Documents
import Foundation
import Kit

/// A workbook: a sheet of sums, and one for the postings of each currency. Figures are numbers.
///
/// The workbook is a file of its own until it is closed; only then are there bytes to give on.
final class WorkbookRenderer: LedgerRenderer {
  static let wantsDetails = true

  let path: String
  private let books: MonthBooks
  private let workbook: Spreadsheet
  private let summary: Sheet
  private let sheets: [Currency: Sheet]

  init(_ books: MonthBooks) throws {
    self.books = books
    path = FileManager.default.temporaryDirectory.appending(path: "metropolis-\(UUID().uuidString).xlsx").path
    let created = Date(timeIntervalSince1970: Double(books.month.next.daysSinceEpoch) * 86_400)
    workbook = try Spreadsheet(path: path, title: "Ledger \(books.month)", created: created)
    summary = try workbook.sheet(
      "Summary",
      columns: [
        .init("control_account", width: 44), .init("currency", width: 10), .init("entity", width: 18),
        .init("opening", isFigure: true), .init("debit", isFigure: true), .init("credit", isFigure: true),
        .init("closing", isFigure: true),
      ])
    var sheets: [Currency: Sheet] = [:]
    for currency in books.currencies {
      sheets[currency] = try workbook.sheet(
        currency.rawValue,
        columns: [
          .init("booked_on", width: 12), .init("occurred_at", width: 25), .init("entry", width: 38),
          .init("line", width: 6, isFigure: true), .init("key", width: 44), .init("description", width: 22),
          .init("account", width: 52), .init("control_account", width: 44), .init("debit", isFigure: true),
          .init("credit", isFigure: true), .init("entity", width: 18), .init("tenant", width: 14), .init("invoice", width: 38),
          .init("payment", width: 38), .init("reverses", width: 38),
        ])
    }
    self.sheets = sheets
  }

  func begin(into bytes: inout [UInt8]) {}

  func add(_ posting: borrowing PostingRow, into bytes: inout [UInt8]) throws {
    let account = books.lines[posting.account].account
    let (row, first) = (posting.row, PostingPages.detail)
    func text(_ column: Int) throws -> Spreadsheet.Cell {
      try row.get(first + column, as: String?.self).map { .text($0) } ?? .empty
    }
    let magnitude = WorkbookRenderer.cell(abs(posting.amount), account.currency)
    try sheets[account.currency]?.append([
      WorkbookRenderer.cell(CivilDate(daysSinceEpoch: posting.booked)),
      .text(try row.get(first, as: Instant.self).rfc3339), .text(posting.entry.uuid.text), .integer(Int64(posting.line)),
      try text(1), .text(posting.description.text), .text(posting.code.text), .text(account.name),
      posting.amount > 0 ? magnitude : .empty, posting.amount > 0 ? .empty : magnitude, .text(account.entity),
      account.tenant.isEmpty ? try text(4) : .text(account.tenant), try text(2), try text(3), try text(5),
    ])
  }

  func end(into bytes: inout [UInt8]) throws {
    for line in books.lines {
      try summary.append(
        [.text(line.account.name), .text(line.account.currency.rawValue), .text(line.account.entity)]
          + [line.opening, line.debit, line.credit, line.closing].map { WorkbookRenderer.cell($0, line.account.currency) })
    }
    for currency in books.currencies {
      let own = books.lines.filter { $0.account.currency == currency }
      let sums = [\MonthBooks.Line.opening, \.debit, \.credit, \.closing].map { column in
        WorkbookRenderer.cell(own.reduce(0) { $0 + $1[keyPath: column] }, currency)
      }
      try summary.append([.text("Total"), .text(currency.rawValue), .empty] + sums, strong: true)
    }
    try summary.append([])
    let notice =
      switch books.state {
      case .provisional: "The month is not over, and there will be more in it."
      case .open: "The month is over and not closed."
      case .closed(let closed): "Closed \(closed.at.rfc3339), sha-256 \(closed.digest.hex)"
      }
    try summary.append([.text("\(books.month) \(books.state.name)"), .empty, .text(notice)], strong: true)
    try workbook.close()
  }

  private static func cell(_ amount: Int64, _ currency: Currency) -> Spreadsheet.Cell {
    currency.exponent == 0 ? .integer(amount) : .decimal(units: amount, places: currency.exponent)
  }

  private static func cell(_ day: CivilDate) -> Spreadsheet.Cell {
    day.year < 1900 ? .text("\(day)") : .date(year: day.year, month: day.month, day: day.day)
  }

  /// An export that fails leaves nothing behind: the workbook is written when it is closed, whatever closes it.
  deinit {
    try? workbook.close()
    unlink(path)
  }
}

extension LedgerExport {
  func writeWorkbook(_ month: Month, to sink: @escaping Sink) async throws -> Summary {
    try await snapshot { transaction in
      let (summary, workbook) = try await read(month, in: transaction, to: { _ in }) { try WorkbookRenderer($0) }
      let file = try ReadableFile(path: workbook.path)
      try await file.read(into: sink)
      return summary
    }
  }
}
