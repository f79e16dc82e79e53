import Kit
import Web

/// What a town's rules don't allow. Said in the reader's language at the edge.
enum Refusal: String, Error, CaseIterable {
  /// The question has an accepted answer, and it is another one.
  case alreadyAccepted
  /// An accepted answer was paid for: it stays as it was accepted.
  case acceptedAnswer
}

extension Visit {
  /// Turns a ``Refusal`` into a problem `conflict`.
  func explaining<R>(_ body: () async throws -> R) async throws -> R {
    do {
      return try await body()
    } catch let refusal as Refusal {
      throw Problem(.conflict, ["reason": text("town.refusal.\(refusal.rawValue)")])
    }
  }
}
