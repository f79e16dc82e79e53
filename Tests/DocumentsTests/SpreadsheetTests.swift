import Foundation
import Testing

@testable import Documents

@Suite("Spreadsheets") struct SpreadsheetTests {
  private let day = Date(timeIntervalSince1970: 1_795_000_000)
  private let columns: [Spreadsheet.Column] = [.init("날짜", width: 12), .init("계정"), .init("금액", isFigure: true)]

  private func names(_ data: Data) throws -> String { try #require(String(data: data, encoding: .isoLatin1)) }

  private func sample(rows: Int = 3) throws -> Data {
    try Spreadsheet.data(title: "정산 <3월>", created: day) { spreadsheet in
      let postings = try spreadsheet.sheet("전표", columns: columns)
      let sums = try spreadsheet.sheet("합계", columns: columns)
      for row in 0..<rows {
        try postings.append([.date(year: 2026, month: 11, day: 21), .text("=1+1 & <매출>"), .integer(Int64(row) * -100)])
        try sums.append([.empty, .text("합계"), .decimal(units: 1499, places: 2)], strong: true)
      }
    }
  }

  @Test("is a zip of a workbook with every sheet; sheets may be filled in turns")
  func structure() throws {
    let data = try sample()
    #expect(data.starts(with: Data("PK\u{3}\u{4}".utf8)))
    let text = try names(data)
    for part in ["[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"] {
      #expect(text.contains(part))
    }
    #expect(!text.contains("xl/worksheets/sheet3.xml"))
  }

  @Test("the same rows are the same file")
  func deterministic() throws { #expect(try sample() == sample()) }

  @Test("rows go to the file as they come: fifty thousand make a file, not a heap")
  func many() throws { #expect(try sample(rows: 50_000).count > 500_000) }

  @Test("decimals are written out exactly", arguments: [(1499, 2, "14.99"), (-5, 2, "-0.05"), (0, 2, "0.00"), (7, 0, "7")])
  func decimal(units: Int64, places: Int, text: String) {
    #expect(Sheet.decimal(units, places: places) == text)
  }

  @Test("of 15 digits, the number that is stored shows as the very decimal")
  func exact() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<10_000 {
      let cents = Int64.random(in: 0...Int64(Sheet.exactMost), using: &generator)
      // What libxlsxwriter writes has 16 digits; a spreadsheet reads it and shows 15.
      let written = String(format: "%.16G", Double(cents) / 100)
      #expect(String(format: "%.2f", Double(written) ?? .nan) == Sheet.decimal(cents, places: 2))
    }
    #expect(Sheet.decimal(.min, places: 2) == "-92233720368547758.08")
  }

  @Test("a sheet's name that Excel would refuse is refused", arguments: ["a/b", "", String(repeating: "가", count: 32), "전표"])
  func badName(name: String) throws {
    _ = try Spreadsheet.data { spreadsheet in
      _ = try spreadsheet.sheet("전표", columns: columns)
      #expect(throws: DocumentError.self) { try spreadsheet.sheet(name, columns: columns) }
    }
  }

  @Test("after closing nothing more is written, and a place that can't be written is an error")
  func closed() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "closed-\(UUID().uuidString).xlsx").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let spreadsheet = try Spreadsheet(path: path)
    let sheet = try spreadsheet.sheet("a", columns: columns)
    try spreadsheet.close()
    #expect(throws: DocumentError.closed) { try sheet.append([.empty]) }
    #expect(throws: DocumentError.closed) { try spreadsheet.sheet("b", columns: columns) }
    #expect(throws: DocumentError.closed) { try spreadsheet.close() }
    let nowhere = try Spreadsheet(path: "/nonexistent/x.xlsx")
    _ = try nowhere.sheet("a", columns: columns)
    #expect(throws: DocumentError.self) { try nowhere.close() }
  }

  @Test("odd texts and places are answered, not crashed on")
  func odd() throws {
    _ = try Spreadsheet.data { spreadsheet in
      let sheet = try spreadsheet.sheet("a", columns: columns)
      try sheet.append([.text("\u{0}\u{FFFE}\u{1}🎉"), .integer(.min), .integer(.max)])
      #expect(throws: DocumentError.self) { try sheet.append([.decimal(units: 1, places: 7)]) }
      #expect(throws: DocumentError.self) { try sheet.append([.text(String(repeating: "가", count: 32_768))]) }
      #expect(throws: DocumentError.self) { try sheet.append([.date(year: 2026, month: 13, day: 1)]) }
    }
  }
}
