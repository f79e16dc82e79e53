// swift-tools-version: 6.2
import PackageDescription

// The folder tree is the map of the house: one folder = one target = one concern. Arrows point down only:
// Metropolis → tenants → TenantKit; Metropolis → Billing and the core services; all of these → Web, Jobs, Database → Kit.
// `Tests/ArchitectureTests` holds this file against that rule.

var settings: [SwiftSetting] {
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
  ]
}

// Products of other packages. Every one costs a newcomer build minutes; ARCHITECTURE.md says what each earns.
var hummingbird: Target.Dependency { .product(name: "Hummingbird", package: "hummingbird") }
var mustache: Target.Dependency { .product(name: "Mustache", package: "swift-mustache") }
var yams: Target.Dependency { .product(name: "Yams", package: "Yams") }
var crypto: Target.Dependency { .product(name: "Crypto", package: "swift-crypto") }
var cryptoExtras: Target.Dependency { .product(name: "CryptoExtras", package: "swift-crypto") }
var jwt: Target.Dependency { .product(name: "JWTKit", package: "jwt-kit") }
var logging: Target.Dependency { .product(name: "Logging", package: "swift-log") }
var arguments: Target.Dependency { .product(name: "ArgumentParser", package: "swift-argument-parser") }
var lifecycle: Target.Dependency { .product(name: "ServiceLifecycle", package: "swift-service-lifecycle") }
var unixSignals: Target.Dependency { .product(name: "UnixSignals", package: "swift-service-lifecycle") }
var httpTypes: Target.Dependency { .product(name: "HTTPTypes", package: "swift-http-types") }
var nio: Target.Dependency { .product(name: "NIOCore", package: "swift-nio") }
var nioHTTPTypes: Target.Dependency { .product(name: "NIOHTTPTypes", package: "swift-nio-extras") }
var nioPosix: Target.Dependency { .product(name: "NIOPosix", package: "swift-nio") }

/// The files that stand beside the code they belong to and are compiled into the binary by `EmbedResources`.
var embed: [Target.PluginUsage] { ["EmbedResources"] }

@MainActor func core(
  _ name: String, _ dependencies: [Target.Dependency], embeds: Bool = false, excluding: [String] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/Platform/\(name)", exclude: excluding, swiftSettings: settings,
    plugins: embeds ? embed : [])
}

@MainActor func tenant(_ name: String) -> Target {
  .target(
    name: name, dependencies: ["TenantKit", "Kit", "Web", "Database"], path: "Sources/Tenants/\(name)",
    swiftSettings: settings, plugins: embed)
}

@MainActor func tests(_ name: String, _ dependencies: [Target.Dependency], excluding: [String] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: excluding, swiftSettings: settings)
}

