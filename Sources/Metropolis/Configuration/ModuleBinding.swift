import Database
import KCulture
import Kit
import Prep
import TenantKit
import Town
import Web

/// The kinds of tenant this city can have. A new kind is one folder and one line here.
let tenantModules: [any TenantModule.Type] = [Town.self, Prep.self, KCulture.self]

/// A module type with its settings type sealed in, so that the platform can treat all kinds alike.
struct ModuleBinding: Sendable {
  let kind: String
  let resources: [String: String]
  let features: [MeteredFeature]
  let menu: [MenuItem]
  let routes: [SiteRouter.Route]
  /// The kind of content package whose records go into a tenant of this kind.
  let packageKind: String?
  /// Reads a stanza's settings, noting mistakes on it, and gives what makes the module from them.
  let configure: @Sendable (ConfigSection?) -> @Sendable (Tenant, TenantServices) -> any TenantModule

  init<Module: TenantModule>(_ type: Module.Type) {
    kind = type.kind
    resources = type.resources
    features = type.features
    menu = type.menu
    routes = type.endpoints.map { SiteRouter.Route($0) }
    packageKind = (type as? any SampleContentLoading.Type)?.packageKind
    configure = { section in
      let settings = Module.Settings(reading: section)
      return { tenant, services in Module(tenant: tenant, settings: settings, services: services) }
    }
  }

  /// The numbered SQL files of the kind.
  var migrations: [Migration] {
    get throws { try Migration.read(resources.filter { $0.key.hasSuffix(".sql") }) }
  }

  static let all: [ModuleBinding] = tenantModules.map { bind($0) }

  private static func bind(_ type: any TenantModule.Type) -> ModuleBinding {
    func open<Module: TenantModule>(_ type: Module.Type) -> ModuleBinding { ModuleBinding(type) }
    return open(type)
  }
}
