/// Where a person goes after she has signed in: a path of this site, never another origin.
enum ContinuePath {
  /// The path, if it is one that no browser takes for an address elsewhere.
  ///
  /// `//host` and, in browsers, `/\host` are other origins; white space and control characters are cut out by them before
  /// they look.
  static func read(_ text: String?) -> String? {
    guard let text, text.utf8.count <= 4096 else { return nil }
    let bytes = Array(text.utf8)
    guard bytes.first == UInt8(ascii: "/"), bytes.count == 1 || bytes[1] != UInt8(ascii: "/"),
      bytes.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "\\") })
    else { return nil }
    return text
  }
}
