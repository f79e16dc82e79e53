import CHaru
public import Foundation

/// A PDF of A4 pages with text in Korean and Latin, lines and boxes, written by libharu.
///
/// Lengths are points (1/72 inch); positions count from the page's top left corner, and text stands on its baseline.
/// The same calls with the same date give the same bytes. Not to be shared between threads.
///
/// libharu keeps its first error and then does nothing more, so drawing does not throw: ``data()`` tells. Its error handler
/// is left out, since all it could do is jump over Swift's frames.
public final class PDFDocument {
  public enum Weight: Sendable { case regular, bold }

  /// Red, green and blue from 0 to 1.
  public struct Ink: Sendable, Equatable {
    let red, green, blue: Float
    public init(_ red: Float, _ green: Float, _ blue: Float) { (self.red, self.green, self.blue) = (red, green, blue) }
    public static let black = Ink(0.11, 0.105, 0.1)
    public static let grey = Ink(0.38, 0.365, 0.35)
    public static let hairline = Ink(0.84, 0.83, 0.81)
  }

  /// ISO 216 A4: 210 mm × 297 mm.
  public static let width = 595.276
  public static let height = 841.89

  private let document: HPDF_Doc
  private let regular: HPDF_Font
  private let bold: HPDF_Font
  private var pages: [HPDF_Page] = []
  /// Which page is drawn on.
  private var page: HPDF_Page?

  /// - Parameters:
  ///   - language: BCP 47, for readers that speak (ISO 32000-1 §14.9.2).
  ///   - created: what the document says of its own time; never the clock.
  /// - Throws: ``DocumentError``.
  public init(title: String, author: String, language: String, created: Date, fonts: PDFFonts) throws(DocumentError) {
    guard let document = HPDF_New(nil, nil) else { throw .pdf(code: UInt(HPDF_FAILD_TO_ALLOC_MEM), detail: 0) }
    func font(_ path: String) -> HPDF_Font? {
      guard let name = HPDF_LoadTTFontFromFile(document, path, HPDF_BOOL(HPDF_TRUE)) else { return nil }
      return HPDF_GetFont(document, name, "UTF-8")
    }
    HPDF_UseUTFEncodings(document)
    HPDF_SetCurrentEncoder(document, "UTF-8")
    HPDF_SetCompressionMode(document, HPDF_UINT(HPDF_COMP_ALL))
    guard let regular = font(fonts.regular), let bold = font(fonts.bold) else {
      let error = PDFDocument.error(of: document)
      HPDF_Free(document)
      throw error
    }
    (self.document, self.regular, self.bold) = (document, regular, bold)
    // libharu's own map back to Unicode is one that readers complain of; ours replaces it, so that text can be copied.
    if let map = HPDF_DictStream_New(document.pointee.mmgr, document.pointee.xref) {
      HPDF_Stream_WriteStr(map.pointee.stream, PDFText.toUnicode)
      HPDF_Dict_Add(regular, "ToUnicode", map)
      HPDF_Dict_Add(bold, "ToUnicode", map)
    }
    HPDF_SetInfoAttr(document, HPDF_INFO_TITLE, PDFText.printable(title))
    HPDF_SetInfoAttr(document, HPDF_INFO_AUTHOR, PDFText.printable(author))
    HPDF_SetInfoAttr(document, HPDF_INFO_CREATOR, "Metropolis")
    HPDF_SetInfoDateAttr(document, HPDF_INFO_CREATION_DATE, PDFDocument.date(created))
    HPDF_SetInfoDateAttr(document, HPDF_INFO_MOD_DATE, PDFDocument.date(created))
    // libharu has no call for these two: the language, and that a window shows the title, not the file's name.
    let catalog = document.pointee.catalog
    HPDF_Dict_Add(catalog, "Lang", HPDF_String_New(document.pointee.mmgr, language, nil))
    let preferences = HPDF_Dict_New(document.pointee.mmgr)
    HPDF_Dict_Add(preferences, "DisplayDocTitle", HPDF_Boolean_New(document.pointee.mmgr, HPDF_BOOL(HPDF_TRUE)))
    HPDF_Dict_Add(catalog, "ViewerPreferences", preferences)
    try check()
  }

  deinit { HPDF_Free(document) }

  public var pageCount: Int { pages.count }

  /// Begins a new page; what is drawn from now on stands there.
  public func addPage() throws(DocumentError) {
    guard let new = HPDF_AddPage(document) else { throw PDFDocument.error(of: document) }
    HPDF_Page_SetSize(new, HPDF_PAGE_SIZE_A4, HPDF_PAGE_PORTRAIT)
    pages.append(new)
    page = new
    try check()
  }

