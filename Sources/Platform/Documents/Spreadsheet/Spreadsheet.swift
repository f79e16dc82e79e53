import CXLSXWriter
public import Foundation

/// A workbook (ECMA-376, `.xlsx`) written row by row: of each sheet only the row at hand is in memory, so that a month of a
/// million postings costs what a small one does. Not to be shared between threads.
public final class Spreadsheet {
  /// A column: its heading and how wide it is, in characters of the normal font.
  public struct Column: Sendable {
    public var title: String
    public var width: Double
    /// Headings of figures stand at the right, as the figures do.
    public var isFigure: Bool
    public init(_ title: String, width: Double = 16, isFigure: Bool = false) {
      (self.title, self.width, self.isFigure) = (title, width, isFigure)
    }
  }

  public enum Cell: Sendable, Equatable {
    case text(String)
    /// A whole number, such as won: shown as `12,345`.
    case integer(Int64)
    /// `units` / 10^`places`, such as cents with two places: shown as `123.45`. Places from 0 to 6.
    case decimal(units: Int64, places: Int)
    /// A day of the Gregorian calendar from 1900 on, shown as `2026-11-21`.
    case date(year: Int, month: Int, day: Int)
    case empty
  }

  private var workbook: UnsafeMutablePointer<lxw_workbook>?
  fileprivate private(set) var formats: [Format: UnsafeMutablePointer<lxw_format>] = [:]

  fileprivate enum Format: Hashable {
    case heading(isFigure: Bool)
    case text(strong: Bool)
    case figure(places: Int, strong: Bool)
    case date(strong: Bool)
  }

  /// - Parameters:
  ///   - path: the file; one that is there is overwritten at ``close()``.
  ///   - created: what the file says of its own time. The same rows with the same date are the same file.
  /// - Throws: ``DocumentError``.
  public init(path: String, title: String = "", created: Date? = nil) throws(DocumentError) {
    // The options are copied; libxlsxwriter makes its temporary files by tmpfile(3), without a name.
    var options = lxw_workbook_options(constant_memory: 1, tmpdir: nil, use_zip64: 0)
    guard let workbook = workbook_new_opt(path, &options) else { throw .spreadsheet("no workbook could be made") }
    self.workbook = workbook
    var properties = lxw_doc_properties()
    properties.created = created.map { time_t($0.timeIntervalSince1970) } ?? 0
    let error = Spreadsheet.xml(title).withCString { text in
      // Copied too.
      properties.title = UnsafeMutablePointer(mutating: text)
      return workbook_set_properties(workbook, &properties)
    }
    try Spreadsheet.check(error)
  }

  // Closing is the only way to free a workbook; whoever forgot it gets the file all the same.
  deinit { if let workbook { _ = workbook_close(workbook) } }

  /// A new sheet with a bold heading that stays in sight. Sheets may be filled in turns.
  ///
  /// - Parameter name: at most 31 characters, none of `[]:*?/\`, and unlike the other sheets' names.
  /// - Throws: ``DocumentError``.
  public func sheet(_ name: String, columns: [Column]) throws(DocumentError) -> Sheet {
    Sheet(of: self, name: name, columns: columns, worksheet: try worksheet(name, columns: columns))
  }

  /// Writes the file.
  public func close() throws(DocumentError) {
    guard let workbook else { throw .closed }
    self.workbook = nil
    try Spreadsheet.check(workbook_close(workbook))
  }

  /// A small workbook in memory, by way of a temporary file.
  public static func data(title: String = "", created: Date? = nil, _ fill: (Spreadsheet) throws -> Void) throws -> Data {
    let file = FileManager.default.temporaryDirectory.appending(path: "metropolis-\(UUID().uuidString).xlsx")
    defer { try? FileManager.default.removeItem(at: file) }
    let spreadsheet = try Spreadsheet(path: file.path, title: title, created: created)
    try fill(spreadsheet)
    try spreadsheet.close()
    return try Data(contentsOf: file)
  }

  fileprivate var isOpen: Bool { workbook != nil }

  fileprivate func worksheet(
    _ name: String, columns: [Column]
  ) throws(DocumentError) -> UnsafeMutablePointer<lxw_worksheet> {
    guard let workbook else { throw .closed }
    guard !name.isEmpty else { throw .spreadsheet("a sheet has a name") }
    try Spreadsheet.check(workbook_validate_sheet_name(workbook, name))
    guard let worksheet = workbook_add_worksheet(workbook, name) else { throw .spreadsheet("no sheet could be made") }
    for (index, column) in columns.enumerated() {
      let place = lxw_col_t(index)
      try Spreadsheet.check(worksheet_set_column(worksheet, place, place, column.width, nil))
      try Spreadsheet.check(
        worksheet_write_string(
          worksheet, 0, place, Spreadsheet.xml(column.title), try format(.heading(isFigure: column.isFigure))))
    }
    worksheet_freeze_panes(worksheet, 1, 0)
    return worksheet
  }

