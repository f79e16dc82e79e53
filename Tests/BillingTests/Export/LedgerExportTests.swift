import Crypto
import Database
import Documents
import Foundation
import Kit
import Support
import Synchronization
import Testing

@testable import Billing

/// A month on its way out of the ledger, from entries posted as the city posts them.
@Suite struct LedgerExportTests {
  private static let seller = "dreamseed-kr"
  private static let payer = UUID(uuidString: "11111111-1111-4111-8111-111111111111")!
  private static let invoice = "22222222-2222-4222-8222-222222222222"
  private static let november = Month("2026-11")!

  private static func export(_ bench: Bench) -> LedgerExport {
    LedgerExport(
      database: bench.database, schema: Bench.schema, clock: bench.clock.domain, timeZone: TimeZone(identifier: "Asia/Seoul")!,
      seller: seller)
  }

  private static func text(_ bench: Bench, _ format: LedgerExport.Format, _ month: Month = november) async throws -> String {
    let bytes = Mutex<[UInt8]>([])
    _ = try await export(bench).write(month, format) { more in bytes.withLock { $0 += more } }
    return String(decoding: bytes.withLock { $0 }, as: UTF8.self)
  }

  /// The ids of entries in their order, as `<1>`, `<2>`: they are new in each run.
  private static func named(_ text: String) -> String {
    var names: [String: String] = [:]
    return text.replacing(/\^([0-9a-f-]{36})/) { match in
      let id = String(match.1)
      if names[id] == nil { names[id] = "<\(names.count + 1)>" }
      return "^\(names[id] ?? "")"
    }
  }

  /// October: an invoice. November: its payment, an invoice in dollars with tax, a day's revenue, its split, points, and a credit.
  private static func fill(_ bench: Bench) async throws {
    let (krw, usd) = (Currency.krw, Currency.usd)
    // Each a minute after the one before: entries of one millisecond have no order.
    var minute = 10
    func post(_ key: String, _ code: String, on day: String, _ postings: [(LedgerAccount, Int64)]) async throws {
      minute += 1
      bench.clock.set("\(day)T03:\(minute):00Z")
      try await bench.ledger.post(
        try Entry(
          key: key, description: code, details: ["invoice": .string(invoice)], occurred: bench.clock.domain.now(),
          booked: CivilDate(day)!, postings: postings.map { Entry.Posting($0, $1) }))
    }
    let deferred = LedgerAccount.deferred(entity: seller, krw)
    try await post(
      "invoice:1", "invoice.issued", on: "2026-10-31",
      [(.receivable(of: payer, krw), 19_900), (.tax(entity: seller, krw), -1_809), (deferred, -18_091)])
    try await post(
      "payment:1", "payment.received", on: "2026-11-01",
      [(.cash(at: "simulator", entity: seller, krw), 19_900), (.receivable(of: payer, krw), -19_900)])
    try await post(
      "invoice:2", "invoice.issued", on: "2026-11-02",
      [
        (.receivable(of: payer, usd), 1_499), (.tax(entity: seller, usd), -5),
        (.deferred(entity: seller, usd), -1_494),
      ])
    try await post(
      "recognition:1", "revenue.recognised", on: "2026-11-20",
      [(deferred, 603), (.unallocated(entity: seller, krw), -603)])
    try await post(
      "split:1", "revenue.split", on: "2026-11-20",
      [
        (.unallocated(entity: seller, krw), 603), (.revenue(of: .univprep, entity: seller, krw), -600),
        (.payable(to: "ktube-kr", by: seller, krw), -3),
      ])
    try await post(
      "invoice:2:surplus", "credit.granted", on: "2026-11-21",
      [(.receivable(of: payer, usd), 20), (.credit(of: payer, usd), -20)])
    try await post(
      "points:1", "answer.accepted", on: "2026-11-21",
      [(.pointsIssued(by: .jeju), 30), (.pointsEarned(by: PersonID(payer)), -30)])
    // Of the next month: no part of it.
    try await post(
      "points:2", "answer.accepted", on: "2026-12-01",
      [(.pointsIssued(by: .jeju), 7), (.pointsEarned(by: PersonID(payer)), -7)])
    bench.clock.set("2026-11-21T12:00:00Z")
  }

