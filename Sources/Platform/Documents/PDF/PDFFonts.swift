import Foundation

/// Where the two faces of NanumGothic stand: one family with all of Hangul and Latin, free to embed (SIL OFL 1.1).
public struct PDFFonts: Sendable {
  public let regular: String
  public let bold: String

  /// Debian's, Fedora's and Alpine's folders, Homebrew's, and what a person installs on macOS.
  public static let knownFolders = [
    "/usr/share/fonts/truetype/nanum", "/usr/share/fonts/naver-nanum-gothic-fonts", "/usr/share/fonts/nanum",
    "/usr/local/share/fonts", "/opt/homebrew/share/fonts", "/Library/Fonts",
  ]

  /// - Throws: ``DocumentError/missingFont(file:package:)`` when a face is in none of the folders,
  ///   ``DocumentError/file(_:)`` when one is no TrueType font.
  public init(folders: [String] = PDFFonts.knownFolders) throws(DocumentError) {
    func find(_ file: String) throws(DocumentError) -> String {
      let paths = folders.map { "\($0)/\(file)" }
      guard let path = paths.first(where: { FileManager.default.isReadableFile(atPath: $0) }) else {
        throw .missingFont(file: file, package: "fonts-nanum")
      }
      // libharu crashes on a file that is no font: 00 01 00 00 is how TrueType begins (OpenType 1.9, table directory).
      let head = FileHandle(forReadingAtPath: path).flatMap { try? $0.read(upToCount: 4) }
      guard head == Data([0, 1, 0, 0]) else { throw .file("\(path) is no TrueType font") }
      return path
    }
    regular = try find("NanumGothic.ttf")
    bold = try find("NanumGothicBold.ttf")
  }
}
