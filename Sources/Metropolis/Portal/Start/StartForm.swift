import Foundation
import Gateway
import Kit
import Web

/// What a person tells of herself: all of it may be left out.
enum StartForm {
  static let fields = ["goal", "age", "place", "latitude", "longitude"]

  static let shape = Shape.object([
    ("goal?", .choice(Goal.allCases.map(\.rawValue))), ("age?", .integer), ("birthYear?", .integer), ("major?", .text(0...60)),
    ("interest?", .text(0...60)), ("languages?", .array(.string)), ("place?", .text(0...60)), ("latitude?", .number),
    ("longitude?", .number),
  ])

  static func read(_ input: inout Input, places: PlaceNames, visit: Visit) -> Traveller {
    var traveller = Traveller()
    if input.has("goal") { traveller.goal = input.choice("goal", Goal.self) }
    traveller.age = input.int("age", in: 0...130)
    let today = CivilDate(visit.now, in: visit.site.timeZone)
    if let year = input.int("birthYear", in: (today.year - 130)...today.year), traveller.age == nil {
      traveller.age = Traveller.age(bornIn: year, on: today)
    }
    let major = input.text("major", length: 0...60)
    let interest = input.text("interest", length: 0...60)
    traveller.major = major.isEmpty ? nil : major
    traveller.interest = interest.isEmpty ? nil : interest
    let languages = input.words("languages", most: 10, length: 2...3)
    traveller.languages = languages.isEmpty ? [visit.language.rawValue] : Set(languages.map { $0.lowercased() })
    traveller.point = point(&input, places)
    return traveller
  }

  /// What is written is seen, so it counts before the coordinates that a device filled in.
  private static func point(_ input: inout Input, _ places: PlaceNames) -> GeographicPoint? {
    let name = input.text("place", length: 0...60)
    let latitude = input.number("latitude", in: -90...90)
    let longitude = input.number("longitude", in: -180...180)
    if input.has("latitude") != input.has("longitude") {
      input.refuse(input.has("latitude") ? "longitude" : "latitude", "together")
    }
    guard !name.isEmpty else {
      guard let latitude, let longitude else { return nil }
      return GeographicPoint(latitude: latitude, longitude: longitude)
    }
    let point = places.point(name)
    if point == nil { input.refuse("place", "unknownPlace") }
    return point
  }
}