  private static let opens = """
    2026-11-01 open Assets:Dreamseed-Kr:Cash:Simulator KRW
    2026-11-01 open Assets:Dreamseed-Kr:Receivable KRW,USD
    2026-11-01 open Expenses:Points:Jeju PTS
    2026-11-01 open Income:Dreamseed-Kr:Revenue:Unallocated KRW
    2026-11-01 open Income:Dreamseed-Kr:Revenue:Univprep KRW
    2026-11-01 open Liabilities:Dreamseed-Kr:Credit USD
    2026-11-01 open Liabilities:Dreamseed-Kr:Deferred KRW,USD
    2026-11-01 open Liabilities:Dreamseed-Kr:Payable:Ktube-Kr KRW
    2026-11-01 open Liabilities:Dreamseed-Kr:Vat KRW,USD
    2026-11-01 open Liabilities:Points:Earned PTS

    2026-11-01 * "opening balances"
        Assets:Dreamseed-Kr:Receivable  19900 KRW
        Liabilities:Dreamseed-Kr:Deferred  -18091 KRW
        Liabilities:Dreamseed-Kr:Vat  -1809 KRW

    2026-11-01 * "payment.received" ^<1>
        Assets:Dreamseed-Kr:Cash:Simulator  19900 KRW
        Assets:Dreamseed-Kr:Receivable  -19900 KRW

    2026-11-02 * "invoice.issued" ^<2>
        Assets:Dreamseed-Kr:Receivable  14.99 USD
        Liabilities:Dreamseed-Kr:Vat  -0.05 USD
        Liabilities:Dreamseed-Kr:Deferred  -14.94 USD

    2026-11-20 * "revenue.recognised" ^<3>
        Liabilities:Dreamseed-Kr:Deferred  603 KRW
        Income:Dreamseed-Kr:Revenue:Unallocated  -603 KRW

    2026-11-20 * "revenue.split" ^<4>
        Income:Dreamseed-Kr:Revenue:Unallocated  603 KRW
        Income:Dreamseed-Kr:Revenue:Univprep  -600 KRW
        Liabilities:Dreamseed-Kr:Payable:Ktube-Kr  -3 KRW

    2026-11-21 * "credit.granted" ^<5>
        Assets:Dreamseed-Kr:Receivable  0.20 USD
        Liabilities:Dreamseed-Kr:Credit  -0.20 USD

    2026-11-21 * "answer.accepted" ^<6>
        Expenses:Points:Jeju  30 PTS
        Liabilities:Points:Earned  -30 PTS

    """

  private static let heading = """
    ; Ledger of 2026-11, booked from 2026-11-01 to 2026-11-30, Asia/Seoul.
    ; provisional: the month is not over, and there will be more in it.

    """

  private static let hledgerTail = """

    2026-11-30 * "closing balances"
        Assets:Dreamseed-Kr:Cash:Simulator  0 KRW = 19900 KRW
        Assets:Dreamseed-Kr:Receivable  0 KRW = 0 KRW
        Assets:Dreamseed-Kr:Receivable  0.00 USD = 15.19 USD
        Expenses:Points:Jeju  0 PTS = 30 PTS
        Income:Dreamseed-Kr:Revenue:Unallocated  0 KRW = 0 KRW
        Income:Dreamseed-Kr:Revenue:Univprep  0 KRW = -600 KRW
        Liabilities:Dreamseed-Kr:Credit  0.00 USD = -0.20 USD
        Liabilities:Dreamseed-Kr:Deferred  0 KRW = -17488 KRW
        Liabilities:Dreamseed-Kr:Deferred  0.00 USD = -14.94 USD
        Liabilities:Dreamseed-Kr:Payable:Ktube-Kr  0 KRW = -3 KRW
        Liabilities:Dreamseed-Kr:Vat  0 KRW = -1809 KRW
        Liabilities:Dreamseed-Kr:Vat  0.00 USD = -0.05 USD
        Liabilities:Points:Earned  0 PTS = -30 PTS

    """

  @Test func bothJournalsHaveOneBody() async throws {
    try await withBilling { bench in
      try await Self.fill(bench)
      let hledger = Self.named(try await Self.text(bench, .hledger))
      let declared = """
        commodity 1000. KRW
        commodity 1000.00 USD
        commodity 1000. PTS

        """
      let accounts = Self.opens.split(separator: "\n").compactMap { $0.firstMatch(of: /open (\S+)/)?.1 }
        .map { "account \($0)\n" }.joined()
      #expect(hledger == Self.heading + declared + accounts + "\n" + Self.opens + Self.hledgerTail)

      let beancount = Self.named(try await Self.text(bench, .beancount))
      let balances = Self.hledgerTail.matches(of: /(\S+)  0\S* \w+ = (\S+ \w+)/)
        .map { "2026-12-01 balance \($0.1)  \($0.2)\n" }.joined()
      #expect(beancount == Self.heading + Self.opens + "\n" + balances)
    }
  }

