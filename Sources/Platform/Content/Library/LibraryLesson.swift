public import Kit

/// One step of a path, as a package of kind `lessons` has it.
public struct LibraryLesson: Hashable, Sendable, Identifiable {
  /// Unique over all packages.
  public let id: String
  /// Its place on the path, from 1.
  public let order: Int
  public let unit: String
  public let title: LocalizedText
  /// Explanations and exercises, in the form that `content/README.md` describes and the reader has checked.
  public let body: JSONValue

  public init(id: String, order: Int, unit: String, title: LocalizedText, body: JSONValue) {
    self.id = id
    self.order = order
    self.unit = unit
    self.title = title
    self.body = body
  }
}
