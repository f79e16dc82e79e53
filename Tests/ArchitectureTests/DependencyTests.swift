import Testing

/// The dependency rule of ARCHITECTURE.md: arrows point down only.
@Suite("What leans on what") struct DependencyTests {
  private static let services: Set<String> = [
    "Identity", "RelyingParty", "Content", "Records", "Notifications", "Lifecycle", "Gateway", "Telemetry", "Learning", "Billing",
    "PaymentSimulator",
  ]
  private static let tenantLeansOn: Set<String> = ["TenantKit", "Kit", "Web", "Database"]

  /// Among our own targets, what each may import. Who isn't named is a service.
  private static let layers: [String: Set<String>] = [
    "Kit": [],
    "Keys": ["Kit"],
    "Database": ["Kit"],
    "Web": ["Kit", "Keys"],
    "Jobs": ["Kit", "Database"],
    "TenantKit": ["Kit", "Web", "Database"],
    "HTTPClient": [],
    "Documents": [],
  ]

  /// The files that import one of our targets they may not.
  private func trespasses(_ allowed: (SourceFile) -> Set<String>?) throws -> [String] {
    let ours = try SourceTree.targets()
    return try SourceTree.swift().flatMap { file -> [String] in
      guard let allowed = allowed(file), let target = file.target else { return [] }
      return file.imports.intersection(ours).subtracting(allowed).subtracting([target]).sorted().map {
        "\(file.path) imports \($0)"
      }
    }
  }

  @Test("the tree is found: every folder of Sources with Swift in it is a target of Package.swift")
  func tree() throws {
    let manifest = try SourceTree.manifest()
    let targets = try SourceTree.targets()
    #expect(targets.isSuperset(of: ["Kit", "Web", "Billing", "Town", "Prep", "Metropolis"]))
    for target in targets { #expect(manifest.contains("\"\(target)\""), "\(target) is not in Package.swift") }
  }

  @Test("a tenant imports TenantKit, Kit, Web, Database and the standard library, and nothing else")
  func tenants() throws {
    let allowed = DependencyTests.tenantLeansOn.union(["Foundation", "Synchronization"])
    var foreign: [String] = []
    for file in try SourceTree.swift() where file.isTenant {
      foreign += file.imports.subtracting(allowed).sorted().map { "\(file.path) imports \($0)" }
    }
    #expect(foreign == [])
  }

  @Test("Package.swift gives every tenant exactly those four, and makes tenants in no other way")
  func tenantsInManifest() throws {
    let manifest = try SourceTree.manifest()
    let made = try #require(manifest.firstMatch(of: /func tenant\((?s:.*?)dependencies:\s*\[([^\]]*)\]/))
    let names = made.1.matches(of: /"(\w+)"/).map { String($0.1) }
    #expect(Set(names) == DependencyTests.tenantLeansOn)
    #expect(names.count == made.1.split(separator: ",").count)
    let tenants = Set(try SourceTree.swift().filter(\.isTenant).compactMap(\.target))
    #expect(Set(manifest.matches(of: /tenant\("(\w+)"\)/).map { String($0.1) }) == tenants)
  }

  @Test("services of the core and Billing never import each other, nor a tenant, nor the composition root")
  func services() throws {
    let common = Set(DependencyTests.layers.keys)
    #expect(try trespasses { file in DependencyTests.services.contains(file.target ?? "") ? common : nil } == [])
  }

  @Test("Package.swift declares no arrow between services either")
  func servicesInManifest() throws {
    let manifest = try SourceTree.manifest()
    for made in manifest.matches(of: /(?:core\(|\.target\(\s*name:\s*)"(\w+)",\s*(?:dependencies:\s*)?\[([^\]]*)\]/) {
      let name = String(made.1)
      let leansOn = Set(made.2.matches(of: /"(\w+)"/).map { String($0.1) })
      if DependencyTests.services.contains(name) {
        #expect(leansOn.isDisjoint(with: DependencyTests.services), "\(name) leans on another service")
      }
      if let allowed = DependencyTests.layers[name] {
        #expect(
          leansOn.subtracting(["CPostgres", "CArgon2", "CCurl", "CHaru", "CXLSXWriter"]).isSubset(of: allowed),
          "\(name) leans on more than is below it")
      }
    }
  }

  @Test("Kit imports no other target of ours, and the layers above it only what is below them")
  func layers() throws {
    #expect(try trespasses { file in DependencyTests.layers[file.target ?? ""] } == [])
  }

  @Test("every target has its place in this rule")
  func placed() throws {
    let tenants = Set(try SourceTree.swift().filter(\.isTenant).compactMap(\.target))
    let known = Set(DependencyTests.layers.keys).union(DependencyTests.services).union(tenants).union(["Metropolis"])
    #expect(try SourceTree.targets().subtracting(known) == [])
  }
}
