import Billing
import Content
import Database
import Identity
import Jobs
import Kit
import Logging
import Records
import RelyingParty

extension City {
  /// The core's schemas, each with the migrations of its service.
  static var coreSchemas: [(schema: Schema, migrations: [Migration])] {
    get throws {
      [
        (.platform, try JobQueue.migrations), (.identity, try IdentityService.migrations),
        (.relyingParty, try RelyingPartyService.migrations), (.billing, try BillingService.migrations),
        (.records, try RecordsService.migrations), (.content, try ContentService.migrations),
      ]
    }
  }

  /// Tenants whose schemas are not where this release needs them, and why, as the databases say.
  static func refusals(_ configuration: CityConfiguration, _ servers: Servers, logger: Logger) async throws -> Snapshot.Refusals {
    try await CityFleet(configuration, servers, logger: logger).look().refusals(among: configuration)
  }
}

extension FleetReport {
  func refusals(among configuration: CityConfiguration) -> Snapshot.Refusals {
    configuration.tenants.filter(\.state.hasSchema).reduce(into: [:]) { refusals, stanza in
      refusals[stanza.id] = refusal(of: stanza.id.text)?.reason
    }
  }
}
