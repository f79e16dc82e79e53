import Foundation
import Kit
import Synchronization

/// What tests ask to go wrong. Kept in memory: a restarted simulator has no faults.
final class Faults: Sendable {
  enum Cut: String, Sendable {
    case before, after
    case midAnswer = "mid-answer"
  }

  struct Fault: Sendable {
    /// Exact, or with a `*` at its end the beginning of paths.
    let path: String
    let method: String
    let cut: Cut?
    let delay: Duration

    func matches(_ method: String, _ path: String) -> Bool {
      self.method == method && (self.path.hasSuffix("*") ? path.hasPrefix(self.path.dropLast()) : path == self.path)
    }
  }

  private struct State {
    var next: [Fault] = []
    var holdsWebhooks = false
  }

  let isAllowed: Bool
  private let state = Mutex(State())

  init(isAllowed: Bool) { self.isAllowed = isAllowed }

  var holdsWebhooks: Bool { state.withLock { $0.holdsWebhooks } }

  /// The first fault that fits; it happens once.
  func take(method: String, path: String) -> Fault? {
    state.withLock { state in
      guard let index = state.next.firstIndex(where: { $0.matches(method, path) }) else { return nil }
      return state.next.remove(at: index)
    }
  }

  /// `{"next": [{"path", "method" ("POST"), "cut", "delay_ms"}], "webhooks": "hold"|"release"}`: `next` joins the queue,
  /// an empty list clears it.
  func set(_ body: Data) throws(Refusal) {
    guard isAllowed else { throw Refusal(404, "not_found", "faults are off: the simulator was started without them") }
    let input = try JSONInput(body)
    var faults: [Fault]?
    if let list = input.members["next"] {
      guard case .array(let items) = list else { throw Refusal(422, "invalid", "next: expected a list of faults") }
      faults = []
      for item in items { faults?.append(try Self.fault(item)) }
    }
    let webhooks = try input.optionalText("webhooks")
    guard [nil, "hold", "release"].contains(webhooks) else {
      throw Refusal(422, "invalid", "webhooks: expected \"hold\" or \"release\"")
    }
    let added = faults
    state.withLock { state in
      if let added { state.next = added.isEmpty ? [] : state.next + added }
      if let webhooks { state.holdsWebhooks = webhooks == "hold" }
    }
  }

  private static func fault(_ item: JSONValue) throws(Refusal) -> Fault {
    let input = try JSONInput(item)
    var cut: Cut?
    if let name = try input.optionalText("cut") {
      cut = Cut(rawValue: name)
      if cut == nil { throw Refusal(422, "invalid", "cut: expected \"before\", \"after\" or \"mid-answer\"") }
    }
    let delay = input.members["delay_ms"]?.integer ?? 0
    guard (0...60_000).contains(delay) else { throw Refusal(422, "invalid", "delay_ms: expected 0 to 60000") }
    return Fault(
      path: try input.text("path", most: 200), method: try input.optionalText("method") ?? "POST", cut: cut,
      delay: .milliseconds(delay))
  }
}
