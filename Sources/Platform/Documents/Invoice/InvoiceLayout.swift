/// Where everything of an invoice stands. Grows downwards, page by page.
struct InvoiceLayout {
  let document: PDFDocument
  let invoice: InvoiceDocument
  /// The next free place, from the page's top.
  private var y = 0.0

  private let left = 60.0
  private let right = PDFDocument.width - 60
  private let top = 72.0
  /// Below it only the page's own foot.
  private let bottom = PDFDocument.height - 84
  private var width: Double { right - left }

  init(document: PDFDocument, invoice: InvoiceDocument) { (self.document, self.invoice) = (document, invoice) }

  mutating func draw() throws(DocumentError) {
    try document.addPage()
    y = top
    head()
    parties()
    try table()
    try totals()
    try notes()
    feet()
  }

  /// The title, and beside it the facts.
  private mutating func head() {
    document.text(invoice.title, x: left, y: y + 14, size: 24, .bold)
    y += 50
    let label = (invoice.facts.map { document.textWidth($0.0, size: 9.5) }.max() ?? 0) + 20
    for (name, value) in invoice.facts {
      document.text(name, x: left, y: y, size: 9.5, ink: .grey)
      for line in document.wrap(value, width: width - label, size: 9.5) {
        document.text(line, x: left + label, y: y, size: 9.5)
        y += 16
      }
    }
    y += 22
  }

  /// Seller and buyer side by side.
  private mutating func parties() {
    let column = width / 2
    let ends = [(left, invoice.sellerHeading, invoice.seller), (left + column, invoice.buyerHeading, invoice.buyer)].map {
      x, heading, lines in
      var y = y
      if !heading.isEmpty {
        document.text(heading, x: x, y: y, size: 8.5, ink: .grey)
        y += 16
      }
      for (index, text) in lines.enumerated() {
        let size = index == 0 ? 10.5 : 9.5
        for line in document.wrap(text, width: column - 20, size: size, index == 0 ? .bold : .regular) {
          document.text(line, x: x, y: y, size: size, index == 0 ? .bold : .regular, ink: index == 0 ? .black : .grey)
          y += 15
        }
      }
      return y
    }
    y = (ends.max() ?? y) + 28
  }

  private var amountWidth: Double {
    let amounts = invoice.lines.map { document.textWidth($0.2, size: 9.5) } + [document.textWidth(invoice.columns.2, size: 8.5)]
    return min(max(amounts.max() ?? 0, 60), width / 3)
  }

  private var periodWidth: Double {
    let periods = invoice.lines.map { document.textWidth($0.1, size: 9.5) } + [document.textWidth(invoice.columns.1, size: 8.5)]
    return min(periods.max() ?? 0, width / 3)
  }

  /// The lines; their heading again on every page.
  private mutating func table() throws(DocumentError) {
    let (amount, period) = (amountWidth, periodWidth)
    let periodX = right - amount - 24 - period
    tableHead(periodX: periodX)
    for (description, when, value) in invoice.lines {
      let what = document.wrap(description, width: periodX - left - 16, size: 9.5)
      let spans = document.wrap(when, width: period + 0.5, size: 9.5)
      let height = Double(max(what.count, spans.count)) * 15 + 11
      if y + height > bottom {
        try newPage()
        tableHead(periodX: periodX)
      }
      for (index, line) in what.enumerated() { document.text(line, x: left, y: y + 16 + Double(index) * 15, size: 9.5) }
      for (index, line) in spans.enumerated() {
        document.text(line, x: periodX, y: y + 16 + Double(index) * 15, size: 9.5, ink: .grey)
      }
      document.text(value, right: right, y: y + 16, size: 9.5)
      y += height
      document.line(x1: left, y1: y, x2: right, y2: y)
    }
    y += 14
  }

  private mutating func tableHead(periodX: Double) {
    document.text(invoice.columns.0, x: left, y: y, size: 8.5, ink: .grey)
    document.text(invoice.columns.1, x: periodX, y: y, size: 8.5, ink: .grey)
    document.text(invoice.columns.2, right: right, y: y, size: 8.5, ink: .grey)
    y += 8
    document.line(x1: left, y1: y, x2: right, y2: y, thickness: 1, ink: .black)
  }

  /// The sums, in the right half; they stay together.
  private mutating func totals() throws(DocumentError) {
    let x = left + width * 0.45
    let height = invoice.totals.reduce(0.0) { $0 + ($1.strong ? 30 : 19) }
    if y + height > bottom { try newPage() }
    for (index, total) in invoice.totals.enumerated() {
      if total.strong, index > 0 {
        y += 4
        document.line(x1: x, y1: y, x2: right, y2: y, thickness: 0.8, ink: .black)
        y += 3
      }
      let size = total.strong ? 11.5 : 9.5
      y += total.strong ? 19 : 16
      let weight: PDFDocument.Weight = total.strong ? .bold : .regular
      document.text(total.value, right: right, y: y, size: size, weight)
      let room = right - x - document.textWidth(total.value, size: size, weight) - 12
      for (index, line) in document.wrap(total.label, width: room, size: size, weight).enumerated() {
        if index > 0 { y += 15 }
        document.text(line, x: x, y: y, size: size, weight, ink: total.strong ? .black : .grey)
      }
      y += total.strong ? 6 : 3
    }
    y += 38
  }

  private mutating func notes() throws(DocumentError) {
    for note in invoice.notes {
      for line in document.wrap(note, width: width, size: 9) {
        if y > bottom { try newPage() }
        document.text(line, x: left, y: y, size: 9, ink: .grey)
        y += 15
      }
      y += 5
    }
  }

  private mutating func newPage() throws(DocumentError) {
    try document.addPage()
    y = top
  }

  /// Every page names the invoice and its own place among the pages, so that sheets can be put together again.
  private func feet() {
    let name = [invoice.seller.first, invoice.title, invoice.facts.first?.1].compactMap(\.self).joined(separator: " · ")
    let y = PDFDocument.height - 44
    for index in 0..<document.pageCount {
      document.turn(to: index)
      document.line(x1: left, y1: y - 16, x2: right, y2: y - 16)
      document.text(document.wrap(name, width: width - 60, size: 8)[0], x: left, y: y, size: 8, ink: .grey)
      document.text("\(index + 1) / \(document.pageCount)", right: right, y: y, size: 8, ink: .grey)
    }
  }
}
