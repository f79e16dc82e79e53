public import Database
public import Kit
public import Web

/// A kind of tenant: what it states here, the platform does (see the table in DESIGN.md, “The contract: TenantKit”).
///
/// One instance stands for one tenant. A module without ``export(_:)`` and ``erase(_:in:)`` does not compile.
public protocol TenantModule: Sendable {
  associatedtype Settings: TenantSettings

  /// The name in `tenants.yaml`: `town`, `prep`.
  static var kind: String { get }
  /// Numbered SQL files of the tenant's schema, `001-questions.sql`, and its templates and texts: the embedded files.
  static var resources: [String: String] { get }
  /// What plans may limit.
  static var features: [MeteredFeature] { get }
  static var endpoints: [Endpoint<Self>] { get }
  /// The site's main menu; empty unless stated.
  static var menu: [MenuItem] { get }

  init(tenant: Tenant, settings: Settings, services: TenantServices)

  /// All this tenant holds on a person, for her data download.
  func export(_ person: PersonID) async throws -> JSONValue

  /// Deletes what a person wrote and cuts her out of what others need.
  /// - Returns: how many rows of each table were deleted or blanked: the proof.
  func erase(_ person: PersonID, in transaction: Transaction) async throws -> [String: Int]
}

extension TenantModule {
  public static var menu: [MenuItem] { [] }
}

/// A module's own part of its stanza.
public protocol TenantSettings: Sendable {
  /// Reads the `settings:` of a stanza; an absent one reads as empty. Mistakes are noted on the section.
  init(reading section: ConfigSection?)
}

/// Something a plan grants so many times a month: `prep.item`.
public struct MeteredFeature: Hashable, Sendable {
  public let name: String
  /// How people call it, in the singular: 문제, item.
  public let title: LocalizedText
  public init(_ name: String, title: LocalizedText) {
    self.name = name
    self.title = title
  }
}

/// One tenant as its module sees it.
public struct Tenant: Sendable {
  public let id: TenantID
  public let site: Site
  /// The schema its tables live in. Names in statements are qualified with it.
  public let schema: Schema

  public init(id: TenantID, site: Site, schema: Schema) {
    self.id = id
    self.site = site
    self.schema = schema
  }
}

/// A module whose tenants can be filled with sample content of a package kind.
public protocol SampleContentLoading: TenantModule {
  /// The kind of package it takes: `questions`.
  static var packageKind: String { get }
  /// Loads records of a package; those already there are left as they are.
  /// - Returns: how many were new.
  func load(_ records: [JSONValue], authors: [String: PersonID]) async throws -> Int
}
