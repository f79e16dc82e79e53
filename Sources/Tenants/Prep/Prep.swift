public import Kit
public import TenantKit
public import Web

/// A prep: practice with items of the shared library, chosen by what a person's answers say about her ability.
public struct Prep: TenantModule {
  public static let kind = "prep"
  public static var resources: [String: String] { Embedded.files }
  public static let features = [MeteredFeature(Practice.feature, title: LocalizedText(ko: "문제", en: "items"))]
  public static let menu = [MenuItem("/", titleKey: "prep.menu.today"), MenuItem("/history", titleKey: "prep.menu.history")]
  public static let endpoints = [home, startPractice, showPractice, answerPractice, history]

  let tenant: Tenant
  let settings: Settings
  let services: TenantServices
  let practice: Practice

  public init(tenant: Tenant, settings: Settings, services: TenantServices) {
    self.tenant = tenant
    self.settings = settings
    self.services = services
    practice = Practice(tenant: tenant, settings: settings, services: services)
  }

  /// `settings:` of a prep's stanza.
  public struct Settings: TenantSettings {
    /// Packages of the shared library that this tenant practises with.
    public var packages: [String]
    /// Items a day that a person is encouraged to solve.
    public var dailyGoal: Int
    /// Subjects it keeps to; `nil`: all its packages have.
    public var subjects: Set<String>?

    public init(packages: [String], dailyGoal: Int = 10, subjects: Set<String>? = nil) {
      self.packages = packages
      self.dailyGoal = dailyGoal
      self.subjects = subjects
    }

    public init(reading section: ConfigSection?) {
      guard let section else {
        self.init(packages: [])
        return
      }
      let packages = section.strings("packages") ?? []
      if packages.isEmpty, section.has("packages") {
        section.note("packages", expected: "the id of one content package at least")
      }
      let subjects = section.has("subjects") ? section.strings("subjects").map(Set.init) : nil
      if let subjects, subjects.isEmpty { section.note("subjects", expected: "one subject at least, or no such key") }
      self.init(
        packages: packages, dailyGoal: section.int("daily_goal", in: 1...200, default: 10) ?? 10, subjects: subjects)
    }
  }
}
