public import Kit
public import TenantKit

/// A town's part of its stanza in `tenants.yaml`.
///
///     settings:
///       area: {south: 33.1, north: 33.6, west: 126.1, east: 126.9}   # degrees, WGS 84
///       answer_target: 10m          # within which an urgent question should have its first answer
///       accepted_points: 30         # what an accepted answer earns
public struct TownSettings: TenantSettings {
  public let area: Area
  public let answerTarget: Duration
  public let acceptedPoints: Int

  public init(area: Area, answerTarget: Duration = .minutes(10), acceptedPoints: Int = 30) {
    self.area = area
    self.answerTarget = answerTarget
    self.acceptedPoints = acceptedPoints
  }

  public init(reading section: ConfigSection?) {
    // Jeju is the default town (R37). It also stands in after a mistake in the file, which stops the start.
    area = section?.section("area").flatMap(Area.init(reading:)) ?? .jeju
    answerTarget = section?.duration("answer_target", default: .minutes(10)) ?? .minutes(10)
    if answerTarget < .minutes(1) { section?.note("answer_target", expected: "a duration of 1m or more") }
    acceptedPoints = section?.int("accepted_points", in: 0...10_000, default: 30) ?? 30
  }
}
