import Foundation
import Keys
import Kit

/// What the environment gives this process (R48). All that is missing or wrong is said at once, in one message.
struct ProcessSettings: Sendable {
  struct Invalid: Error, CustomStringConvertible {
    let description: String
  }

  struct SMTP: Sendable {
    let host: String
    let port: Int
    let user: String?
    let password: String?
  }

  let masterKey: MasterKey
  /// `nil`: the development mailbox.
  let smtp: SMTP?
  let mailFrom: String
  /// `nil`: `/metrics` is open, in development only.
  let metricsToken: String?
  /// A payment simulator that runs elsewhere; `nil`: a development city starts its own.
  let payments: Payments?

  struct Payments: Sendable {
    let url: String
    let key: String
    let secret: String
  }

  /// - Throws: ``Invalid``.
  init(_ environment: [String: String], data: String, configuration: CityConfiguration) throws {
    var mistakes: [String] = []
    let isDevelopment = configuration.isDevelopment
    func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    let main = configuration.databases.first?.url?.name ?? MainAddress.variable
    if value(main) == nil, configuration.databases.first?.url == nil, configuration.environment == .production {
      mistakes.append("\(main): not set; production needs a server of its own")
    }
    for database in configuration.databases {
      let named: [(key: String, name: EnvironmentName?)] =
        [("url", database.url), ("direct_url", database.directURL)] + database.replicas.map { ("replicas", $0) }
      for (key, name) in named {
        guard let name, value(name.name) == nil else { continue }
        mistakes.append("\(name.name): not set; databases.\(database.name).\(key) names it")
      }
    }
    let urls = Set(configuration.databases.flatMap { [$0.url, $0.directURL] + $0.replicas }.compactMap { $0?.name } + [main])
    for name in urls.sorted() {
      guard let url = value(name) else { continue }
      if !(url.hasPrefix("postgres://") || url.hasPrefix("postgresql://") || url.contains("=")) {
        mistakes.append("\(name): found something else, expected postgresql://user:password@host:port/database")
      }
    }

    var key: MasterKey?
    if let text = value("METROPOLIS_MASTER_KEY") {
      key = MasterKey(text)
      if key == nil { mistakes.append("METROPOLIS_MASTER_KEY: found a text of another form, expected 32 random bytes in base64") }
    } else if isDevelopment {
      key = try ProcessSettings.keptKey(data: data)
    } else {
      mistakes.append(
        "METROPOLIS_MASTER_KEY: not set; \(configuration.environment.rawValue) needs 32 random bytes in base64 (openssl rand -base64 32)"
      )
    }

    var smtp: SMTP?
    if let text = value("METROPOLIS_SMTP_URL") {
      if let url = URLComponents(string: text), url.scheme == "smtp", let host = url.host {
        smtp = SMTP(host: host, port: url.port ?? 25, user: url.user, password: url.password)
      } else {
        mistakes.append("METROPOLIS_SMTP_URL: found something else, expected smtp://[user:password@]host[:port]")
      }
    } else if !isDevelopment {
      mistakes.append("METROPOLIS_SMTP_URL: not set; \(configuration.environment.rawValue) sends real mail (smtp://relay:25)")
    }
    self.smtp = smtp
    mailFrom = value("METROPOLIS_MAIL_FROM") ?? "no-reply@\(configuration.host)"

    metricsToken = value("METROPOLIS_METRICS_TOKEN")
    if metricsToken == nil, !isDevelopment {
      mistakes.append("METROPOLIS_METRICS_TOKEN: not set; /metrics must not be open in \(configuration.environment.rawValue)")
    }

    var payments: Payments?
    if let url = value("METROPOLIS_PAYMENTS_URL") {
      let (key, secret) = (value("METROPOLIS_PAYMENTS_KEY"), value("METROPOLIS_PAYMENTS_SECRET"))
      if configuration.environment == .production {
        mistakes.append("METROPOLIS_PAYMENTS_URL: found a simulator; production takes no payments that nobody pays")
      } else if !(url.hasPrefix("http://") || url.hasPrefix("https://")) || url.hasSuffix("/") {
        mistakes.append("METROPOLIS_PAYMENTS_URL: found something else, expected an origin like http://127.0.0.1:9090")
      } else if let key, let secret {
        payments = Payments(url: url, key: key, secret: secret)
      } else {
        mistakes.append("METROPOLIS_PAYMENTS_KEY, METROPOLIS_PAYMENTS_SECRET: not set; the simulator asks for both")
      }
    }
    self.payments = payments

    guard mistakes.isEmpty, let key else {
      throw Invalid(
        description: "the environment is not complete for \(configuration.environment.rawValue):\n  "
          + mistakes.joined(separator: "\n  "))
    }
    masterKey = key
  }

  /// The development key: made once, readable by its owner only.
  private static func keptKey(data: String) throws -> MasterKey {
    let path = "\(data)/master.key"
    if let text = try? String(contentsOfFile: path, encoding: .utf8) {
      guard let key = MasterKey(text) else {
        throw Invalid(
          description: "\(path) holds no key: 32 bytes in base64 are expected. Restore it, or remove the data directory.")
      }
      return key
    }
    let text = MasterKey.generate()
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    guard file >= 0 else { throw Invalid(description: "\(path) can't be written: \(String(cString: strerror(errno)))") }
    defer { close(file) }
    var line = text + "\n"
    let written = line.withUTF8 { write(file, $0.baseAddress, $0.count) }
    guard written == text.utf8.count + 1 else { throw Invalid(description: "\(path) can't be written whole") }
    return MasterKey(text)!
  }
}
