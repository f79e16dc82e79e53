import Foundation
import TenantKit

/// Which item comes next: a topic that is due, then an item that tells most about the person's ability.
enum ItemChoice {
  struct Topic: Hashable, Sendable {
    let subject: String
    let topic: String
    let count: Int
  }

  /// Topics in the order in which they are due: the smallest share of its items practised first. So every topic comes up,
  /// interleaved, in proportion to what there is to practise. Ties fall by the generator.
  static func order(
    _ topics: [Topic], answered: [String: Int], using generator: inout some RandomNumberGenerator
  ) -> [Topic] {
    func share(_ topic: Topic) -> Double { Double(answered[topic.topic] ?? 0) / Double(max(1, topic.count)) }
    return topics.shuffled(using: &generator)
      .enumerated().sorted { (share($0.element), $0.offset) < (share($1.element), $1.offset) }.map(\.element)
  }

  /// One of the three items that are most informative at this ability: always the very best would show everybody the same
  /// items (Kingsbury & Zara 1989).
  static func mostInformative(
    _ items: [ContentItem], at ability: Double, using generator: inout some RandomNumberGenerator
  ) -> ContentItem? {
    let ranked = items.map { (item: $0, information: ItemResponse($0).information(at: ability)) }
      .sorted { ($1.information, $0.item.id) < ($0.information, $1.item.id) }
    return ranked.prefix(3).randomElement(using: &generator)?.item
  }
}

/// SplitMix64 (Steele, Lea & Flood 2014): small, and the same for the same seed, so that a repeated request chooses what
/// the first one chose.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  /// - Parameter id: a version 7 UUID; its last eight bytes are random.
  init(_ id: UUID) {
    state = withUnsafeBytes(of: id.uuid) { $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self) }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
