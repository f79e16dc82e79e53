import Foundation

/// How well something was recalled, by the learner's own word or by the exercise's result.
enum Recall: Int, Sendable, Codable, CaseIterable {
  case again = 1
  case hard, good, easy
}

/// What a learner's memory of one card is like.
struct Memory: Hashable, Sendable, Codable {
  /// Days until the probability of recall falls to 0.9.
  var stability: Double
  /// From 1 (easy) to 10 (hard).
  var difficulty: Double
}

/// FSRS-6, the free spaced repetition scheduler (github.com/open-spaced-repetition, "The Algorithm"), without learning steps
/// and without fuzz: the same reviews always give the same days.
struct MemoryModel: Sendable {
  /// The published default weights, trained on the reviews of many learners; recall wanted with probability 0.9.
  static let standard: MemoryModel = MemoryModel(
    weights: [
      0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796, 1.4835, 0.0614, 0.2629, 1.6483, 0.6014,
      1.8729, 0.5425, 0.0912, 0.0658, 0.1542,
    ],
    retention: 0.9,
    longestInterval: 36_500)

  private static let stabilityLeast = 0.001
  private static let difficulties = 1.0...10.0

  private let weights: [Double]
  private let retention: Double
  private let longestInterval: Int
  /// The forgetting curve is a power function with this exponent …
  private let decay: Double
  /// … and this factor, which makes it 0.9 when as many days as the stability have passed.
  private let factor: Double

  /// - Parameters:
  ///   - weights: the 21 weights w₀…w₂₀ of FSRS-6.
  ///   - retention: probability of recall at which a card comes back, between 0 and 1.
  ///   - longestInterval: in days, at least 1.
  init(weights: [Double], retention: Double, longestInterval: Int) {
    precondition(weights.count == 21, "FSRS-6 has 21 weights, found \(weights.count)")
    precondition(weights[20] > 0, "w20, the decay of the forgetting curve, must be above 0, found \(weights[20])")
    precondition(retention > 0 && retention < 1, "retention is a probability between 0 and 1, found \(retention)")
    precondition(longestInterval >= 1, "the longest interval is at least a day, found \(longestInterval)")
    self.weights = weights
    self.retention = retention
    self.longestInterval = longestInterval
    decay = -weights[20]
    factor = pow(0.9, 1 / decay) - 1
  }

  /// The memory after a review.
  /// - Parameters:
  ///   - memory: before it; nil at the first review.
  ///   - elapsedDays: since the last review; less than 1 is a review of the same day, which moves stability by its own formula.
  func review(_ memory: Memory?, _ recall: Recall, elapsedDays: Double) -> Memory {
    guard let memory else {
      return Memory(
        stability: clamped(stability: weights[recall.rawValue - 1]), difficulty: clamped(difficulty: firstDifficulty(recall)))
    }
    let stability =
      if elapsedDays < 1 {
        stabilityOfSameDay(memory, recall)
      } else if recall == .again {
        stabilityAfterForgetting(memory, retrievability(memory, elapsedDays: elapsedDays))
      } else {
        stabilityAfterRecall(memory, recall, retrievability(memory, elapsedDays: elapsedDays))
      }
    return Memory(stability: clamped(stability: stability), difficulty: difficulty(memory, recall))
  }

  /// Whole days (1…longest) until the probability of recall falls to the retention wanted; halves to the even day, as the
  /// reference implementation rounds.
  func interval(_ memory: Memory) -> Int {
    let days = memory.stability / factor * (pow(retention, 1 / decay) - 1)
    return Int(min(max(days.rounded(.toNearestOrEven), 1), Double(longestInterval)))
  }

  /// Probability of recall when so many days have passed since the last review: R = (1 + factor · t / S)^−w₂₀.
  func retrievability(_ memory: Memory, elapsedDays: Double) -> Double {
    pow(1 + factor * max(elapsedDays, 0) / memory.stability, decay)
  }

  /// D₀(G) = w₄ − e^(w₅ (G − 1)) + 1
  private func firstDifficulty(_ recall: Recall) -> Double {
    weights[4] - exp(weights[5] * Double(recall.rawValue - 1)) + 1
  }

  /// D′ = w₇ D₀(easy) + (1 − w₇) (D − w₆ (G − 3) (10 − D) / 9): the nearer to 10 the smaller the step, and drawn a little
  /// towards the difficulty of an easy card.
  private func difficulty(_ memory: Memory, _ recall: Recall) -> Double {
    let step = -weights[6] * Double(recall.rawValue - 3)
    let moved = memory.difficulty + step * (10 - memory.difficulty) / 9
    return clamped(difficulty: weights[7] * firstDifficulty(.easy) + (1 - weights[7]) * moved)
  }

  /// S′ = S · e^(w₁₇ (G − 3 + w₁₈)) · S^−w₁₉; what was recalled never grows weaker by it.
  private func stabilityOfSameDay(_ memory: Memory, _ recall: Recall) -> Double {
    let growth = exp(weights[17] * (Double(recall.rawValue - 3) + weights[18])) * pow(memory.stability, -weights[19])
    return memory.stability * (recall == .again ? growth : max(growth, 1))
  }

  /// S′ = S (1 + e^w₈ (11 − D) S^−w₉ (e^(w₁₀ (1 − R)) − 1) · w₁₅ if hard · w₁₆ if easy)
  private func stabilityAfterRecall(_ memory: Memory, _ recall: Recall, _ retrievability: Double) -> Double {
    let bonus =
      switch recall {
      case .hard: weights[15]
      case .easy: weights[16]
      case .again, .good: 1.0
      }
    let growth =
      exp(weights[8]) * (11 - memory.difficulty) * pow(memory.stability, -weights[9])
      * (exp(weights[10] * (1 - retrievability)) - 1)
    return memory.stability * (1 + growth * bonus)
  }

  /// S′ = w₁₁ D^−w₁₂ ((S + 1)^w₁₃ − 1) e^(w₁₄ (1 − R)), and no more than a slip of the same day leaves: S / e^(w₁₇ w₁₈)
  private func stabilityAfterForgetting(_ memory: Memory, _ retrievability: Double) -> Double {
    let left =
      weights[11] * pow(memory.difficulty, -weights[12]) * (pow(memory.stability + 1, weights[13]) - 1)
      * exp(weights[14] * (1 - retrievability))
    return min(left, memory.stability / exp(weights[17] * weights[18]))
  }

  private func clamped(stability: Double) -> Double { max(stability, Self.stabilityLeast) }

  private func clamped(difficulty: Double) -> Double {
    min(max(difficulty, Self.difficulties.lowerBound), Self.difficulties.upperBound)
  }
}
