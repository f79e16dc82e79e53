public import Foundation

/// An invoice as it is printed. It knows no money, no dates and no language: every text comes ready to be read.
public struct InvoiceDocument: Sendable {
  /// "청구서", "Invoice", "Credit note".
  public var title: String
  /// Who sells and who buys, line by line; the first line is the name.
  public var seller: [String]
  public var buyer: [String]
  /// What stands over these two, such as "공급자" and "받는 분". Nothing if empty.
  public var sellerHeading = ""
  public var buyerHeading = ""
  /// Number, day of issue, status, period.
  public var facts: [(String, String)]
  /// Headings of the table: what, when, how much.
  public var columns: (String, String, String)
  public var lines: [(String, String, String)]
  /// Supply, VAT, total, payments. A strong one has a line above it.
  public var totals: [(label: String, value: String, strong: Bool)]
  public var notes: [String]
  /// BCP 47.
  public var language: String

  public init(
    title: String, seller: [String], buyer: [String], sellerHeading: String = "", buyerHeading: String = "",
    facts: [(String, String)], columns: (String, String, String), lines: [(String, String, String)],
    totals: [(label: String, value: String, strong: Bool)], notes: [String] = [], language: String
  ) {
    (self.title, self.seller, self.buyer) = (title, seller, buyer)
    (self.sellerHeading, self.buyerHeading) = (sellerHeading, buyerHeading)
    (self.facts, self.columns, self.lines, self.totals) = (facts, columns, lines, totals)
    (self.notes, self.language) = (notes, language)
  }

  /// - Parameters:
  ///   - created: what the file says of its own time; the same invoice with the same date is the same file.
  ///   - fonts: those of the machine by default.
  /// - Throws: ``DocumentError``.
  public func pdf(created: Date, fonts: PDFFonts? = nil) throws(DocumentError) -> Data {
    let number = facts.first?.1
    let installed: PDFFonts
    if let fonts { installed = fonts } else { installed = try PDFFonts() }
    let document = try PDFDocument(
      title: [title, number].compactMap(\.self).joined(separator: " "), author: seller.first ?? "", language: language,
      created: created, fonts: installed)
    var layout = InvoiceLayout(document: document, invoice: self)
    try layout.draw()
    return try document.data()
  }
}
