import Foundation
import Kit
import TenantKit
import Testing

@testable import Prep

/// Figures of `shared/learning-vectors.md`, computed there with catsim and girth.
@Suite struct ItemResponseTests {
  private func close(_ a: Double, _ b: Double, within tolerance: Double = 1e-10) -> Bool { abs(a - b) <= tolerance }

  @Test func probabilityAndInformationAreThoseOfTheVectors() {
    // (θ, a, b, c, d) → P, I
    let vectors: [(Double, Double, Double, Double, Double, Double, Double)] = [
      (0, 1, 0, 0.25, 1, 0.625, 0.15),
      (1, 1.5, 0.5, 0.2, 1, 0.7433429593, 0.3583559188),
      (2, 2, 1, 0.2, 0.98, 0.8870217208, 0.2676982424),
    ]
    for (ability, a, b, c, d, probability, information) in vectors {
      let item = ItemResponse(discrimination: a, difficulty: b, guess: c, upper: d)
      #expect(close(item.probability(at: ability), probability))
      #expect(close(item.information(at: ability), information))
    }
  }

  @Test func theMaximumOfInformationIsWhereTheVectorsHaveIt() {
    let item = ItemResponse(discrimination: 1.2, difficulty: 0.3, guess: 0.2)
    let peak = 0.5226182425
    #expect(close(item.information(at: peak), 0.2453551957))
    #expect(item.information(at: peak - 0.001) < item.information(at: peak))
    #expect(item.information(at: peak + 0.001) < item.information(at: peak))
  }

  @Test func theTestInformationOfTheBankIsThatOfTheVectors() {
    let bank: [(Double, Double, Double)] = [
      (1, -1.5, 0.2), (1.2, -0.5, 0.2), (0.8, 0, 0.25), (1.5, 0.5, 0.2), (1.1, 1, 0.25), (1.8, 1.5, 0.2),
    ]
    let information = bank.map { ItemResponse(discrimination: $0.0, difficulty: $0.1, guess: $0.2).information(at: 0) }
    #expect(close(information.reduce(0, +), 0.858832, within: 5e-7))
    // Maximum information picks item 4.
    #expect(information.indices.max { information[$0] < information[$1] } == 3)
    #expect(close(information[3], 0.275545, within: 5e-7))
  }

  @Test func eloMovesAbilityAndDifficultyAsTheVectorSays() {
    let update = Elo.update(
      ability: 0.5, difficulty: -0.3, guess: 0.25, correct: false, step: 0.4, difficultyStep: 0.1)
    #expect(close(update.expected, 0.7674808609))
    #expect(close(update.ability, 0.1930076557))
    #expect(close(update.difficulty, -0.2232519139))
  }

  @Test func eloKeepsToTheScaleAndLeavesTheLibraryAlone() {
    let update = Elo.update(ability: -4, difficulty: -2, guess: 0, correct: false)
    #expect(update.ability == -4)
    #expect(update.difficulty == -2)
  }
}

@Suite struct ItemChoiceTests {
  private func item(_ id: String, _ difficulty: Double, discrimination: Double = 1) -> ContentItem {
    ContentItem(
      id: id, subject: "s", topic: "t", level: "high", difficulty: difficulty, discrimination: discrimination, guess: 0,
      kind: .number, prompt: LocalizedText(ko: "?"), choices: [], answer: "1", explanation: LocalizedText(ko: "!"))
  }

  @Test func oneOfTheThreeMostInformativeIsChosen() {
    let items = [item("far", 4), item("near", 0.1), item("sharp", 0, discrimination: 2), item("close", -0.2), item("off", -3)]
    var chosen: Set<String> = []
    for _ in 0..<200 {
      var generator = SeededGenerator(UUID.v7())
      chosen.insert(ItemChoice.mostInformative(items, at: 0, using: &generator)!.id)
    }
    #expect(chosen == ["near", "sharp", "close"])
  }

  @Test func theSameSeedChoosesTheSame() {
    let items = (0..<20).map { item("i\($0)", Double($0) / 10) }
    let seed = UUID.v7()
    var (first, second) = (SeededGenerator(seed), SeededGenerator(seed))
    #expect(
      ItemChoice.mostInformative(items, at: 1, using: &first)?.id
        == ItemChoice.mostInformative(items, at: 1, using: &second)?.id)
  }

  @Test func topicsComeUpByTheShareThatIsPractised() {
    let topics = [("a", 10), ("b", 2), ("c", 5)].map { ItemChoice.Topic(subject: "s", topic: $0.0, count: $0.1) }
    var generator = SeededGenerator(UUID.v7())
    let order = ItemChoice.order(topics, answered: ["a": 6, "b": 1, "c": 2], using: &generator)
    #expect(order.map(\.topic) == ["c", "b", "a"])
  }

  @Test func aStreakEndsWithADayLeftOut() {
    let today = CivilDate("2026-03-01")!
    func days(_ texts: [String]) -> [CivilDate] { texts.map { CivilDate($0)! } }
    #expect(Streak.length([], today: today) == 0)
    #expect(Streak.length(days(["2026-03-01", "2026-02-28", "2026-02-26"]), today: today) == 2)
    #expect(Streak.length(days(["2026-02-28", "2026-02-27"]), today: today) == 2)
    #expect(Streak.length(days(["2026-02-27"]), today: today) == 0)
  }

  @Test func aSkillIsNamedByWhatIsKnown() {
    func stage(_ ability: Double, _ answered: Int) -> Skill.Stage {
      Skill(topic: "t", ability: ability, answered: answered, correct: 0, updated: Instant(seconds: 0)).stage
    }
    #expect(stage(0, 0) == .new)
    #expect(stage(2, 2) == .gauging)
    #expect(stage(0, 3) == .learning)
    #expect(stage(1.2, 9) == .learned)
    #expect(Skill.percent(0) == 50)
  }
}

@Suite struct ExactNumberTests {
  @Test(arguments: [
    ("0.5", "1/2"), ("0.5", ".5"), ("1/2", "2/4"), ("3", "3.0"), ("3", "３"), ("0.5", "０．５"), ("-1.5", "−3/2"),
    ("-0.25", "–1/4"), ("1200", "1,200"), ("1200", "１，２００"), ("12", " 12 "), ("0", "-0"), ("7", "+7"), ("1/3", "1 / 3"),
    ("157.5", "157.50"), ("2", "2."), ("0.1", "1⁄10"), ("999999999999999999", "999999999999999999"),
  ])
  func equalValuesAreEqualHoweverTheyAreTyped(_ a: String, _ b: String) throws {
    #expect(try #require(ExactNumber(a)) == #require(ExactNumber(b)))
  }

  @Test(arguments: [("0.5", "0.50000000000000001"), ("1/3", "0.333333333333"), ("12", "-12"), ("1", "10"), ("2.5", "25")])
  func nothingIsRounded(_ a: String, _ b: String) throws {
    #expect(try #require(ExactNumber(a)) != #require(ExactNumber(b)))
  }

  @Test(arguments: [
    "", " ", "abc", "1/0", "1/2/3", "1.2.3", "1e3", "10²", "½", "1 1/2", "--1", "-", ".", "1,5", "12,34", "1,2000", "0.5/2",
    "1/-2", "1/+2", "1234567890123456789", "٣", "NaN", "1/2 cm", "1,200.5,0",
  ])
  func anythingElseIsNoNumber(_ text: String) {
    #expect(ExactNumber(text) == nil)
  }
}