  fileprivate func format(_ format: Format) throws(DocumentError) -> UnsafeMutablePointer<lxw_format> {
    if let known = formats[format] { return known }
    guard let workbook else { throw .closed }
    guard let made = workbook_add_format(workbook) else { throw .spreadsheet("no format could be made") }
    switch format {
    case .heading(let isFigure):
      format_set_bold(made)
      format_set_bottom(made, UInt8(LXW_BORDER_THIN.rawValue))
      if isFigure { format_set_align(made, UInt8(LXW_ALIGN_RIGHT.rawValue)) }
    case .text(let strong):
      if strong { format_set_bold(made) }
    case .figure(let places, let strong):
      format_set_num_format(made, places == 0 ? "#,##0" : "#,##0." + String(repeating: "0", count: places))
      if strong { format_set_bold(made) }
    case .date(let strong):
      format_set_num_format(made, "yyyy-mm-dd")
      if strong { format_set_bold(made) }
    }
    formats[format] = made
    return made
  }

  fileprivate static func check(_ error: lxw_error) throws(DocumentError) {
    guard error != LXW_NO_ERROR else { return }
    throw .spreadsheet(String(cString: lxw_strerror(error)))
  }

  /// Text that XML 1.0 can hold (§2.2) and C can carry.
  fileprivate static func xml(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0 == "\0" || $0 == "\u{FFFE}" || $0 == "\u{FFFF}" }) else { return text }
    return String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { $0 == "\0" || $0 == "\u{FFFE}" || $0 == "\u{FFFF}" ? "\u{FFFD}" : $0 }))
  }
}

/// One sheet of a ``Spreadsheet``.
public final class Sheet {
  /// Rows of a sheet, the heading among them (ECMA-376 part 1, §18.3.1.73).
  static let rowsMost = 1_048_576
  /// Spreadsheets keep 15 digits of a number.
  static let exactMost: UInt64 = 999_999_999_999_999

  private let spreadsheet: Spreadsheet
  private let name: String
  private let columns: [Spreadsheet.Column]
  private var worksheet: UnsafeMutablePointer<lxw_worksheet>
  private var row = 1
  private var part = 1

  fileprivate init(
    of spreadsheet: Spreadsheet, name: String, columns: [Spreadsheet.Column], worksheet: UnsafeMutablePointer<lxw_worksheet>
  ) {
    (self.spreadsheet, self.name, self.columns, self.worksheet) = (spreadsheet, name, columns, worksheet)
  }

  /// Writes the next row. When the sheet is full, the rows go on in a further one, "… 2".
  ///
  /// A number of more than 15 digits is written as text: a spreadsheet would round it silently.
  /// - Parameter strong: in bold, for sums.
  /// - Throws: ``DocumentError``.
  public func append(_ cells: [Spreadsheet.Cell], strong: Bool = false) throws(DocumentError) {
    guard spreadsheet.isOpen else { throw .closed }
    if row == Sheet.rowsMost {
      part += 1
      worksheet = try spreadsheet.worksheet("\(name.prefix(27)) \(part)", columns: columns)
      row = 1
    }
    for (index, cell) in cells.enumerated() {
      try write(cell, row: lxw_row_t(row), column: lxw_col_t(index), strong: strong)
    }
    row += 1
  }

  private func write(
    _ cell: Spreadsheet.Cell, row: lxw_row_t, column: lxw_col_t, strong: Bool
  ) throws(DocumentError) {
    switch cell {
    case .empty: return
    case .text(let text):
      let format = strong ? try spreadsheet.format(.text(strong: true)) : nil
      try Spreadsheet.check(worksheet_write_string(worksheet, row, column, Spreadsheet.xml(text), format))
    case .integer(let value): try write(units: value, places: 0, row: row, column: column, strong: strong)
    case .decimal(let units, let places):
      guard (0...6).contains(places) else { throw .spreadsheet("a number has 0 to 6 places, not \(places)") }
      try write(units: units, places: places, row: row, column: column, strong: strong)
    case .date(let year, let month, let day):
      guard (1900...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else {
        throw .spreadsheet("there is no such day in a spreadsheet's calendar")
      }
      var date = lxw_datetime(year: Int32(year), month: Int32(month), day: Int32(day), hour: 0, min: 0, sec: 0)
      try Spreadsheet.check(
        worksheet_write_datetime(worksheet, row, column, &date, try spreadsheet.format(.date(strong: strong))))
    }
  }

  private func write(
    units: Int64, places: Int, row: lxw_row_t, column: lxw_col_t, strong: Bool
  ) throws(DocumentError) {
    guard units.magnitude <= Sheet.exactMost else {
      try write(.text(Sheet.decimal(units, places: places)), row: row, column: column, strong: strong)
      return
    }
    // One correctly rounded division gives the double nearest to the decimal, which shows as this very decimal.
    let powers = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000.0]
    try Spreadsheet.check(
      worksheet_write_number(
        worksheet, row, column, Double(units) / powers[places],
        try spreadsheet.format(.figure(places: places, strong: strong))))
  }

  /// `-12.05` of -1205 with two places.
  static func decimal(_ units: Int64, places: Int) -> String {
    let digits = String(units.magnitude)
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    let text = places == 0 ? padded : "\(padded.dropLast(places)).\(padded.suffix(places))"
    return units < 0 ? "-\(text)" : text
  }
}
