import Foundation
import Gateway
import Kit

/// Names of places and where they are, from `places.json`: a word instead of a map.
struct PlaceNames: Sendable {
  private struct Place: Decodable {
    let ko: String
    let en: String
    let latitude: Double
    let longitude: Double
  }

  private let korean: [String]
  private let english: [String]
  private let points: [String: GeographicPoint]

  /// - Throws: when the file is not among those embedded, or not what it should be.
  init(_ files: [String: String]) throws {
    guard let text = files["Portal/Start/places.json"] else { throw Failure(description: "places.json is not embedded") }
    let places = try JSONDecoder().decode([Place].self, from: Data(text.utf8))
    (korean, english) = (places.map(\.ko), places.map(\.en))
    points = places.reduce(into: [:]) { points, place in
      let point = GeographicPoint(latitude: place.latitude, longitude: place.longitude)
      points[PlaceNames.plain(place.ko)] = point
      points[PlaceNames.plain(place.en)] = point
    }
  }

  func names(_ language: Language) -> [String] { language == .ko ? korean : english }

  /// Where a place is: by its name, with or without 시, 군, 구, or written as `33.45, 126.56`.
  func point(_ text: String) -> GeographicPoint? {
    let numbers = text.split(separator: ",").map { Double($0.trimmed) }
    if numbers.count == 2, let latitude = numbers[0], let longitude = numbers[1] {
      return GeographicPoint(latitude: latitude, longitude: longitude)
    }
    let name = PlaceNames.plain(text)
    if let known = points[name] { return known }
    for ending in PlaceNames.endings where name.hasSuffix(ending) && name.count > ending.count {
      if let known = points[String(name.dropLast(ending.count))] { return known }
    }
    return nil
  }

  private static let endings = ["특별자치도", "특별자치시", "특별시", "광역시", "시", "군", "구", "도", "-si", "-gun", "-gu", "-do", "city"]

  private static func plain(_ name: String) -> String {
    name.precomposedStringWithCanonicalMapping.lowercased().filter { !$0.isWhitespace }
  }
}
