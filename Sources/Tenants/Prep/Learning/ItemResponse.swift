import Foundation
import TenantKit

/// The four-parameter logistic model of item response theory; with `upper` 1 it is Birnbaum's three-parameter model
/// (Lord & Novick 1968, ch. 17). The logistic is not scaled by 1.702.
struct ItemResponse: Hashable, Sendable {
  /// Parameter a: how steeply the chance rises at the difficulty.
  var discrimination: Double
  /// Parameter b: where on the scale of ability the item stands.
  var difficulty: Double
  /// Parameter c: the chance of who knows nothing.
  var guess: Double
  /// Parameter d: the chance of who knows all.
  var upper: Double

  init(discrimination: Double, difficulty: Double, guess: Double, upper: Double = 1) {
    self.discrimination = discrimination
    self.difficulty = difficulty
    self.guess = guess
    self.upper = upper
  }

  init(_ item: ContentItem) {
    self.init(discrimination: item.discrimination, difficulty: item.difficulty, guess: item.guess)
  }

  /// P(θ) = c + (d − c) / (1 + e^(−a(θ − b))).
  func probability(at ability: Double) -> Double {
    guess + (upper - guess) / (1 + exp(-discrimination * (ability - difficulty)))
  }

  /// Fisher's information of one answer: I = a²(P − c)²(d − P)² / ((d − c)² P (1 − P)).
  func information(at ability: Double) -> Double {
    let p = probability(at: ability)
    guard p > 0, p < 1 else { return 0 }
    let slope = discrimination * (p - guess) * (upper - p) / (upper - guess)
    return slope * slope / (p * (1 - p))
  }
}

/// Ability as answers move it: Elo's rule with a chance of guessing (Pelánek 2016, “Applications of the Elo rating system
/// in adaptive educational systems”).
enum Elo {
  /// How far one answer moves the ability.
  static let step = 0.4
  /// Abilities stay on the part of the scale where items are.
  static let range = -4.0...4.0

  struct Update: Hashable, Sendable {
    /// The chance of a right answer before it was known.
    let expected: Double
    let ability: Double
    let difficulty: Double
  }

  /// θ += K(x − p), b −= K′(x − p).
  /// - Parameter difficultyStep: K′. Items of the shared library keep their difficulty here.
  static func update(
    ability: Double, difficulty: Double, guess: Double, correct: Bool, step: Double = step, difficultyStep: Double = 0
  ) -> Update {
    let expected = ItemResponse(discrimination: 1, difficulty: difficulty, guess: guess).probability(at: ability)
    let surprise = (correct ? 1 : 0) - expected
    return Update(
      expected: expected, ability: min(max(ability + step * surprise, range.lowerBound), range.upperBound),
      difficulty: difficulty - difficultyStep * surprise)
  }
}
