public import Kit

/// A package of content as its files have it.
public struct Package: Sendable {
  /// What the library itself keeps. Records of other kinds are for the tenants that take them.
  public static let itemsKind = "items"
  /// Questions and answers of a town.
  public static let questionsKind = "questions"
  /// The steps of a path; the library keeps them too.
  public static let lessonsKind = "lessons"
  public static let kinds = [itemsKind, questionsKind, lessonsKind]

  public let id: String
  /// Raised with every change.
  public let version: Int
  public let kind: String
  public let title: LocalizedText
  /// The lines of a package of a kind that the library doesn't keep, each a JSON object with an `id`.
  public let records: [JSONValue]
  /// The exercises of a package of kind `items`.
  public let items: [LibraryItem]
  /// The steps of a package of kind `lessons`.
  public let lessons: [LibraryLesson]

  public init(
    id: String, version: Int, kind: String, title: LocalizedText, records: [JSONValue], items: [LibraryItem],
    lessons: [LibraryLesson] = []
  ) {
    self.id = id
    self.version = version
    self.kind = kind
    self.title = title
    self.records = records
    self.items = items
    self.lessons = lessons
  }

  /// How many items or lessons the library keeps of it.
  var count: Int { items.count + lessons.count }
}

/// What came of loading a directory of packages.
public struct LoadReport: Sendable, CustomStringConvertible {
  /// One package and what it changed.
  public struct Loaded: Sendable {
    public let package: Package
    /// Items or lessons that were not there before.
    public var new = 0
    /// Items with other content than before, and those that came back.
    public var changed = 0
    public var unchanged = 0
    /// Items this version leaves out; they stay readable and are not given any more.
    public var withdrawn = 0
    /// The library has a higher version already, which stays: these files come from an older release.
    public var keptVersion: Int?

    public var id: String { package.id }
    public var kind: String { package.kind }
    public var version: Int { package.version }
    /// For the caller, when the library doesn't keep packages of this kind.
    public var records: [JSONValue] { package.records }
    public var isItems: Bool { kind == Package.itemsKind }
    /// Whether the library itself keeps what is in it.
    public var isKept: Bool { isItems || kind == Package.lessonsKind }

    /// One line for the one who loads.
    public var summary: String {
      if let keptVersion { return "\(id): version \(version) is older than the loaded \(keptVersion), which stays" }
      guard isKept else { return "\(id): \(records.count) \(kind)" }
      var parts = ["\(new) new", "\(changed) changed", "\(unchanged) unchanged"]
      if withdrawn > 0 { parts.append("\(withdrawn) withdrawn") }
      return "\(id): \(package.count) \(kind), \(parts.joined(separator: ", "))"
    }
  }

  /// In the order of their ids.
  public let packages: [Loaded]

  public var description: String { packages.map(\.summary).joined(separator: "\n") }
}
