public import Kit

/// What somebody comes to the city for (R6).
public enum Goal: String, Hashable, Sendable, CaseIterable {
  /// To learn, nothing particular.
  case general
  /// To be admitted to a university.
  case university
  /// To follow courses at a college.
  case college
  /// Skills for a job.
  case career
  case medical
  /// To study a major.
  case major
  /// The Korean language.
  case korean
  /// Music, drama, food.
  case culture
  /// To ask the people of a place.
  case town
}

/// Somebody who looks for her place in the city, as far as she tells. Nothing of it is kept.
public struct Traveller: Hashable, Sendable {
  /// In completed years.
  public var age: Int?
  public var goal: Goal?
  public var major: String?
  public var interest: String?
  /// Codes of the languages she reads, ISO 639-1.
  public var languages: Set<String>
  public var point: GeographicPoint?
  /// Where she is a member already.
  public var memberships: Set<TenantID>

  public init(
    age: Int? = nil, goal: Goal? = nil, major: String? = nil, interest: String? = nil, languages: Set<String> = [],
    point: GeographicPoint? = nil, memberships: Set<TenantID> = []
  ) {
    self.age = age
    self.goal = goal
    self.major = major
    self.interest = interest
    self.languages = languages
    self.point = point
    self.memberships = memberships
  }

  /// The age that somebody born in `year` reaches in the year of `day`: with no birthday, what Korean law on youth protection
  /// (청소년 보호법 §2) counts too.
  public static func age(bornIn year: Int, on day: CivilDate) -> Int { day.year - year }

  /// What she comes for: what she says, or else what follows from what she tells.
  public var effectiveGoal: Goal {
    if let goal { return goal }
    if major != nil { return .major }
    return point != nil ? .town : .general
  }
}
