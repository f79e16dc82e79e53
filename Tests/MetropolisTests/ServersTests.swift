import Database
import Kit
import Support
import Testing

@testable import Metropolis

@Suite("The servers of a city") struct ServersTests {
  private typealias Sample = ConfigurationSample
  private static let schema = Schema("town")!

  private static func city(_ databases: String) throws -> CityConfiguration {
    try Sample.read(Sample.yaml + "databases:\n" + databases)
  }

  private static func url(of settings: ConnectionSettings) -> String {
    "host='\(settings.host)' port='\(settings.port)' user='\(settings.user)' password='\(settings.password)' "
      + "dbname='\(settings.database)'"
  }

  /// The servers of a configuration, of which `main` is the test's; the variables all name it, too.
  private func withServers(
    _ city: CityConfiguration, variables: [String], _ body: (Servers, TestDatabase) async throws -> Void
  ) async throws {
    try await withDatabase { test in
      let environment = Dictionary(uniqueKeysWithValues: variables.map { ($0, ServersTests.url(of: test.settings)) })
      let settings = try ProcessSettings(
        ["METROPOLIS_MASTER_KEY": String(repeating: "A", count: 43) + "="], data: "/nowhere", configuration: Sample.read())
      let main = try await ServerAddress(
        name: "main", url: ServersTests.url(of: test.settings), data: "/nowhere", loop: DatabaseLoop(), logger: test.logger)
      let servers: Servers
      do {
        servers = try Servers(
          main: main, city, key: settings.masterKey, environment: environment, data: "/nowhere", logger: test.logger)
      } catch {
        await main.stop()
        main.loop.stop()
        throw error
      }
      do { try await body(servers, test) } catch {
        await servers.stop()
        throw error
      }
      await servers.stop()
    }
  }

  @Test("read from their replicas under each schema's role, and count for all together")
  func replicas() async throws {
    let city = try ServersTests.city("  main: {replicas: [env:MAIN_R1, env:MAIN_R2], max_lag: 500ms}\n")
    try await withServers(city, variables: ["MAIN_R1", "MAIN_R2"]) { servers, test in
      let (server, schema) = (servers.main, ServersTests.schema)
      let login = Provisioner.roleName(database: test.name, schema: schema, .login)
      try await Provisioner(admin: test.database).provision(
        schema: schema, ownerRole: Provisioner.roleName(database: test.name, schema: schema, .owner), loginRole: login,
        password: server.password(schema))
      let client = server.client(schema, isCore: false)
      let reader = try #require(server.reader(schema, beside: client))
      #expect(reader.status.map(\.name) == ["MAIN_R1", "MAIN_R2"])
      // The test's is no replica: all goes to the primary, by the schema's own client.
      let name = try await reader.one("SELECT current_user::text AS name")?.get("name", as: String.self)
      #expect(name == login && client.status.statements == 1)
      #expect(server.replicas?.primaryReads == 1)
      await reader.close()
      let again = try await client.one("SELECT 1 AS x")?.get("x", as: Int.self)
      #expect(again == 1)
      await client.close()
    }
  }

  @Test("that come later bring theirs; a variable that is missing is named, and the server is not met")
  func later() async throws {
    let first = try ServersTests.city("  main: {connections: 8}\n")
    try await withServers(first, variables: ["EAST_URL", "EAST_R1", "WEST_URL"]) { servers, _ in
      #expect(servers.main.replicas == nil)
      #expect(servers.main.reader(ServersTests.schema, beside: servers.main.core) == nil)
      let next = try ServersTests.city("  east: {url: env:EAST_URL, replicas: [env:EAST_R1]}\n")
      try await servers.follow(next.databases)
      #expect(servers["east"]?.replicas?.status.map(\.name) == ["EAST_R1"])
      let wrong = try ServersTests.city("  west: {url: env:WEST_URL, replicas: [env:WEST_R1]}\n")
      let failure = await #expect(throws: Failure.self) { try await servers.follow(wrong.databases) }
      #expect(failure?.description == "databases.west: the variable WEST_R1 is not set for this process")
      #expect(servers["west"] == nil)
    }
  }

  @Test("a process that lacks the variable of a replica doesn't start")
  func missing() async throws {
    let city = try ServersTests.city("  main: {replicas: [env:MAIN_R1]}\n")
    let failure = await #expect(throws: Failure.self) { try await withServers(city, variables: []) { _, _ in } }
    #expect(failure?.description == "databases.main: the variable MAIN_R1 is not set for this process")
  }

  @Test("another way to connect asks for a restart, another limit for `check` doesn't, nor does a server that comes")
  func restarts() throws {
    let before = try ServersTests.city("  main: {connections: 8, limit: 100}\n")
    func needed(_ databases: String) throws -> [String] {
      try ServersTests.city(databases).neededRestarts(after: before)
    }
    #expect(try needed("  main: {connections: 8, limit: 200}\n  east: {url: env:EAST_URL}\n").isEmpty)
    #expect(try needed("  main: {connections: 9, limit: 100}\n") == ["databases.main"])
    #expect(try needed("  main: {connections: 8, limit: 100, replicas: [env:MAIN_R1]}\n") == ["databases.main"])
  }
}
