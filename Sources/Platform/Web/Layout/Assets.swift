import Crypto
import Foundation
import HTTPTypes
import NIOCore

/// The style sheet and the script, under names that carry their content's hash and may be cached for ever.
public struct Assets: Sendable {
  private var byPath: [String: (data: Data, type: String)] = [:]
  private var urls: [String: String] = [:]
  /// Ready to be sent.
  private(set) var kept: [String: KeptAnswer] = [:]

  init(_ files: [String: String]) {
    var texts: [String: String] = [:]
    for (path, text) in files where path.hasPrefix("Assets/") { texts[String(path.dropFirst("Assets/".count))] = text }
    // One request for all style: the sheets of single components follow the common one, in the order of their names.
    let sheets = texts.keys.filter { $0.hasSuffix(".css") && $0 != "app.css" }.sorted()
    texts["app.css", default: ""] += sheets.compactMap { texts.removeValue(forKey: $0) }.joined()
    for (name, text) in texts {
      let data = Data(text.utf8)
      let hash = SHA256.hash(data: data).prefix(6).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      let parts = name.split(separator: ".")
      let hashed = "/assets/\(parts[0]).\(hash).\(parts.last!)"
      let types = ["css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"]
      byPath[hashed] = (data, types[String(parts.last!)] ?? "application/octet-stream")
      urls[name] = hashed
      kept[hashed] = KeptAnswer(
        status: .ok,
        headers: [
          .contentType: byPath[hashed]!.type, .cacheControl: "public, max-age=31536000, immutable",
          .xContentTypeOptions: "nosniff",
        ], body: ByteBuffer(bytes: data))
    }
  }

  func url(_ name: String) -> String { urls[name] ?? "/assets/\(name)" }

  /// The routes that every site has beside its own.
  func answer(path: String, site: Site, cities: CityMap) -> Answer? {
    if let asset = byPath[path] {
      return .bytes(asset.data, contentType: asset.type).header(.cacheControl, "public, max-age=31536000, immutable")
    }
    switch path {
    case "/look.css":
      return .text(cities.styleSheet(of: site), contentType: "text/css; charset=utf-8").header(
        .cacheControl, "public, max-age=86400")
    case "/favicon.ico", "/favicon.svg":
      return .text(site.look.icon, contentType: "image/svg+xml").header(.cacheControl, "public, max-age=86400")
    case "/robots.txt": return .text("User-agent: *\nDisallow: /signin\nDisallow: /account\n")
    default: return nil
    }
  }
}

extension Look {
  /// The mark as an icon.
  var icon: String {
    let safe = mark.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="16" fill="\(fill.hex)"/>\
      <text x="32" y="44" font-size="36" font-weight="700" font-family="Pretendard,'Noto Sans KR',sans-serif" \
      text-anchor="middle" fill="\(fill.inkOnTop.hex)">\(safe)</text></svg>
      """
  }
}
