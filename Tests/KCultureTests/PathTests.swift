import Foundation
import Kit
import TenantKit
import Testing

@testable import KCulture

/// The path of this repository, as the module reads it.
@Suite struct PathTests {
  private func course() async throws -> Course {
    try Course(try await PathLibrary().lessons(packages: ["hangul-path"]), reading: KCulture.reading)
  }

  @Test func fortyStepsTeachAllFortyLetters() async throws {
    let course = try await course()
    #expect(course.steps.map(\.order) == Array(1...40))
    let letters = course.steps.flatMap(\.letters)
    #expect(letters.count == 40)
    #expect(Set(letters.map(\.letter)) == Set(Hangul.initials + Hangul.medials))
    for step in course.steps {
      #expect(!step.exercises.isEmpty && !step.words.isEmpty && !step.sign.isEmpty, "\(step.id)")
      #expect(step.title.en != nil && step.goal.en != nil, "\(step.id)")
    }
  }

  @Test func everyExerciseHasOneRightAnswerThatLooksDifferent() async throws {
    let course = try await course()
    for step in course.steps {
      for exercise in step.exercises {
        let place = "\(step.id) \(exercise.number)"
        #expect(exercise.isRight(exercise.answer), "\(place)")
        if !exercise.choices.isEmpty {
          #expect(exercise.choices.count { exercise.isRight($0) } == 1, "\(place)")
          let shown: [String] =
            switch exercise.kind {
            case .read: exercise.choices.map { course.reading(of: $0).romanization }
            case .meaning: exercise.choices.map { course.word($0)?.meaning.en ?? "" }
            default: exercise.choices
            }
          #expect(Set(shown).count == exercise.choices.count && !shown.contains(""), "\(place): \(shown)")
        }
        if exercise.kind == .letter { #expect(course.letter(exercise.answer) != nil, "\(place)") }
        if exercise.kind == .type { #expect(course.word(exercise.answer) != nil, "\(place)") }
      }
    }
  }

  @Test func readingIsComputed() async throws {
    let course = try await course()
    #expect(course.reading(of: "국물") == ("궁물", "gungmul"))
    #expect(course.reading(of: "신라") == ("실라", "Silla"))
    #expect(course.letter("ㄱ")?.romanization == "g")
    #expect(course.letter("ㅏ")?.romanization == "a")
    #expect(course.letter("ㅇ")?.romanization == "")
  }

  @Test(
    "Hangul is taken however it is encoded",
    arguments: ["한글", "한글".decomposedStringWithCanonicalMapping, "ㅎㅏㄴㄱㅡㄹ", " 한 글. ", "한ㄱㅡㄹ"])
  func encodings(given: String) async throws {
    let exercise = try #require(try await course().steps[20].exercises.first { $0.answer == "한글" && $0.kind == .type })
    #expect(exercise.isRight(given))
    #expect(!exercise.isRight("하글"))
  }

  @Test func aBlockKnowsWhereItsVowelStands() {
    #expect(BlockShape("ㅏ") == .beside)
    #expect(BlockShape("ㅠ") == .below)
    #expect(BlockShape("ㅢ") == .around)
  }

  @Test func settingsAreReadAndMistakesTold() throws {
    func read(_ yaml: String) throws -> KCulture.Settings {
      let document = try ConfigDocument(yaml: yaml, file: "tenants.yaml")
      let settings = KCulture.Settings(reading: document.root.section("settings"))
      try document.finish()
      return settings
    }
    #expect(try read("settings: {path: hangul-path}").path == "hangul-path")
    #expect(throws: ConfigMistakes.self) { try read("settings: {}") }
    #expect(throws: ConfigMistakes.self) { try read("settings: {path: a, paths: b}") }
  }
}
