import Kit
import Synchronization
import TenantKit

/// The whole path, and everything that is taught on it.
struct Course: Sendable {
  /// In their order.
  let steps: [Step]
  private let byID: [String: Step]
  private let letters: [Character: Letter]
  private let words: [String: Word]
  private let reading: KoreanReading

  init(_ lessons: [ContentLesson], reading: KoreanReading) throws {
    steps = try lessons.sorted { $0.order < $1.order }.map { try Step($0, reading: reading) }
    byID = Dictionary(steps.map { ($0.id, $0) }) { first, _ in first }
    letters = Dictionary(steps.flatMap(\.letters).map { ($0.letter, $0) }) { first, _ in first }
    words = Dictionary(steps.flatMap(\.words).map { ($0.text, $0) }) { first, _ in first }
    self.reading = reading
  }

  func step(_ id: String) -> Step? { byID[id] }

  /// The one after a step.
  func step(after step: Step) -> Step? { steps.first { $0.order > step.order } }

  func letter(_ letter: String) -> Letter? { letter.first.flatMap { letters[$0] } }

  /// A word as the path teaches it; one that it doesn't teach has no meaning here.
  func word(_ text: String) -> Word? { words[text] }

  /// How anything is read: as the path teaches it, or by the rules.
  func reading(of text: String) -> (pronunciation: String, romanization: String) {
    if let word = words[text] { return (word.pronunciation, word.romanization) }
    return (reading.pronunciation(of: text), reading.romanization(of: text))
  }
}

/// The course of one tenant, made from the library's package once and again when the package has changed.
final class CourseShelf: Sendable {
  private struct State {
    var lessons: [ContentLesson]?
    var course: Course?
    var asked: ContinuousClock.Instant?
  }

  /// How long the library is not asked again.
  private static let freshness = Duration.seconds(2)

  private let library: any ContentLibrary
  private let package: String
  private let state = Mutex(State())

  init(library: any ContentLibrary, package: String) {
    self.library = library
    self.package = package
  }

  func course() async throws -> Course {
    let now = ContinuousClock.now
    let known = state.withLock { state -> Course? in
      guard let asked = state.asked, now - asked < CourseShelf.freshness else { return nil }
      return state.course
    }
    if let known { return known }
    let lessons = try await library.lessons(packages: [package])
    let same = state.withLock { state -> Course? in
      guard state.lessons == lessons else { return nil }
      state.asked = now
      return state.course
    }
    if let same { return same }
    let course = try Course(lessons, reading: KCulture.reading)
    state.withLock { state in
      // A path that is not loaded yet is asked for again at once.
      state = State(lessons: lessons, course: course, asked: lessons.isEmpty ? nil : now)
    }
    return course
  }
}