  @Test func aFolderGetsTheBodyAndAFileForEachTool() async throws {
    try await withBilling { bench in
      try await Self.fill(bench)
      let folder = FileManager.default.temporaryDirectory.appending(path: "export-\(UUID().text)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      let (_, files) = try await Self.export(bench).write(Self.november, .hledger, folder: folder.path)
      #expect(
        files == [
          "ledger-2026-11-provisional-body.journal", "ledger-2026-11-provisional.journal",
          "ledger-2026-11-provisional.beancount",
        ])
      func read(_ name: String) throws -> String { try String(contentsOf: folder.appending(path: name), encoding: .utf8) }
      #expect(Self.named(try read(files[0])) == Self.heading + Self.opens)
      #expect(try read(files[1]).hasSuffix("\ninclude \(files[0])\n" + Self.hledgerTail))
      #expect(try read(files[2]).hasPrefix(Self.heading + "include \"\(files[0])\"\n\n2026-12-01 balance "))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 3)
    }
  }

  @Test func theTableHasARowForEachPosting() async throws {
    try await withBilling { bench in
      try await Self.fill(bench)
      let rows = try await Self.text(bench, .csv).split(separator: "\r\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false)
      }
      #expect(rows.count == 15)
      #expect(rows.allSatisfy { $0.count == TableRenderer.columns.count })
      #expect(rows[0].map(String.init) == TableRenderer.columns)
      #expect(rows[1][0] == "2026-11-01" && rows[1][1] == "2026-11-01T03:12:00.000Z")
      #expect(
        rows[2][3...].map(String.init) == [
          "2", "payment:1", "payment.received", "receivable:\(Self.payer.text):KRW", "Assets:Dreamseed-Kr:Receivable", "",
          "19900",
          "KRW", "dreamseed-kr", "", Self.invoice, "", "", "provisional",
        ])
      #expect(rows[4][8...10].map(String.init) == ["", "0.05", "USD"])
      #expect(rows[9][12] == "univprep")
    }
  }

  @Test func whatPagesCutIsWholeAgain() async throws {
    try await withBilling { bench in
      // Entries of three lines and of five hundred, over more than one page.
      for number in 0..<40 {
        let many = number % 2 == 0
        let person = LedgerAccount.pointsEarned(by: .anyone)
        let parts = many ? Array(repeating: Int64(-1), count: 999) : [-2, -3]
        try await bench.ledger.post(
          try Entry(
            key: "k\(number)", description: "test", occurred: bench.clock.domain.now(),
            postings: [Entry.Posting(.pointsIssued(by: .jeju), -parts.reduce(0, +))] + parts.map { Entry.Posting(person, $0) }))
      }
      let summary = try await Self.export(bench).check(Self.november)
      #expect(summary.figures.postings == 20_060)
      #expect(summary.figures.entries == 40)
      let debits: Int64 = 20 * 999 + 20 * 5
      #expect(summary.figures.debits == [.points: debits])
    }
  }

  @Test func aClosedMonthIsHeldAgainstItsSeal() async throws {
    try await withBilling { bench in
      try await Self.fill(bench)
      bench.clock.set("2026-12-03T00:00:00Z")
      let export = Self.export(bench)
      let open = try await export.check(Self.november)
      #expect(open.state == .open)
      #expect(open.figures.debits == [.krw: 21_106, .usd: 1_519, .points: 30])
      // The digest is of lines anyone can make again.
      let lines = try await bench.database.query(
        """
        SELECT e.booked_on || ' ' || e.id || ' ' || p.line || ' ' || a.code || ' ' || p.amount || ' ' || a.currency AS line
        FROM billing.ledger_entry AS e JOIN billing.ledger_posting AS p ON p.entry = e.id
        JOIN billing.ledger_account AS a ON a.id = p.account
        WHERE e.booked_on BETWEEN '2026-11-01' AND '2026-11-30' ORDER BY e.booked_on, e.id, p.line
        """
      ).map { try $0.get("line", as: String.self) + "\n" }.joined()
      #expect(open.figures.digest == Array(SHA256.hash(data: Data(lines.utf8))))

      func close(_ month: String, _ totals: JSONValue, _ digest: [UInt8]) async throws {
        try await bench.database.execute(
          """
          INSERT INTO billing.closed_month (month, closed_at, closed_by, totals, digest)
          VALUES (\(CivilDate(month)!), \(bench.clock.domain.now()), 'test', \(totals), \(digest))
          """)
      }
      try await close("2026-10-01", ["KRW": 19_900], Array(repeating: 7, count: 32))
      let found = try #require(open.figures.digest)
      try await close("2026-11-01", ["KRW": 21_106, "USD": 1_519, "PTS": 30], found)
      let closed = try await export.check(Self.november)
      guard case .closed(let seal) = closed.state else {
        Issue.record("found \(closed.state), expected a closed month")
        return
      }
      #expect(seal.digest == found)
      #expect(try await Self.text(bench, .hledger).contains("; closed: 2026-12-03T00:00:00.000Z, sha-256 \(found.hex)\n"))
      let changed = await #expect(throws: LedgerExport.Refusal.self) { try await export.check(Month("2026-10")!) }
      guard case .closedDigestDiffers = changed else {
        Issue.record("found \(String(describing: changed)), expected another digest")
        return
      }
    }
  }

  @Test func whatDoesNotBalanceLeavesNoFile() async throws {
    try await withBilling { bench in
      try await Self.fill(bench)
      // Past every trigger, as only a superuser can.
      try await bench.test.database.transaction { transaction in
        try await transaction.execute("SET LOCAL session_replication_role = replica")
        try await transaction.execute("UPDATE billing.ledger_posting SET amount = amount + 1 WHERE amount = -600")
      }
      let folder = FileManager.default.temporaryDirectory.appending(path: "export-\(UUID().text)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: folder) }
      for format in LedgerExport.Format.allCases {
        await #expect(throws: LedgerExport.Refusal.unbalancedMonth(.krw, 1)) {
          try await Self.export(bench).write(Self.november, format, file: folder.appending(path: "out").path)
        }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
      await #expect(throws: LedgerExport.Refusal.self) {
        try await Self.export(bench).write(Self.november, .csv, file: folder.appending(path: "none/out").path)
      }
    }
  }

  @Test func anEmptyMonthIsAnExportToo() async throws {
    try await withBilling { bench in
      #expect(try await Self.text(bench, .beancount) == Self.heading + "\n")
      let sheets = Mutex<[UInt8]>([])
      let summary = try await Self.export(bench).write(Month("2024-02")!, .xlsx) { more in sheets.withLock { $0 += more } }
      #expect(summary.state == .open && summary.figures == .init(entries: 0, postings: 0, debits: [:], digest: nil))
      #expect(sheets.withLock { $0.starts(with: [0x50, 0x4B]) })
    }
  }
}

