import Database
import Foundation
import Kit
public import TenantKit
public import Web

/// 동네물어봐: a town's people ask, and those who live there answer (R30 to R37).
///
/// A feature is a folder: its routes, its rules, its SQL and its templates lie side by side in it.
public struct Town: TenantModule, SampleContentLoading {
  public static let kind = "town"
  public static let packageKind = "questions"
  public static var resources: [String: String] { Embedded.files }
  /// Asking and answering are free for everyone.
  public static let features: [MeteredFeature] = []

  public static let menu = [
    MenuItem("/questions", titleKey: "town.menu.questions"), MenuItem("/me/questions", titleKey: "town.menu.mine"),
  ]

  public static var endpoints: [Endpoint<Town>] {
    [
      listEndpoints, askEndpoints, showEndpoints, editEndpoints, deleteEndpoints, answerEndpoints, answerEditEndpoints,
      acceptEndpoints, likeEndpoints,
    ].flatMap { $0 }
  }

  let tenant: Tenant
  let settings: TownSettings
  let services: TenantServices
  let counts = Cached<TownCounts>(for: .minutes(5))
  let trending = Cached<[String]>(for: .seconds(60))

  var database: Database { services.database }
  var schema: Schema { tenant.schema }

  /// Lists show of a question what its own page shows, so one changes with the other.
  func touch(_ questions: [UUID], in transaction: Transaction) throws {
    try services.freshness.touch(Set(["questions"] + questions.map { "question:\($0.text)" }), in: transaction)
  }

  public init(tenant: Tenant, settings: TownSettings, services: TenantServices) {
    self.tenant = tenant
    self.settings = settings
    self.services = services
  }
}
