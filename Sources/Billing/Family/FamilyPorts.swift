public import Kit

/// What a family needs to know of people, and does to the accounts of its children. Met by Identity in the composition root.
public protocol FamilyPeople: Sendable {
  /// Display names. A person who is gone has none.
  func names(_ people: Set<PersonID>) async throws -> [PersonID: String]
  /// Who is in a person's care, the eldest account first.
  func children(of guardian: PersonID) async throws -> [FamilyChild]
  /// Makes an account without an e-mail, in the guardian's care.
  /// - Throws: ``Kit/Problem`` `invalid-input` with the fields `displayName`, `signInName` (code `taken` when someone has that
  ///   name) and `password`.
  func createChild(
    of guardian: PersonID, displayName: String, signInName: String, password: String
  ) async throws -> PersonID
  /// - Throws: ``Kit/Problem`` `not-found` for who is not in this guardian's care; `invalid-input` with the field `password`.
  func setPassword(_ password: String, of child: PersonID, by guardian: PersonID) async throws
}

/// A person in the owner's care, who signs in by a name.
public struct FamilyChild: Hashable, Sendable {
  public let person: PersonID
  public let displayName: String
  public let signInName: String

  public init(person: PersonID, displayName: String, signInName: String) {
    self.person = person
    self.displayName = displayName
    self.signInName = signInName
  }
}

/// What a guardian sees of what a child does. Met by Records in the composition root.
public protocol FamilyProgress: Sendable {
  /// - Parameter days: the last civil days of the city, today included.
  func progress(of person: PersonID, days: Int) async throws -> FamilyProgressReport
}

/// What a person did in some days: figures only.
public struct FamilyProgressReport: Hashable, Sendable {
  public struct AtTenant: Hashable, Sendable {
    public let tenant: TenantID
    public let activities: Int
    /// Items answered, each time anew.
    public let answered: Int
    /// Of those answered, the right ones.
    public let correct: Int
    public let lessonsCompleted: Int
    /// Days with an activity.
    public let activeDays: Int
    public let lastActivity: Instant?

    public init(
      tenant: TenantID, activities: Int, answered: Int, correct: Int, lessonsCompleted: Int, activeDays: Int,
      lastActivity: Instant?
    ) {
      self.tenant = tenant
      self.activities = activities
      self.answered = answered
      self.correct = correct
      self.lessonsCompleted = lessonsCompleted
      self.activeDays = activeDays
      self.lastActivity = lastActivity
    }
  }

  public struct OnDay: Hashable, Sendable {
    public let day: CivilDate
    public let activities: Int

    public init(day: CivilDate, activities: Int) {
      self.day = day
      self.activities = activities
    }
  }

  /// Where she was active, the latest first.
  public let tenants: [AtTenant]
  /// Every day of the time, the oldest first.
  public let days: [OnDay]

  public init(tenants: [AtTenant], days: [OnDay]) {
    self.tenants = tenants
    self.days = days
  }

  var activities: Int { days.reduce(0) { $0 + $1.activities } }
  var activeDays: Int { days.count { $0.activities > 0 } }
  var lastActivity: Instant? { tenants.compactMap(\.lastActivity).max() }
}
