import Foundation
import HTTPTypes
import HummingbirdCore
public import Kit
import Mustache

/// Templates and texts of all targets, read once at start.
public struct Renderer: Sendable {
  public let catalogue: Catalogue
  public let assets: Assets
  private let library: MustacheLibrary
  private let templates: Set<String>

  /// - Parameter resources: each target's embedded files under its namespace. `web` is the platform's own.
  /// - Throws: for a template that can't be parsed and for incomplete catalogues.
  public init(_ resources: [(namespace: String, files: [String: String])]) throws {
    let all = [(namespace: "web", files: Embedded.files)] + resources
    catalogue = try Catalogue(all)
    assets = Assets(Embedded.files)
    var library = MustacheLibrary()
    var names: Set<String> = []
    for (namespace, files) in all {
      for (path, text) in files where path.hasSuffix(".mustache") {
        let base = path.split(separator: "/").last!.dropLast(".mustache".count)
        let name = "\(namespace).\(base)"
        do {
          try library.register(text, named: name)
        } catch {
          throw Catalogue.Incomplete(description: "template \(namespace)/\(path): \(error)")
        }
        names.insert(name)
      }
    }
    for (namespace, files) in all {
      for (path, text) in files where path.hasSuffix(".mustache") {
        // A partial that isn't there would render as nothing, silently.
        for match in text.matches(of: /\{\{[<>]\s*([^}\s]+)\s*\}\}/) where !names.contains(String(match.1)) {
          throw Catalogue.Incomplete(description: "template \(namespace)/\(path) asks for \(match.1), which does not exist")
        }
      }
    }
    self.library = library
    self.templates = names
  }

  func has(_ template: String) -> Bool { templates.contains(template) }

  /// The HTML of a page inside the common layout.
  func html(_ page: Page, visit: Visit, status: Int) -> String {
    var context: [String: any Sendable] = page.model
    context["t"] = catalogue.nested[visit.language]
    context["title"] = page.title
    context["notice"] = page.notice
    context["layout"] = layout(visit, page: page)
    context["csrf"] = ForgeryToken.issue(visit)
    context["key"] = UUID.v7(at: visit.now).text
    return library.render(context, withTemplate: page.template) ?? "template \(page.template) is missing"
  }

  private func layout(_ visit: Visit, page: Page) -> [String: any Sendable] {
    let site = visit.site
    let cities = visit.cities
    func entry(_ other: Site) -> [String: any Sendable] {
      [
        "id": other.id, "name": other.name(visit.language), "summary": other.summary(visit.language),
        "mark": other.look.mark, "url": other.origin.url(), "here": other.id == site.id,
      ]
    }
    let other: Language = visit.language == .ko ? .en : .ko
    // Only a GET can be come back to; a page shown after a refused form returns to the first page.
    let here = visit.arrived.method == .get ? visit.pathAndQuery : "/"
    func switched(to language: Language) -> String {
      let query = visit.arrived.method == .get ? (visit.arrived.uri.query ?? "") : ""
      let kept = query.split(separator: "&").filter { !$0.hasPrefix("lang=") } + ["lang=\(language.rawValue)"]
      return "?" + kept.joined(separator: "&")
    }
    // The console is no place for everyone: it stands in its own switcher only.
    let own = [cities.console].compactMap(\.self).filter { $0.id == site.id }
    var groups: [[String: any Sendable]] = [["sites": (own + [cities.city]).map(entry)]]
    for (kind, sites) in cities.switched {
      let here = site.kind == kind && !sites.contains { $0.id == site.id } ? [site] : []
      groups.append([
        "heading": catalogue.text("web.kind.\(kind)", in: visit.language), "sites": (sites + here).map(entry),
      ])
    }
    var layout: [String: any Sendable] = [
      "language": visit.language.rawValue,
      "site": entry(site),
      "offersSignIn": site.id != cities.issuer.id,
      "cityURL": cities.city.origin.url(),
      "cityName": cities.city.name(visit.language),
      "accountURL": cities.city.origin.url("/account"),
      "plansURL": cities.city.origin.url("/plans"),
      "mailboxURL": cities.city.origin.url("/mailbox"),
      "registerURL": "/signin?register=1&return_to=\(Renderer.encode(here))",
      "signInURL": "/signin?return_to=\(Renderer.encode(here))",
      "switcher": groups,
      "menu": site.menu.filter { $0.isShown(to: visit.who) }.map { item -> [String: any Sendable] in
        [
          "url": item.path, "title": catalogue.text(item.titleKey, in: visit.language), "here": item.path == visit.path,
        ]
      },
      "styleURL": assets.url("app.css"),
      "scriptURL": assets.url("app.js"),
      "lookURL": "/look.css?\(cities.lookVersion)",
      "isDevelopment": cities.isDevelopment,
      "otherLanguage": other.rawValue,
      "otherLanguageName": other.ownName,
      "otherLanguageURL": switched(to: other),
      "languages": site.languages.map { language -> [String: any Sendable] in
        [
          "code": language.rawValue, "name": language.ownName, "url": switched(to: language),
          "here": language == visit.language,
        ]
      },
    ]
    if let session = visit.who { layout["person"] = ["name": session.displayName] }
    return layout
  }

  /// Percent-encodes a value of a query string.
  public static func encode(_ text: String) -> String {
    func isPlain(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "/"):
        true
      default: false
      }
    }
    if text.utf8.allSatisfy(isPlain) { return text }
    let digits = Array("0123456789ABCDEF".utf8)
    var out: [UInt8] = []
    for byte in text.utf8 {
      if isPlain(byte) { out.append(byte) } else { out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0x0F)]] }
    }
    return String(decoding: out, as: UTF8.self)
  }
}

extension Language {
  /// Its name in itself.
  public var ownName: String { self == .ko ? "한국어" : "English" }
}
