import Foundation

/// One syllable block of Hangul: the places of its initial (0…18), medial (0…20) and final (0…27, 0 = none) in the order of
/// Unicode (The Unicode Standard, section 3.12 "Conjoining Jamo Behavior").
struct Syllable: Hashable, Sendable {
  let initial: Int
  let medial: Int
  let final: Int

  /// Code points of U+AC00…U+D7A3 count finals fastest, then medials, then initials.
  private static let first: UInt32 = 0xAC00
  private static let medialCount = 21
  private static let finalCount = 28
  private static let count = 19 * medialCount * finalCount

  /// Nil when the character is no modern syllable, written in one code point or in conjoining jamo.
  init?(_ character: Character) {
    let scalars = Self.precomposed(character)
    guard scalars.count == 1, let value = scalars.first?.value, value >= Self.first else { return nil }
    let index = Int(value - Self.first)
    guard index < Self.count else { return nil }
    initial = index / (Self.medialCount * Self.finalCount)
    medial = index / Self.finalCount % Self.medialCount
    final = index % Self.finalCount
  }

  /// Nil when a place is out of its range.
  init?(initial: Int, medial: Int, final: Int = 0) {
    guard 0..<19 ~= initial, 0..<Self.medialCount ~= medial, 0..<Self.finalCount ~= final else { return nil }
    self.initial = initial
    self.medial = medial
    self.final = final
  }

  /// Of compatibility jamo (ㄱ, ㅏ, ㄴ); nil when one can't stand in its place (ㄸ is no final, ㄳ no initial).
  init?(initial: Character, medial: Character, final: Character? = nil) {
    guard let initial = Hangul.initialPlaces[initial], let medial = Hangul.medialPlaces[medial] else { return nil }
    guard let final else {
      self.init(initial: initial, medial: medial)
      return
    }
    guard let final = Hangul.finalPlaces[final] else { return nil }
    self.init(initial: initial, medial: medial, final: final)
  }

  var character: Character {
    let index = (initial * Self.medialCount + medial) * Self.finalCount + final
    // Within U+AC00…U+D7A3 by the ranges that every initialiser holds: always a scalar.
    return Character(Unicode.Scalar(Self.first + UInt32(index)) ?? "가")
  }

  /// Compatibility jamo (U+3131…U+3163), the letters as they are taught and typed.
  var initialJamo: Character { Hangul.initials[initial] }
  var medialJamo: Character { Hangul.medials[medial] }
  var finalJamo: Character? { final == 0 ? nil : Hangul.finals[final - 1] }

  /// The compatibility jamo of the block in order: 한 → ㅎ ㅏ ㄴ; a cluster is one jamo, 닭 → ㄷ ㅏ ㄺ.
  var jamo: [Character] { [initialJamo, medialJamo] + (finalJamo.map { [$0] } ?? []) }

  /// Nearly all text is precomposed already; Foundation is asked for the rest only.
  private static func precomposed(_ character: Character) -> String.UnicodeScalarView {
    let scalars = character.unicodeScalars
    if scalars.count == 1 { return String(character).unicodeScalars }
    return String(character).precomposedStringWithCanonicalMapping.unicodeScalars
  }
}
