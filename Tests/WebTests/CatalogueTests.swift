import Foundation
import Kit
import Testing

@testable import Web

@Suite("Catalogues of texts") struct CatalogueTests {
  private func catalogue(ko: String, en: String) throws -> Catalogue {
    try Catalogue([("shop", ["texts.ko.json": ko, "texts.en.json": en, "other.json": "x"])])
  }

  @Test("a text is found by its namespace and nested key, and filled")
  func texts() throws {
    let catalogue = try catalogue(ko: #"{"a": {"b": "{name}님, {count}개"}}"#, en: #"{"a": {"b": "{name}: {count}"}}"#)
    #expect(catalogue.text("shop.a.b", ["name": "미나", "count": "3"], in: .ko) == "미나님, 3개")
    #expect(catalogue.text("shop.a.b", ["name": "Mina"], in: .en) == "Mina: {count}")
    #expect(catalogue.keys == ["shop.a.b"])
    #expect(catalogue.has("shop.a.b"))
    #expect(!catalogue.has("shop.a"))
  }

  @Test("a value with braces in it is no pattern, in whatever order values come")
  func bracesInValues() throws {
    let catalogue = try catalogue(ko: #"{"x": "{a} {b}"}"#, en: #"{"x": "{a} {b}"}"#)
    #expect(catalogue.text("shop.x", ["a": "{b}", "b": "{a}"], in: .ko) == "{b} {a}")
  }

  @Test("a key that isn't there is shown itself, so that it is seen")
  func missing() throws {
    #expect(try catalogue(ko: "{}", en: "{}").text("shop.nothing", in: .ko) == "shop.nothing")
  }

  @Test("a key missing in a language stops the start, and the message names it")
  func incomplete() {
    let error = #expect(throws: Catalogue.Incomplete.self) {
      try catalogue(ko: #"{"a": "가", "b": {"c": "나", "d": "다"}}"#, en: #"{"a": "a", "b": {"c": "n"}}"#)
    }
    #expect(error?.description == "texts in ko but not in en: shop.b.d")
    #expect(throws: Catalogue.Incomplete.self) { try catalogue(ko: "{}", en: #"{"a": "a"}"#) }
  }

  @Test(
    "a file that is no JSON object, and a value that is no text, stop the start",
    arguments: ["", "[]", "{", #"{"a": 1}"#, #"{"a": null}"#, #"{"a": ["b"]}"#])
  func malformed(text: String) {
    #expect(throws: Catalogue.Incomplete.self) { try catalogue(ko: text, en: text) }
  }

  @Test("a template that can't be parsed stops the start, and the message names it")
  func brokenTemplate() {
    let error = #expect(throws: Catalogue.Incomplete.self) { try Renderer([("shop", ["a/broken.mustache": "{{#open}}"])]) }
    #expect(error?.description.hasPrefix("template shop/a/broken.mustache:") == true)
  }
}

@Suite("Figures, days and times") struct FormattingTests {
  private let korean: Formatting
  private let english: Formatting

  init() throws {
    let catalogue = try Renderer([]).catalogue
    let seoul = try #require(TimeZone(identifier: "Asia/Seoul"))
    korean = Formatting(language: .ko, timeZone: seoul, catalogue: catalogue)
    english = Formatting(language: .en, timeZone: seoul, catalogue: catalogue)
  }

  @Test(
    "figures are grouped by thousands",
    arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-19_900, "−19,900")])
  func numbers(value: Int64, expected: String) {
    #expect(korean.number(value) == expected)
    #expect(english.number(value) == expected)
  }

  @Test("amounts are written as each language's readers expect")
  func money() {
    #expect(korean.money(Money(19_900, .krw)) == "19,900원")
    #expect(english.money(Money(19_900, .krw)) == "₩19,900")
    #expect(english.money(Money(-19_900, .krw)) == "−₩19,900")
    #expect(korean.money(Money(-19_900, .krw)) == "−19,900원")
    #expect(english.money(Money(1_499, .usd)) == "$14.99")
    #expect(english.money(Money(-123_405, .usd)) == "−$1,234.05")
    #expect(korean.money(Money(1_230, .points)) == "1,230 P")
  }

  @Test("days and times are those of the site's time zone")
  func dates() throws {
    let instant = try #require(Instant(rfc3339: "2026-11-20T15:05:59Z"))
    #expect(korean.date(instant) == "2026년 11월 21일")
    #expect(english.date(instant) == "21 November 2026")
    #expect(korean.dateTime(instant) == "11월 21일 00:05")
    #expect(english.dateTime(instant) == "21 November, 00:05")
    #expect(english.dateTime(instant - .minutes(6)) == "20 November, 23:59")
  }

  @Test("a time on a day of changing clocks is what the clock on the wall shows")
  func changingClocks() throws {
    let newYork = Formatting(
      language: .en, timeZone: try #require(TimeZone(identifier: "America/New_York")), catalogue: try Renderer([]).catalogue)
    #expect(newYork.dateTime(try #require(Instant(rfc3339: "2024-03-10T12:00:00-04:00"))) == "10 March, 12:00")
    #expect(newYork.dateTime(try #require(Instant(rfc3339: "2024-11-03T12:00:00-05:00"))) == "3 November, 12:00")
  }

  @Test("how long ago is told in words, and after a week by the date")
  func ago() throws {
    let now = try #require(Instant(rfc3339: "2026-11-21T05:00:00Z"))
    #expect(english.ago(now - .seconds(59), now: now) == "just now")
    #expect(english.ago(now + .seconds(5), now: now) == "just now")
    #expect(english.ago(now - .seconds(60), now: now) == "a minute ago")
    #expect(english.ago(now - .minutes(59), now: now) == "59 minutes ago")
    #expect(english.ago(now - .hours(1), now: now) == "an hour ago")
    #expect(english.ago(now - .hours(23), now: now) == "23 hours ago")
    #expect(english.ago(now - .days(6), now: now) == "6 days ago")
    #expect(english.ago(now - .days(7), now: now) == "14 November 2026")
    #expect(korean.ago(now - .minutes(3), now: now).contains("3"))
    #expect(korean.ago(now - .days(7), now: now) == "2026년 11월 14일")
  }
}
