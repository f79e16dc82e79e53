import Foundation
import Testing

@testable import Documents

@Suite("Invoices as PDF") struct InvoiceDocumentTests {
  private let day = Date(timeIntervalSince1970: 1_795_000_000)

  private func invoice(lines: Int = 1, buyer: String = "김하늘") -> InvoiceDocument {
    InvoiceDocument(
      title: "청구서", seller: ["드림시드", "대한민국"], buyer: [buyer], sellerHeading: "공급자", buyerHeading: "받는 분",
      facts: [("번호", "2026-000123"), ("상태", "결제했어요")], columns: ("내용", "기간", "금액"),
      lines: (0..<lines).map { ("Student 요금제 \($0)", "2026.11.21 – 12.20", "19,900원") },
      totals: [("공급가액", "18,091원", false), ("부가세", "1,809원", false), ("합계", "19,900원", true)],
      notes: ["고맙습니다."], language: "ko")
  }

  /// Latin-1 never fails, so that what stands uncompressed in the file can be looked for.
  private func plain(_ data: Data) throws -> String { try #require(String(data: data, encoding: .isoLatin1)) }

  @Test("is a whole PDF of one A4 page in its language, with its own date, both faces embedded and text that can be copied")
  func structure() throws {
    let text = try plain(try invoice().pdf(created: day))
    #expect(text.hasPrefix("%PDF-1."))
    #expect(text.contains("%%EOF"))
    #expect(text.contains("/Lang (ko)"))
    #expect(text.contains("/DisplayDocTitle true"))
    #expect(text.contains("/CreationDate (D:20261118110640"))
    #expect(text.matches(of: /\/Type \/Page\s/).count == 1)
    #expect(text.matches(of: /\/FontFile2 \d+ 0 R/).count == 2)
    #expect(text.matches(of: /\/ToUnicode \d+ 0 R/).count == 2)
    #expect(text.contains("+NanumGothic"))
    // The title in UTF-16, big end first (ISO 32000-1 §7.9.2.2): 청구서.
    #expect(text.contains("/Title <FEFFCCADAD6CC11C"))
    // The subset only: a whole face has four megabytes.
    #expect(text.utf8.count < 500_000)
  }

  @Test("the same invoice is the same file, another date is another")
  func deterministic() throws {
    #expect(try invoice().pdf(created: day) == invoice().pdf(created: day))
    #expect(try invoice().pdf(created: day) != invoice().pdf(created: day + 1))
  }

  @Test("many lines take further pages", arguments: [(1, 1), (60, 3), (200, 9)])
  func pages(lines: Int, pages: Int) throws {
    let text = try plain(try invoice(lines: lines).pdf(created: day))
    #expect(text.matches(of: /\/Type \/Page\s/).count == pages)
  }

  @Test(
    "no text of a person breaks it", arguments: ["", "🎉🏳️‍🌈", "a\u{0}b\nc", String(repeating: "가", count: 500), "((\\)", "שלום"])
  func anyName(name: String) throws {
    #expect(try !invoice(buyer: name).pdf(created: day).isEmpty)
  }

  @Test("without the fonts the error names the package to install")
  func noFonts() {
    #expect(throws: DocumentError.missingFont(file: "NanumGothic.ttf", package: "fonts-nanum")) {
      try PDFFonts(folders: ["/nowhere"])
    }
    #expect("\(DocumentError.missingFont(file: "NanumGothic.ttf", package: "fonts-nanum"))".contains("fonts-nanum"))
  }

  @Test("a file that only has a font's name is an error, and not a crash")
  func noFont() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "fonts-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for name in ["NanumGothic.ttf", "NanumGothicBold.ttf"] { try Data("no font".utf8).write(to: folder.appending(path: name)) }
    let path = folder.appending(path: "NanumGothic.ttf").path
    #expect(throws: DocumentError.file("\(path) is no TrueType font")) { try PDFFonts(folders: [folder.path]) }
  }

  @Test("what libharu refuses while drawing is told at the end")
  func refused() throws {
    let document = try PDFDocument(title: "", author: "", language: "ko", created: day, fonts: PDFFonts())
    try document.addPage()
    // No font may be so large (HPDF_MAX_FONTSIZE).
    document.text("a", x: 0, y: 0, size: 10_000)
    #expect {
      try document.data()
    } throws: {
      if case .pdf(let code, _)? = $0 as? DocumentError { code != 0 } else { false }
    }
  }

  @Test("text is measured: twice the size is twice as wide")
  func widths() throws {
    let document = try PDFDocument(title: "", author: "", language: "ko", created: day, fonts: PDFFonts())
    let one = document.textWidth("청구서 Invoice", size: 10)
    #expect(one > 40)
    #expect(abs(document.textWidth("청구서 Invoice", size: 20) - 2 * one) < 0.01)
    #expect(document.textWidth("청구서", size: 10, .bold) > 20)
    #expect(document.textWidth("", size: 10) == 0)
  }
}

@Suite("Text in a PDF") struct PDFTextTests {
  private func wrap(_ text: String, _ width: Double) -> [String] { PDFText.wrap(text, width: width) { Double($0.count) } }

  @Test("lines are broken between words")
  func words() {
    #expect(wrap("결제한 날부터 7일 안에", 7) == ["결제한 날부터", "7일 안에"])
    #expect(wrap("결제한 날부터 7일 안에", 100) == ["결제한 날부터 7일 안에"])
    #expect(wrap("a  b", 100) == ["a b"])
  }

  @Test("a word too wide is broken inside, a line feed is kept, nothing is one empty line")
  func edges() {
    #expect(wrap("abcdefgh i", 3) == ["abc", "def", "gh", "i"])
    #expect(wrap("a\nb", 10) == ["a", "b"])
    #expect(wrap("", 10) == [""])
    #expect(wrap("가나다", 0) == ["가", "나", "다"])
  }

  @Test("Hangul typed in parts is put together, what can't be set is a box, and no control character stays")
  func printable() {
    #expect(Array(PDFText.printable("\u{1112}\u{1161}\u{11AB}").unicodeScalars) == ["한"])
    #expect(PDFText.printable("a🎉b") == "a□b")
    #expect(PDFText.printable("a\u{0}b\tc") == "a b c")
    #expect(PDFText.printable("−1,240원") == "-1,240원")
  }
}
