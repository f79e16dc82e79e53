import Foundation
public import Kit

/// A point on the Earth, in degrees on WGS 84.
public struct GeographicPoint: Hashable, Sendable {
  public let latitude: Double
  public let longitude: Double

  /// `nil` beyond the poles and beyond 180 degrees east or west.
  public init?(latitude: Double, longitude: Double) {
    guard (-90...90).contains(latitude), (-180...180).contains(longitude) else { return nil }
    self.latitude = latitude
    self.longitude = longitude
  }

  /// Kilometres along the great circle, by the haversine formula on a sphere; right to half a per cent.
  public func distance(to other: GeographicPoint) -> Double {
    let radians = Double.pi / 180
    let (rise, turn) = ((other.latitude - latitude) * radians / 2, (other.longitude - longitude) * radians / 2)
    let half = sin(rise) * sin(rise) + cos(latitude * radians) * cos(other.latitude * radians) * sin(turn) * sin(turn)
    return 2 * GeographicPoint.earthRadius * asin(min(1, half.squareRoot()))
  }

  /// Mean radius in kilometres (IUGG).
  static let earthRadius = 6_371.0088
}

/// A part of the Earth between two parallels and two meridians. Its borders belong to it.
public struct GeographicArea: Hashable, Sendable {
  public let latitudes: ClosedRange<Double>
  public let longitudes: ClosedRange<Double>

  /// `nil` unless south < north and west < east.
  public init?(south: Double, north: Double, west: Double, east: Double) {
    guard south < north, west < east, (-90...90).contains(south), (-90...90).contains(north),
      (-180...180).contains(west), (-180...180).contains(east)
    else { return nil }
    latitudes = south...north
    longitudes = west...east
  }

  public func contains(_ point: GeographicPoint) -> Bool {
    latitudes.contains(point.latitude) && longitudes.contains(point.longitude)
  }

  /// On a sphere, a zone between two parallels is as large as the band of the cylinder around it.
  public var squareKilometres: Double {
    let radians = Double.pi / 180
    let height = sin(latitudes.upperBound * radians) - sin(latitudes.lowerBound * radians)
    let width = (longitudes.upperBound - longitudes.lowerBound) * radians
    return GeographicPoint.earthRadius * GeographicPoint.earthRadius * height * width
  }

  /// Kilometres to its nearest point; 0 inside. The nearest point is sought along the point's own parallel and meridian,
  /// which for areas of a town's size is right to a few metres.
  public func distance(to point: GeographicPoint) -> Double {
    let latitude = min(max(point.latitude, latitudes.lowerBound), latitudes.upperBound)
    guard !longitudes.contains(point.longitude) else {
      return GeographicPoint(latitude: latitude, longitude: point.longitude).map(point.distance) ?? .infinity
    }
    // Either border may be the nearer one: the Earth is round.
    return [longitudes.lowerBound, longitudes.upperBound].compactMap {
      GeographicPoint(latitude: latitude, longitude: $0).map(point.distance)
    }.min() ?? .infinity
  }
}

/// The town that a point belongs to.
public struct FoundTown: Hashable, Sendable {
  public enum How: Hashable, Sendable {
    /// The point is in its area, and perhaps in those of others, which are larger.
    case inside
    /// It is in no area; this one is the nearest, so many kilometres away.
    case nearest(kilometres: Double)
  }

  public let tenant: TenantID
  public let how: How
}

/// Where tenants of one kind are, in the order of the file.
public struct TownMap: Hashable, Sendable {
  public let areas: [TenantID: GeographicArea]
  let order: [TenantID]

  init(_ areas: [(TenantID, GeographicArea)]) {
    self.areas = Dictionary(areas) { first, _ in first }
    order = areas.map(\.0)
  }

  /// The smallest area that holds the point, else the nearest, however far.
  func town(at point: GeographicPoint, isOpen: (TenantID) -> Bool) -> FoundTown? {
    let open = order.filter(isOpen).compactMap { id in areas[id].map { (id: id, area: $0) } }
    // `min` takes the first of equals: then the order of the file decides.
    if let inside = open.filter({ $0.area.contains(point) }).min(by: { $0.area.squareKilometres < $1.area.squareKilometres }) {
      return FoundTown(tenant: inside.id, how: .inside)
    }
    let distances = open.map { (id: $0.id, kilometres: $0.area.distance(to: point)) }
    return distances.min { $0.kilometres < $1.kilometres }.map {
      FoundTown(tenant: $0.id, how: .nearest(kilometres: $0.kilometres))
    }
  }
}