  /// Goes back to a page that is there, to put on it what was known only later, such as the number of pages.
  public func turn(to index: Int) { page = pages[index] }

  // MARK: Text

  /// How wide a text is, in points.
  public func textWidth(_ text: String, size: Double, _ weight: Weight = .regular) -> Double {
    width(ofPrintable: PDFText.printable(text), size: size, weight)
  }

  private func width(ofPrintable text: String, size: Double, _ weight: Weight) -> Double {
    var text = text
    let measured = text.withUTF8 { HPDF_Font_TextWidth(font(weight), $0.baseAddress, HPDF_UINT($0.count)) }
    return Double(measured.width) * size / 1000
  }

  /// Writes one line of text whose baseline begins at a point.
  public func text(_ text: String, x: Double, y: Double, size: Double, _ weight: Weight = .regular, ink: Ink = .black) {
    guard let page else { return }
    HPDF_Page_SetRGBFill(page, ink.red, ink.green, ink.blue)
    HPDF_Page_BeginText(page)
    HPDF_Page_SetFontAndSize(page, font(weight), Float(size))
    HPDF_Page_TextOut(page, Float(x), Float(PDFDocument.height - y), PDFText.printable(text))
    HPDF_Page_EndText(page)
  }

  /// The same, ending at a point.
  public func text(
    _ text: String, right: Double, y: Double, size: Double, _ weight: Weight = .regular, ink: Ink = .black
  ) {
    self.text(text, x: right - textWidth(text, size: size, weight), y: y, size: size, weight, ink: ink)
  }

  /// A text in lines no wider than so many points: broken between words, and inside a word only where it alone is too wide.
  public func wrap(_ text: String, width: Double, size: Double, _ weight: Weight = .regular) -> [String] {
    PDFText.wrap(text, width: width) { self.width(ofPrintable: $0, size: size, weight) }
  }

  // MARK: Shapes

  public func line(x1: Double, y1: Double, x2: Double, y2: Double, thickness: Double = 0.6, ink: Ink = .hairline) {
    guard let page else { return }
    HPDF_Page_SetRGBStroke(page, ink.red, ink.green, ink.blue)
    HPDF_Page_SetLineWidth(page, Float(thickness))
    HPDF_Page_MoveTo(page, Float(x1), Float(PDFDocument.height - y1))
    HPDF_Page_LineTo(page, Float(x2), Float(PDFDocument.height - y2))
    HPDF_Page_Stroke(page)
  }

  /// A filled rectangle, given by its top left corner.
  public func rectangle(x: Double, y: Double, width: Double, height: Double, fill: Ink) {
    guard let page else { return }
    HPDF_Page_SetRGBFill(page, fill.red, fill.green, fill.blue)
    HPDF_Page_Rectangle(page, Float(x), Float(PDFDocument.height - y - height), Float(width), Float(height))
    HPDF_Page_Fill(page)
  }

  // MARK: End

  /// The finished file.
  /// - Throws: ``DocumentError/pdf(code:detail:)`` with the first thing that went wrong since the beginning.
  public func data() throws(DocumentError) -> Data {
    try check()
    HPDF_SaveToStream(document)
    try check()
    var size = HPDF_GetStreamSize(document)
    var bytes = [UInt8](repeating: 0, count: Int(size))
    HPDF_ResetStream(document)
    HPDF_ReadFromStream(document, &bytes, &size)
    try check()
    return Data(bytes.prefix(Int(size)))
  }

  private func font(_ weight: Weight) -> HPDF_Font { weight == .bold ? bold : regular }

  private func check() throws(DocumentError) {
    if HPDF_GetError(document) != HPDF_STATUS(HPDF_OK) { throw PDFDocument.error(of: document) }
  }

  private static func error(of document: HPDF_Doc) -> DocumentError {
    .pdf(code: UInt(HPDF_GetError(document)), detail: UInt(HPDF_GetErrorDetail(document)))
  }

  private static func date(_ date: Date) -> HPDF_Date {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
    return HPDF_Date(
      year: HPDF_INT(parts.year ?? 1970), month: HPDF_INT(parts.month ?? 1), day: HPDF_INT(parts.day ?? 1),
      hour: HPDF_INT(parts.hour ?? 0), minutes: HPDF_INT(parts.minute ?? 0), seconds: HPDF_INT(parts.second ?? 0),
      ind: CChar(UInt8(ascii: "Z")), off_hour: 0, off_minutes: 0)
  }
}