/// What has no need of a database.
@Suite struct ExportFormTests {
  @Test(arguments: ["2026-1", "2026-13", "2026-00", "0000-01", "9999-12", "2026-11-01", "2026/11", "", "november"])
  func whatIsNoMonth(_ text: String) { #expect(Month(text) == nil) }

  @Test func aMonthHasItsDays() {
    #expect(Month("2028-02")?.last == CivilDate("2028-02-29"))
    #expect(Month("2026-12")?.next == CivilDate("2027-01-01"))
    #expect(Month(of: CivilDate("2026-11-21")!).description == "2026-11")
  }

  @Test(arguments: [
    ("my-ktube", "My-Ktube"), ("seoul2", "Seoul2"), ("a_b", "A-B"), ("-x", "X-X"), ("3m", "3m"), ("한", "UD55C"), ("", "X"),
  ])
  func partsOfNamesAreTakenByBothTools(_ text: String, _ part: String) { #expect(ControlAccount.part(text) == part) }

  @Test func fieldsAreQuotedWhenTheyMust() {
    func field(_ text: String) -> String {
      var bytes: [UInt8] = []
      Array(text.utf8).withUnsafeBytes { TableRenderer.append($0, into: &bytes) }
      return String(decoding: bytes, as: UTF8.self)
    }
    #expect(field("plain") == "plain")
    #expect(field("a,b") == "\"a,b\"")
    #expect(field("say \"hi\"\n") == "\"say \"\"hi\"\"\n\"")
  }

  @Test func descriptionsEndNoStringAndBeginNoComment() {
    var bytes: [UInt8] = []
    Array("a\"b\\c;d\ne".utf8).withUnsafeBytes { JournalRenderer.append(description: $0, into: &bytes) }
    #expect(String(decoding: bytes, as: UTF8.self) == "a'b/c,d e")
  }

  @Test func amountsAreWrittenAsDecimals() {
    for amount: Int64 in [0, 5, -5, 99, 100, -100, 1_499, .max, -1_000_000_000_000] {
      for currency in Currency.allCases {
        var bytes: [UInt8] = []
        bytes.append(amount: amount, places: currency.exponent)
        #expect(String(decoding: bytes, as: UTF8.self) == Money(amount, currency).decimal)
      }
    }
  }
}
