public import Kit

/// One exercise of the shared library.
public struct LibraryItem: Hashable, Sendable, Identifiable {
  public enum Kind: String, Sendable, CaseIterable { case choice, number }

  /// Unique over all packages.
  public let id: String
  public let subject: String
  public let topic: String
  public let level: String
  /// Parameter b of the three-parameter logistic model.
  public let difficulty: Double
  /// Parameter a.
  public let discrimination: Double
  /// Parameter c.
  public let guess: Double
  public let kind: Kind
  public let prompt: LocalizedText
  /// Empty for a `number`.
  public let choices: [LocalizedText]
  /// The 0-based choice, or the exact decimal.
  public let answer: String
  public let explanation: LocalizedText

  public init(
    id: String, subject: String, topic: String, level: String, difficulty: Double, discrimination: Double, guess: Double,
    kind: Kind, prompt: LocalizedText, choices: [LocalizedText], answer: String, explanation: LocalizedText
  ) {
    self.id = id
    self.subject = subject
    self.topic = topic
    self.level = level
    self.difficulty = difficulty
    self.discrimination = discrimination
    self.guess = guess
    self.kind = kind
    self.prompt = prompt
    self.choices = choices
    self.answer = answer
    self.explanation = explanation
  }
}
