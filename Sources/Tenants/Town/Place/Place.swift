import Foundation
import Kit
import Web

/// Degrees on WGS 84.
struct Coordinates: Hashable, Sendable {
  let latitude: Double
  let longitude: Double

  /// As people write them: `33.45800, 126.94250`. Five decimals are about a metre.
  var text: String { "\(Coordinates.decimal(latitude)), \(Coordinates.decimal(longitude))" }

  static func decimal(_ degrees: Double) -> String {
    let scaled = Int((abs(degrees) * 100_000).rounded())
    let digits = String(scaled % 100_000)
    let sign = degrees < 0 && scaled > 0 ? "-" : ""
    return "\(sign)\(scaled / 100_000).\(String(repeating: "0", count: 5 - digits.count))\(digits)"
  }
}

/// Where a question is about: a name, a point, or both.
struct Place: Hashable, Sendable {
  let name: String?
  let coordinates: Coordinates?

  /// `nil` when there is nothing to say.
  init?(name: String?, coordinates: Coordinates?) {
    guard name != nil || coordinates != nil else { return nil }
    self.name = name
    self.coordinates = coordinates
  }

  /// A page with a map of the place.
  var mapURL: String? {
    coordinates.map { point in
      let (latitude, longitude) = (Coordinates.decimal(point.latitude), Coordinates.decimal(point.longitude))
      return "https://www.openstreetmap.org/?mlat=\(latitude)&mlon=\(longitude)#map=17/\(latitude)/\(longitude)"
    }
  }

  /// Reads `placeName`, `latitude` and `longitude` of a form or of JSON, where they may also be one member `place`
  /// with `name`, `latitude` and `longitude`, as we send it.
  static func read(_ input: inout Input, in area: Area) -> Place? {
    let name = input.text("placeName", length: 0...80)
    let latitude = input.number("latitude", in: area.latitudes)
    let longitude = input.number("longitude", in: area.longitudes)
    if input.has("latitude") != input.has("longitude") {
      input.refuse(input.has("latitude") ? "longitude" : "latitude", "together")
    }
    var coordinates: Coordinates?
    if let latitude, let longitude { coordinates = Coordinates(latitude: latitude, longitude: longitude) }
    return Place(name: name.isEmpty ? nil : name, coordinates: coordinates)
  }

  /// Puts the members of `place` beside the others.
  static func flatten(_ values: [String: JSONValue]) -> [String: JSONValue] {
    guard case .object(let place)? = values["place"] else { return values }
    var values = values
    values["place"] = nil
    for (name, member) in place { values[name == "name" ? "placeName" : name] = member }
    return values
  }
}

/// A place in JSON.
struct PlaceView: Encodable, Sendable {
  let name: String?
  let latitude: Double?
  let longitude: Double?

  init(_ place: Place) {
    name = place.name
    latitude = place.coordinates?.latitude
    longitude = place.coordinates?.longitude
  }
}
