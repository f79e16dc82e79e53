import Crypto
import Database
import Foundation

/// One schema that has to be there and at its newest migrations: a tenant's, or a core service's.
struct FleetMember: Sendable {
  /// The tenant's id, or the core schema's name.
  let id: String
  /// A name of `databases:`.
  let database: String
  let schema: Schema
  let bounds: RoleBounds
  let durability: Durability
  let plan: FleetPlan
}

/// The migrations of one kind of schema, journal by journal. Members of a kind share it.
struct FleetPlan: Sendable {
  let journals: [(journal: Schema, migrations: [Migration])]
  /// Tells one state of all these files from another.
  let digest: String

  init(_ journals: [(journal: Schema, migrations: [Migration])]) {
    self.journals = journals
    var hash = SHA256()
    for (journal, migrations) in journals {
      hash.update(data: Data("\(journal)\n".utf8))
      for migration in migrations {
        hash.update(data: Data("\(migration.number) \(migration.name) \(migration.sql.utf8.count)\n\(migration.sql)".utf8))
      }
    }
    digest = hash.finalize().hexadecimal
  }

  /// The newest number of each journal.
  var counts: [String: Int] {
    Dictionary(journals.map { ($0.journal.name, $0.migrations.count) }) { first, _ in first }
  }
}

/// A database that schemas of the fleet live in.
struct FleetDatabase: Sendable {
  /// As `databases:` has it.
  let name: String
  /// As somebody with the right to make schemas and roles, past any pooler.
  let settings: ConnectionSettings
  let loop: DatabaseLoop
  /// Whether the server is a private one of ours.
  let ownsServer: Bool
  /// Of the login role of a schema.
  let password: @Sendable (Schema) -> String

  /// Databases of one server share its processors: workers are counted per server.
  var server: String { "\(settings.host):\(settings.port)" }

  func role(_ schema: Schema, _ kind: Provisioner.RoleKind) -> String {
    Provisioner.roleName(database: settings.database, schema: schema, kind)
  }

  /// Tells one state of a schema's roles and rights from another.
  func provisioning(of member: FleetMember) -> String {
    let parts = [
      "\(FleetDatabase.revision)", role(member.schema, .owner), role(member.schema, .login), member.durability.rawValue,
      "\(member.bounds)", password(member.schema),
    ]
    return SHA256.hash(data: Data(parts.joined(separator: "\n").utf8)).hexadecimal
  }

  /// Raised when ``Database/Provisioner`` makes something else than before: then every schema is provisioned anew.
  private static let revision = 1
}

extension Sequence<UInt8> {
  var hexadecimal: String { map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
}
