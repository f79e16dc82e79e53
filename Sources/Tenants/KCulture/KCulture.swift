public import Kit
public import TenantKit
public import Web

/// A school of Korean through culture: a path of steps from the first letter to first sentences, exercises that are checked, and
/// cards that come back when they are due.
public struct KCulture: TenantModule {
  public static let kind = "kculture"
  public static var resources: [String: String] { Embedded.files }
  public static let features = [MeteredFeature(Lessons.feature, title: LocalizedText(ko: "레슨", en: "lessons"))]
  public static let menu = [
    MenuItem("/", titleKey: "kculture.menu.path"), MenuItem("/review", titleKey: "kculture.menu.review"),
    MenuItem("/read", titleKey: "kculture.menu.read"),
  ]
  public static let endpoints = [
    home, showStep, startLesson, showLesson, showExercise, answerExercise, completeLesson, showReview, showCard, gradeCard,
    readAloud,
  ]

  let tenant: Tenant
  let services: TenantServices
  let courses: CourseShelf
  let lessons: Lessons
  let cards: Cards

  public init(tenant: Tenant, settings: Settings, services: TenantServices) {
    self.tenant = tenant
    self.services = services
    courses = CourseShelf(library: services.content, package: settings.path)
    cards = Cards(tenant: tenant, services: services)
    lessons = Lessons(tenant: tenant, services: services, cards: cards.store)
  }

  /// How Korean is read, with the words that no rule tells.
  static let reading: KoreanReading = {
    guard let json = Embedded.files["Reading/lexicon.json"], let lexicon = try? Lexicon(json: json) else {
      preconditionFailure("the lexicon built into this target can't be read")
    }
    return KoreanReading(lexicon: lexicon)
  }()

  /// `settings:` of a stanza.
  public struct Settings: TenantSettings {
    /// The package of the shared library that holds its path.
    public var path: String

    public init(path: String) { self.path = path }

    public init(reading section: ConfigSection?) {
      let path = section?.string("path", "the id of a content package of lessons") ?? ""
      self.init(path: path)
    }
  }
}