let package = Package(
  name: "metropolis",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "metropolis", targets: ["Metropolis"])],
  dependencies: [
    // Without swift-configuration, which nothing here reads by.
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: ["FullFoundation"]),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras.git", exact: "1.35.2"),
  ],
  targets: [
    .systemLibrary(
      name: "CPostgres", path: "Sources/Platform/CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(
      name: "CArgon2", path: "Sources/Platform/CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
    .systemLibrary(
      name: "CCurl", path: "Sources/Platform/CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CHaru", path: "Sources/Platform/CHaru", providers: [.apt(["libhpdf-dev"])]),
    .systemLibrary(
      name: "CXLSXWriter", path: "Sources/Platform/CXLSXWriter", pkgConfig: "xlsxwriter",
      providers: [.apt(["libxlsxwriter-dev"])]),
    core("Kit", [yams]),
    core("Keys", [crypto]),
    core("Database", ["CPostgres", "Kit", logging, crypto], excluding: ["README.md"]),
    core("Web", ["Kit", "Keys", crypto, hummingbird, httpTypes, mustache, logging, nio, nioHTTPTypes], embeds: true),
    core("Jobs", ["Kit", "Database", logging], embeds: true),
    core("TenantKit", ["Kit", "Web", "Database", crypto]),
    core("Telemetry", ["Kit", logging]),
    core("Gateway", ["Kit", "Web", "Database", hummingbird, httpTypes, logging, nio], embeds: true),
    core(
      "Identity",
      ["Kit", "Keys", "Database", "Web", "Jobs", "CArgon2", hummingbird, httpTypes, jwt, logging, crypto, cryptoExtras],
      embeds: true),
    core("RelyingParty", ["Kit", "Keys", "Database", "Web", hummingbird, httpTypes, jwt, logging], embeds: true),
    core("Content", ["Kit", "Database"], embeds: true),
    core("Records", ["Kit", "Database", "Web", "Jobs", logging], embeds: true),
    core("Notifications", ["Kit", "Web", logging, nio, nioPosix], embeds: true),
    core("HTTPClient", ["CCurl"]),
    core("Documents", ["CHaru", "CXLSXWriter"]),
    core("PaymentSimulator", ["Kit", "HTTPClient", hummingbird, httpTypes, mustache, logging, nio, crypto], embeds: true),
    .target(
      name: "Billing",
      dependencies: [
        "Kit", "Keys", "Database", "Web", "Jobs", "HTTPClient", "Documents", logging, hummingbird, httpTypes, crypto,
      ],
      path: "Sources/Billing", swiftSettings: settings, plugins: embed),
    tenant("Town"),
    tenant("Prep"),
    tenant("KCulture"),
    .executableTarget(
      name: "Metropolis",
      dependencies: [
        "Kit", "Keys", "Database", "Web", "Jobs", "TenantKit", "Telemetry", "Gateway", "Identity", "RelyingParty", "Content",
        "Records", "Notifications", "HTTPClient", "Billing", "PaymentSimulator", "Town", "Prep", "KCulture",
        hummingbird, httpTypes, logging, arguments, lifecycle, unixSignals, nio, nioPosix, crypto,
      ],
      path: "Sources/Metropolis", swiftSettings: settings, plugins: embed),
    .executableTarget(
      name: "metropolis-bench-peer", dependencies: ["Database", hummingbird, httpTypes, logging, nio, "CArgon2"],
      path: "Benchmarks/BarePeer", swiftSettings: settings),
    .executableTarget(
      name: "metropolis-bench", dependencies: ["Billing", "Database", "Jobs", "Kit", logging], path: "Benchmarks/InProcess",
      swiftSettings: settings),
    .executableTarget(name: "embed-resources", path: "Plugins/EmbedTool", swiftSettings: settings),
    .plugin(
      name: "EmbedResources", capability: .buildTool(), dependencies: ["embed-resources"], path: "Plugins/EmbedResources"),
    .target(
      name: "Support", dependencies: ["Kit", "Database", logging], path: "Tests/Support", swiftSettings: settings),
    .target(
      name: "TenantSupport",
      dependencies: [
        "TenantKit", "Kit", "Keys", "Web", "Database", "Jobs", "Support", logging, hummingbird, httpTypes, nio,
      ],
      path: "Tests/TenantSupport", swiftSettings: settings),
    tests("KitTests", ["Kit"]),
    tests("DatabaseTests", ["Database", "Kit", "Support", logging]),
    tests(
      "RecordsTests", ["Records", "Kit", "Keys", "Database", "Web", "Jobs", "Support", logging, hummingbird, httpTypes, nio]),
    tests("NotificationsTests", ["Notifications", "Kit", "Keys", "Web", logging, hummingbird, httpTypes, nio, nioPosix]),
    tests(
      "BillingTests",
      [
        "Billing", "PaymentSimulator", "HTTPClient", "Documents", "Kit", "Keys", "Database", "Web", "Jobs", "Support", logging,
        hummingbird, httpTypes, nio,
      ]),
    tests("DocumentsTests", ["Documents"]),
    tests("HTTPClientTests", ["HTTPClient", hummingbird, httpTypes, nio, logging]),
    tests("PaymentSimulatorTests", ["PaymentSimulator", "HTTPClient", "Kit", logging, crypto]),
    tests(
      "KCultureTests",
      ["KCulture", "TenantKit", "Kit", "Web", "Database", "Support", "TenantSupport"], excluding: ["Oracles"]),
    tests(
      "TownTests",
      ["Town", "TenantKit", "Kit", "Keys", "Web", "Database", "Jobs", "Support", logging, hummingbird, httpTypes, nio]),
    tests("ContentTests", ["Content", "Kit", "Database", "Support"]),
    tests("PrepTests", ["Prep", "TenantKit", "Kit", "Web", "Database", "Support", "TenantSupport"]),
    tests("KeysTests", ["Keys", crypto]),
    tests("WebTests", ["Web", "Keys", "Kit", hummingbird, httpTypes, logging, nio]),
    tests("JobsTests", ["Jobs", "Database", "Kit", "Support", logging]),
    tests(
      "GatewayTests",
      ["Gateway", "Web", "Keys", "Kit", "Database", "Jobs", "Support", hummingbird, httpTypes, logging, nio]),
    tests("IsolationTests", ["CPostgres", "Database", "Kit", logging]),
    tests("TelemetryTests", ["Telemetry", "Kit", logging]),
    tests("ArchitectureTests", ["Kit", "Web"]),
    tests(
      "IdentityTests",
      [
        "Identity", "RelyingParty", "Kit", "Keys", "Database", "Web", "Support", jwt, cryptoExtras, logging, hummingbird,
        httpTypes,
        nio,
      ]),
    tests(
      "MetropolisTests",
      ["Metropolis", "Identity", "Gateway", "TenantKit", "Jobs", "Database", "Kit", "Web", "Support", logging]),
  ]
)
