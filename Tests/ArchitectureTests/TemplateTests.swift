import Testing

@testable import Web

@Suite("Templates") struct TemplateTests {
  private let templates: [SourceFile]
  init() throws { templates = try SourceTree.templates() }

  /// Where a pattern is found.
  private func places(_ pattern: some RegexComponent) -> [String] {
    templates.flatMap { file in file.text.matches(of: pattern).map { file.place($0.range.lowerBound) } }
  }

  @Test("there are templates to look at")
  func found() {
    #expect(templates.count > 10)
  }

  @Test("every template parses, and every text and template it takes is there")
  func parse() throws {
    _ = try TextCatalogues.renderer()
  }

  @Test("every form that posts proves where it comes from")
  func forms() {
    var bare: [String] = []
    // The issuer's page that posts a code to a relying party goes to another origin, which could not check our token.
    for file in templates where !file.path.hasSuffix("/form-post.mustache") {
      for form in file.text.matches(of: /<form\b[^>]*\bmethod="?post"?[^>]*>/.ignoresCase()) {
        let body = file.text[form.range.upperBound...]
        let end = body.firstRange(of: "</form>")?.lowerBound ?? body.endIndex
        if !body[..<end].contains(#"name="_csrf" value="{{csrf}}""#) { bare.append(file.place(form.range.lowerBound)) }
      }
    }
    #expect(bare == [])
  }

  @Test("nothing inline: no styles, no handlers, no scripts; the pages' policy would refuse them")
  func inline() {
    #expect(places(/<[^>]*\sstyle\s*=/) == [])
    #expect(places(/<[^>]*\son[a-z]+\s*=/) == [])
    #expect(places(/<style\b/.ignoresCase()) == [])
    #expect(places(/<script\b(?![^>]*\ssrc=)/.ignoresCase()) == [])
    #expect(places(/javascript:/.ignoresCase()) == [])
  }

  @Test("nothing is put in unescaped")
  func escaping() {
    #expect(places(/\{\{\{|\{\{&/) == [])
  }

  @Test("nothing is loaded from elsewhere")
  func origins() {
    #expect(places(/(?:src|srcset|action)\s*=\s*"(?:https?:)?\/\//) == [])
    #expect(places(/<link\b[^>]*href="(?:https?:)?\/\//) == [])
  }

  @Test("every value of an attribute stands in quotes: unquoted, a blank in it would begin another")
  func quotes() {
    #expect(places(/<[a-z][^>]*\s[a-z-]+=\{\{/) == [])
  }

  @Test("a link that opens a window of its own doesn't hand ours over")
  func windows() {
    #expect(places(/<a\b(?=[^>]*target="_blank")(?![^>]*rel="[^"]*noopener)[^>]*>/) == [])
  }

  @Test("every template that code names is there")
  func named() throws {
    let renderer = try TextCatalogues.renderer()
    var missing: [String] = []
    for file in try SourceTree.swift() {
      for page in file.text.matches(of: /\bPage\(\s*"([^"\\]+)"/) where !renderer.has(String(page.1)) {
        missing.append("\(file.place(page.range.lowerBound)) \(page.1)")
      }
    }
    for file in templates {
      for partial in file.text.matches(of: /\{\{[<>]\s*([A-Za-z0-9_\/-]+)\s*\}\}/) where !renderer.has(String(partial.1)) {
        missing.append("\(file.place(partial.range.lowerBound)) \(partial.1)")
      }
    }
    #expect(missing == [])
  }
}
