import Billing
import Foundation
import HTTPClient
import Kit
import Logging
import NIOPosix
import Notifications
import Web

/// What the city needs of others: who carries its mail, and by whom money comes in.
struct Surroundings: Sendable {
  /// `nil` for a process that sends no mail.
  let mailer: SMTPMailer?
  let mailbox: DevelopmentMailbox?
  let payments: PaymentProcess?
  let gateway: any PaymentGateway
  /// Origins of the gateway's pages.
  let gatewayOrigins: [String]

  /// In development a `run` brings both with it: a mailbox that keeps every mail, and a payment simulator as its child. Others
  /// take what the environment names, or the simulator a `run` has left its port of in the same data directory.
  init(
    _ settings: ProcessSettings, _ configuration: CityConfiguration, _ cities: CityMap, data: String, role: NodeRole,
    clock: DomainClock, logger: Logger
  ) async throws {
    (mailer, mailbox) = try await Surroundings.mail(settings, configuration, data: data, role: role, clock: clock, logger: logger)
    func simulator(_ url: String, key: String, secret: String) -> SimulatorGateway {
      SimulatorGateway(baseURL: url, key: key, webhookSecret: secret, client: HTTPClient())
    }
    let credentials = PaymentProcess.Credentials(settings.masterKey)
    if let named = settings.payments {
      payments = nil
      gateway = simulator(named.url, key: named.key, secret: named.secret)
      gatewayOrigins = [named.url]
    } else if configuration.isDevelopment, role == .run {
      let process = PaymentProcess(
        data: data, credentials: credentials, webhookURL: cities.city.origin.url("/payments/webhook"), logger: logger)
      let url = try await process.start()
      payments = process
      gateway = simulator(url, key: credentials.key, secret: credentials.secret)
      gatewayOrigins = [url]
    } else if configuration.isDevelopment, role != .command, let url = PaymentProcess.origin(data: data) {
      payments = nil
      gateway = simulator(url, key: credentials.key, secret: credentials.secret)
      gatewayOrigins = [url]
    } else {
      payments = nil
      gateway = UnconfiguredGateway()
      gatewayOrigins = []
    }
  }

  private static func mail(
    _ settings: ProcessSettings, _ configuration: CityConfiguration, data: String, role: NodeRole, clock: DomainClock,
    logger: Logger
  ) async throws -> (SMTPMailer?, DevelopmentMailbox?) {
    guard role.works else { return (nil, nil) }
    let group = MultiThreadedEventLoopGroup.singleton
    guard let from = MailAddress(settings.mailFrom) else {
      throw Failure(description: "METROPOLIS_MAIL_FROM: found something else, expected an address like no-reply@example.com")
    }
    func mailer(_ host: String, _ port: Int, user: String? = nil, password: String? = nil, helo: String) -> SMTPMailer {
      SMTPMailer(
        host: host, port: port, username: user, password: password, from: from, helo: helo, group: group, logger: logger)
    }
    if let smtp = settings.smtp {
      return (mailer(smtp.host, smtp.port, user: smtp.user, password: smtp.password, helo: configuration.host), nil)
    }
    guard role == .run else { return (nil, nil) }
    let mailbox = DevelopmentMailbox(directory: URL(fileURLWithPath: "\(data)/mail"), group: group, clock: clock)
    return (mailer("127.0.0.1", try await mailbox.start(), helo: "localhost"), mailbox)
  }
}
