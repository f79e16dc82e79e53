import ArgumentParser
import Billing
import Database
import Foundation
import Gateway
import Hummingbird
import Identity
import Jobs
import Kit
import Logging
import NIOCore
import NIOPosix
import RelyingParty
import ServiceLifecycle
import Telemetry
import UnixSignals
import Web

/// Where a process listens.
struct ListenAddress: ExpressibleByArgument, CustomStringConvertible, Sendable {
  let host: String
  let port: Int

  init(host: String = "127.0.0.1", port: Int) {
    (self.host, self.port) = (host, port)
  }

  /// Reads `8081` or `0.0.0.0:8081`.
  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard let port = parts.last.flatMap({ Int($0) }), (1...65_535).contains(port) else { return nil }
    switch parts.count {
    case 1: self.init(port: port)
    case 2 where !parts[0].isEmpty: self.init(host: String(parts[0]), port: port)
    default: return nil
    }
  }

  var description: String { "\(host):\(port)" }

  /// Asks for the port before anything is started.
  ///
  /// - Parameter option: by which another can be chosen.
  /// - Throws: ``Failure`` that says why it can't be had.
  func assertFree(option: String) throws {
    guard (1...65_535).contains(port) else { throw Failure(description: "\(option): found \(port), expected 1 to 65535") }
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var yes: Int32 = 1
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr(host)
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    if bound != 0 {
      let reason = errno == EADDRINUSE ? "is in use by another process" : "can't be used: \(String(cString: strerror(errno)))"
      throw Failure(description: "port \(port) of \(host) \(reason). Stop that process, or choose another: \(option) \(port + 1)")
    }
  }
}

/// How a process of the city stops.
struct StopOptions: ParsableArguments {
  @Option(name: .long, help: "Seconds it goes on serving after it was asked to stop, so that whoever sends requests notices.")
  var drain = 1.0
}

/// A process of the city while it runs: what it does is what its role says.
struct CityProcess {
  let city: City
  /// Where it listens; `nil`: nowhere.
  let listen: ListenAddress?
  let proxies: TrustedProxies
  let drain: Duration

  /// Runs until it is asked to stop, by SIGTERM or SIGINT; then what is under way ends.
  func run(isRunning: @escaping @Sendable () -> Void) async throws {
    let logger = city.logger
    var services: [ServiceGroupConfiguration.ServiceConfiguration] = background.map { work in
      .init(service: BackgroundService(work: work))
    }
    if let listen {
      let address = ApplicationConfiguration(
        address: .hostname(listen.host, port: listen.port), serverName: "Metropolis")
      if city.role.serves {
        let door = FrontDoor(gateway: city.gateway, proxies: proxies, readiness: city.readiness)
        let application = Application(
          responder: door, server: .onEventLoops(immediate: door), configuration: address,
          onServerRunning: { _ in isRunning() }, logger: logger)
        services.append(.init(service: application))
      } else {
        let application = Application(
          responder: Probes(gateway: city.gateway), configuration: address, onServerRunning: { _ in isRunning() },
          logger: logger)
        services.append(.init(service: application))
      }
      services.append(.init(service: Draining(readiness: city.readiness, time: drain)))
    } else {
      isRunning()
    }
    let group = ServiceGroup(
      configuration: .init(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
  }

  /// What goes on by itself, in the order it is begun; it ends the other way round.
  private var background: [@Sendable () async -> Void] {
    let (city, logger) = (city, city.logger)
    var work: [@Sendable () async -> Void] = [
      { await follower.run() },
      { await city.identity.run { city.sessions.forget() } },
      {
        await city.billing.run { error in
          if let error = error as? DatabaseError {
            logger.warning("plans not refreshed", metadata: ["error": "\(error)"])
          } else {
            logger.warning("plans not refreshed", metadata: ["error": "\(type(of: error))"])
          }
        }
      },
      { await city.looks.run() }, { await CityProcess.settle() },
      { await CityProcess.onEach(city.servers) { await $0.replicas?.run() } },
    ]
    if city.role.serves {
      work += [
        { await city.freshness.run() }, { await city.limiter.run() },
        { await city.gateway.watchLoad(of: MultiThreadedEventLoopGroup.singleton) },
        {
          await city.gateway.watchDatabases { name in
            guard let server = city.servers[name] else { return false }
            return (try? await server.core.query("SELECT 1")) != nil
          }
        },
      ]
    }
    guard city.role.works else { return work }
    work += [
      { await city.relay.run() }, { await city.worker.run() }, { await city.scheduler.run() },
      { await CityProcess.onEach(city.servers) { await city.watchdogs.watch($0, logger: logger) } },
    ]
    return work
  }

  private var follower: Follower {
    let city = city
    return Follower(
      database: city.servers.main.core, register: city.nodes, role: city.role,
      address: listen.map { "\($0)" } ?? "process \(ProcessInfo.processInfo.processIdentifier)",
      version: city.districts.current.version, logger: city.logger, meet: { city.looks.isAlone($0) }
    ) { try await city.follow($0, version: $1) }
  }

  /// Gives back what only the start needed, when everything stands.
  private static func settle() async {
    guard (try? await Task.sleep(for: .seconds(2))) != nil else { return }
    ProcessMemory.settle()
    while (try? await Task.sleep(for: .seconds(86_400))) != nil {}
  }

  /// Work that goes on for every server, also for those that come while the process runs.
  private static func onEach(_ servers: Servers, _ work: @escaping @Sendable (DatabaseServer) async -> Void) async {
    await withTaskGroup(of: Void.self) { group in
      var known: Set<String> = []
      while !Task.isCancelled {
        for server in servers.all where known.insert(server.name).inserted {
          group.addTask { await work(server) }
        }
        try? await Task.sleep(for: .seconds(10))
      }
    }
  }
}

/// Work that goes on until the process is asked to stop.
struct BackgroundService: Service {
  let work: @Sendable () async -> Void

  func run() async throws {
    await cancelWhenGracefulShutdown { await work() }
  }
}
