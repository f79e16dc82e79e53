import Foundation
import HTTPClient
import Hummingbird
public import Kit
import Logging
import NIOCore

/// A payment gateway for development and tests: hosted card page, saved methods, refunds, signed webhooks. No money moves.
///
/// It behaves as a shop must expect of a real one: charges are idempotent by key, every second webhook comes twice, every
/// third late, and all of it survives a SIGKILL: nothing is answered before it is on the disk. It listens on 127.0.0.1 only.
///
/// ```swift
/// let simulator = try PaymentSimulator(.init(journal: path, apiKey: key, webhookSecret: secret, webhookURL: url))
/// try await simulator.run { port in … }
/// ```
public struct PaymentSimulator: Sendable {
  /// How long the simulated world takes.
  public struct Timetable: Sendable {
    /// Until a pending payment succeeds.
    public var pending: Duration
    /// How much later than its event every third webhook comes.
    public var late: Duration
    /// Between the two copies of every second webhook.
    public var repetition: Duration
    /// Until the first repetition of a webhook that was not taken (2xx); doubles with each up to ``retryMost``, for a day.
    public var retryFirst: Duration
    public var retryMost: Duration
    /// How long a checkout can be paid.
    public var checkout: Duration

    public init(
      pending: Duration = .seconds(4), late: Duration = .seconds(3), repetition: Duration = .milliseconds(200),
      retryFirst: Duration = .milliseconds(500), retryMost: Duration = .seconds(30), checkout: Duration = .seconds(86_400)
    ) {
      self.pending = pending
      self.late = late
      self.repetition = repetition
      self.retryFirst = retryFirst
      self.retryMost = retryMost
      self.checkout = checkout
    }
  }

  public struct Options: Sendable {
    /// The file of the journal; made when it is not there.
    public var journal: String
    /// What the shop sends as `Authorization: Bearer …`.
    public var apiKey: String
    /// The key of the webhooks' signatures.
    public var webhookSecret: String
    /// Where webhooks go; without it they wait in the journal.
    public var webhookURL: String?
    /// 0 takes any free port.
    public var port: Int
    /// Opens `/simulator/…`, where tests ask for faults.
    public var allowsFaults: Bool
    public var timetable: Timetable
    /// The clock that dates payments, events and signatures. Delays go by the machine's.
    public var now: @Sendable () -> Instant

    public init(
      journal: String, apiKey: String, webhookSecret: String, webhookURL: String? = nil, port: Int = 0,
      allowsFaults: Bool = false, timetable: Timetable = Timetable(), now: @escaping @Sendable () -> Instant = { .now }
    ) {
      self.journal = journal
      self.apiKey = apiKey
      self.webhookSecret = webhookSecret
      self.webhookURL = webhookURL
      self.port = port
      self.allowsFaults = allowsFaults
      self.timetable = timetable
      self.now = now
    }
  }

  /// What can't be used to start with, said for the person who started it.
  public struct Unusable: Error, CustomStringConvertible {
    public let description: String
  }

  private let options: Options
  private let store: Store
  private let pages: CheckoutPages

  public static var resources: [String: String] { Embedded.files }

  /// Opens the journal and reads it.
  ///
  /// - Throws: ``Unusable`` for an empty key or secret, a port out of range, and a journal that can't be opened, is in use
  ///   by another simulator, or is damaged in its middle. A torn last line is cut off.
  public init(_ options: Options) throws {
    guard !options.apiKey.isEmpty, !options.webhookSecret.isEmpty else {
      throw Unusable(description: "the API key and the webhook secret can't be empty")
    }
    guard (0...65_535).contains(options.port) else {
      throw Unusable(description: "the port: found \(options.port), expected 0 to 65535")
    }
    self.options = options
    do {
      store = try Store(journal: options.journal)
    } catch {
      throw Unusable(description: "\(error)")
    }
    pages = try CheckoutPages(secret: options.webhookSecret)
  }

  /// Serves until the task is cancelled. Once only: to go on, make a new simulator of the same journal.
  /// - Parameter onReady: gets the port when requests are taken.
  public func run(onReady: @escaping @Sendable (Int) -> Void) async throws {
    var logger = Logger(label: "payments")
    logger.logLevel = .critical  // connections cut at the end, or by a fault, are no errors
    let options = options
    let store = store
    let faults = Faults(isAllowed: options.allowsFaults)
    let clock = { @Sendable in Moment(options) }
    let responder = SimulatorResponder(
      api: GatewayAPI(store: store, options: options, clock: clock), pages: pages, store: store, faults: faults, options: options,
      clock: clock)
    let application = Application(
      responder: responder, configuration: .init(address: .hostname("127.0.0.1", port: options.port), serverName: nil),
      onServerRunning: { channel in
        let port = channel.localAddress?.port ?? options.port
        responder.serve(on: port)
        onReady(port)
      }, logger: logger)
    let webhooks = Webhooks(store: store, faults: faults, options: options, clock: clock)
    store.start()
    defer { store.stop() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await application.run() }
      group.addTask { await webhooks.run() }
      defer { group.cancelAll() }
      do {
        try await group.next()
      } catch is CancellationError {
        // The way it ends.
      }
    }
  }
}

extension Moment {
  init(_ options: PaymentSimulator.Options) {
    let now = options.now()
    let today = CivilDate(daysSinceEpoch: Int((Double(now.seconds) / 86_400).rounded(.down)))
    self.init(
      seconds: now.seconds, milliseconds: Int64(Date().timeIntervalSince1970 * 1_000),
      month: today.year * 12 + today.month - 1, timetable: options.timetable)
  }
}
