import Testing

@testable import Web

@Suite("Colours") struct ColourTests {
  private func random(_ generator: inout SeededGenerator) -> Colour {
    func part() -> Double { Double(UInt8.random(in: .min ... .max, using: &generator)) / 255 }
    return Colour(red: part(), green: part(), blue: part())
  }

  @Test(
    "contrast with white is what WCAG's formula gives",
    arguments: [("#777777", 4.48), ("#767676", 4.54), ("#000000", 21), ("#FFFFFF", 1), ("#0000FF", 8.59), ("#FF0000", 4.00)])
  func contrast(hex: String, expected: Double) throws {
    let colour = try #require(Colour(hex))
    #expect(abs(colour.contrast(with: .white) - expected) < 0.005)
    #expect(Colour.white.contrast(with: colour) == colour.contrast(with: .white))
  }

  @Test("a colour is read from #RRGGBB and written the same", arguments: ["#e8590c", "#000000", "#ffffff", "#0a0b0c"])
  func hex(text: String) {
    #expect(Colour(text)?.hex == text)
    #expect(Colour(text.uppercased())?.hex == text)
  }

  @Test(
    "any other text is no colour",
    arguments: ["", "e8590c", "#e8590", "#e8590cc", "#gggggg", "#+12345", "#-12345", "red", "#제주시"])
  func noColour(text: String) {
    #expect(Colour(text) == nil)
  }

  @Test("any accent becomes readable as text on the pages' ground, light and dark")
  func readable() {
    var generator = SeededGenerator(45)
    for _ in 0..<200 {
      let colour = random(&generator)
      for ground in [Colour.ground, .groundDark, .white, .black] {
        #expect(colour.readable(on: ground).contrast(with: ground) >= 4.5, "\(colour.hex) on \(ground.hex)")
      }
    }
  }

  @Test("even a ground of middle grey has a readable text")
  func middleGrounds() {
    var generator = SeededGenerator(46)
    for _ in 0..<200 {
      let (colour, ground) = (random(&generator), random(&generator))
      #expect(colour.readable(on: ground).contrast(with: ground) >= 4.5, "\(colour.hex) on \(ground.hex)")
    }
  }

  @Test("a colour that can be read already is left as it is")
  func unchanged() throws {
    let blue = try #require(Colour("#2b59c3"))
    #expect(blue.readable(on: .white) == blue)
  }

  @Test("text on any accent can be read: white where it may be, else dark")
  func inkOnTop() throws {
    var generator = SeededGenerator(47)
    for _ in 0..<500 {
      let colour = random(&generator)
      #expect(colour.contrast(with: colour.inkOnTop) >= 4.5, "\(colour.hex)")
    }
    #expect(try #require(Colour("#2b59c3")).inkOnTop == .white)
    #expect(try #require(Colour("#fab005")).inkOnTop == .ink)
    #expect(try #require(Colour("#777777")).inkOnTop == .black)
  }

  @Test("what a button of any accent says can be read, and an accent near to dark enough is darkened for white")
  func fill() throws {
    var generator = SeededGenerator(48)
    for _ in 0..<500 {
      let fill = Look(accent: random(&generator), mark: "일").fill
      #expect(fill.contrast(with: fill.inkOnTop) >= 4.5, "\(fill.hex)")
    }
    let orange = Look(accent: try #require(Colour("#e8590c")), mark: "제")
    #expect(orange.fill != orange.accent)
    #expect(orange.fill.inkOnTop == .white)
    let yellow = Look(accent: try #require(Colour("#fab005")), mark: "일")
    #expect(yellow.fill == yellow.accent)
  }

  @Test("a look becomes variables for both modes, corrected for each")
  func styleSheet() throws {
    let look = Look(accent: try #require(Colour("#FAB005")), mark: "일")
    let sheet = look.styleSheet
    #expect(sheet.hasPrefix(":root{--accent:#fab005;--accent-ink:\(Colour.ink.hex);--accent-text:#"))
    let texts = try sheet.matches(of: /--accent-text:(#[0-9a-f]{6})/).map { try #require(Colour(String($0.1))) }
    #expect(texts.count == 2)
    #expect(texts[0].contrast(with: .ground) >= 4.49)
    #expect(texts[1].contrast(with: .groundDark) >= 4.49)
    #expect(sheet.contains("@media (prefers-color-scheme:dark){:root{"))
    #expect(look.markStyle(site: "skillprep") == ".t-skillprep{--accent:#fab005;--accent-ink:\(Colour.ink.hex)}\n")
  }

  @Test("a mark can't break out of the icon it stands in")
  func icon() {
    let icon = Look(accent: .black, mark: "<&>").icon
    #expect(icon.contains(">&lt;&amp;></text>"))
  }
}
