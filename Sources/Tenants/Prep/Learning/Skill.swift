import Foundation
import Kit

/// What a person's answers say about her ability in a topic.
struct Skill: Hashable, Sendable {
  var topic: String
  /// On the scale of the items' difficulty; 0 until something is known.
  var ability: Double
  var answered: Int
  var correct: Int
  var updated: Instant

  /// Answers it takes until a figure means something.
  static let answersToKnow = 3
  /// Share from which on a topic counts as learned.
  static let learnedShare = 0.75

  enum Stage: String, Sendable { case new, gauging, learning, learned }

  var stage: Stage {
    if answered == 0 { return .new }
    if answered < Skill.answersToKnow { return .gauging }
    return Skill.mastery(ability) >= Skill.learnedShare ? .learned : .learning
  }

  /// The share of items of middle difficulty that this ability solves without guessing, from 0 to 1.
  static func mastery(_ ability: Double) -> Double { 1 / (1 + exp(-ability)) }

  /// Mastery in whole per cent.
  static func percent(_ ability: Double) -> Int { Int((mastery(ability) * 100).rounded()) }
}

/// Days in a row on which something was practised.
enum Streak {
  /// - Parameters:
  ///   - days: with practice, latest first, each once.
  ///   - today: a day without practice yet does not end what reached to yesterday.
  static func length(_ days: [CivilDate], today: CivilDate) -> Int {
    guard let latest = days.first, latest == today || latest == today.adding(days: -1) else { return 0 }
    var length = 0
    for day in days {
      guard day == latest.adding(days: -length) else { break }
      length += 1
    }
    return length
  }
}
