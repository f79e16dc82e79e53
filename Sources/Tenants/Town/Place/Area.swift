import Kit

/// The part of the Earth a town is about: a box on WGS 84 coordinates, in degrees. Borders belong to it.
public struct Area: Hashable, Sendable {
  public let latitudes: ClosedRange<Double>
  public let longitudes: ClosedRange<Double>

  public static let jeju = Area(latitudes: 33.1...33.6, longitudes: 126.1...126.9)

  public init(latitudes: ClosedRange<Double>, longitudes: ClosedRange<Double>) {
    self.latitudes = latitudes
    self.longitudes = longitudes
  }

  /// Reads `{south, north, west, east}`; `nil` after a mistake has been noted.
  init?(reading section: ConfigSection) {
    let south = section.number("south", in: -90...90)
    let north = section.number("north", in: -90...90)
    let west = section.number("west", in: -180...180)
    let east = section.number("east", in: -180...180)
    guard let south, let north, let west, let east else { return nil }
    if south >= north { section.note("north", found: "\(north)", expected: "a latitude north of \(south)") }
    if west >= east { section.note("east", found: "\(east)", expected: "a longitude east of \(west)") }
    guard south < north, west < east else { return nil }
    self.init(latitudes: south...north, longitudes: west...east)
  }

  func contains(_ coordinates: Coordinates) -> Bool {
    latitudes.contains(coordinates.latitude) && longitudes.contains(coordinates.longitude)
  }
}
