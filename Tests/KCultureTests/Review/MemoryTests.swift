import Testing

@testable import KCulture

/// FSRS-6 by `shared/learning-vectors.md` and by the package `fsrs`.
@Suite("Memory") struct MemoryTests {
  private let model = MemoryModel.standard

  /// Reviews always on the day due.
  private func memories(after recalls: [Int]) throws -> [Memory] {
    var memories: [Memory] = []
    for recall in recalls {
      let elapsed = memories.last.map { Double(model.interval($0)) } ?? 0
      memories.append(model.review(memories.last, try #require(Recall(rawValue: recall)), elapsedDays: elapsed))
    }
    return memories
  }

  @Test(
    "intervals are those of shared/learning-vectors.md",
    arguments: [
      ([3, 3, 3, 3, 3, 3], [2, 11, 46, 163, 497, 1346]), ([3, 3, 1, 3, 3], [2, 11, 2, 5, 12]), ([4, 4, 4], [8, 66, 397]),
      ([2, 2, 2], [1, 3, 7]),
    ])
  func intervals(_ recalls: [Int], _ days: [Int]) throws {
    #expect(try memories(after: recalls).map(model.interval) == days)
  }

  @Test("stability is that of shared/learning-vectors.md")
  func stability() throws {
    let expected = [2.3065, 10.9643, 46.2802, 162.8622, 497.4472]
    for (memory, stability) in zip(try memories(after: [3, 3, 3, 3, 3]), expected) {
      #expect(abs(memory.stability - stability) <= 5e-5)
    }
  }

  @Test(
    "recall after one Good is that of shared/learning-vectors.md",
    arguments: [(1.0, 0.946847), (5, 0.838861), (10, 0.774367), (30, 0.667526), (100, 0.558907)])
  func retrievability(_ days: Double, _ probability: Double) {
    let memory = model.review(nil, .good, elapsedDays: 0)
    #expect(abs(model.retrievability(memory, elapsedDays: days) - probability) <= 5e-7)
  }

  private struct Review: Decodable {
    let elapsed: Double
    let recall: Int
    let retrievability: Double
    let stability: Double
    let difficulty: Double
    let interval: Int
  }

  @Test("random reviews, of the same day, early, on time and late, leave what the package `fsrs` says")
  func package() throws {
    let sequences = try Oracle.fixture("fsrs.json", as: [[Review]].self)
    #expect(sequences.count >= 50)
    for reviews in sequences {
      var memory: Memory?
      for review in reviews {
        if let memory {
          #expect(near(model.retrievability(memory, elapsedDays: review.elapsed), review.retrievability))
        }
        let next = model.review(memory, try #require(Recall(rawValue: review.recall)), elapsedDays: review.elapsed)
        #expect(near(next.stability, review.stability))
        #expect(near(next.difficulty, review.difficulty))
        #expect(model.interval(next) == review.interval)
        memory = next
      }
    }
  }

  @Test("the interval is never less than a day nor longer than the longest")
  func bounds() {
    #expect(model.interval(Memory(stability: 0.001, difficulty: 10)) == 1)
    #expect(model.interval(Memory(stability: 1e9, difficulty: 1)) == 36_500)
  }

  @Test("after as many days as its stability a memory is recalled with probability 0.9; at once with 1")
  func meaning() {
    let memory = Memory(stability: 12.5, difficulty: 5)
    #expect(near(model.retrievability(memory, elapsedDays: 12.5), 0.9))
    #expect(model.retrievability(memory, elapsedDays: 0) == 1)
  }

  private func near(_ value: Double, _ expected: Double) -> Bool { abs(value - expected) <= 1e-9 * max(1, abs(expected)) }
}
