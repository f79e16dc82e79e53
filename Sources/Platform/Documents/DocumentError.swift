/// Why a document could not be made.
public enum DocumentError: Error, Equatable, CustomStringConvertible {
  /// No known folder holds the font. `package` is the Debian package that brings it.
  case missingFont(file: String, package: String)
  /// libharu refused: its error number and detail (hpdf_error.h).
  case pdf(code: UInt, detail: UInt)
  /// libxlsxwriter refused: its own words, which hold no values of cells.
  case spreadsheet(String)
  /// A sheet's rows come in order, and none after ``Spreadsheet/close()``.
  case closed
  /// The file could not be written or read back.
  case file(String)

  public var description: String {
    switch self {
    case .missingFont(let file, let package):
      "the font \(file) is in none of the known folders: install the package \(package) (apt-get install \(package))"
    case .pdf(let code, let detail): "libharu: error 0x\(String(code, radix: 16)), detail \(detail)"
    case .spreadsheet(let words): "libxlsxwriter: \(words)"
    case .closed: "the spreadsheet is closed already"
    case .file(let words): "file: \(words)"
    }
  }
}
