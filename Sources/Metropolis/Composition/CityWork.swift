import Billing
import Database
import Identity
import Jobs
import Keys
import Kit
import Logging
import Notifications
import Records
import RelyingParty

/// What the city does by itself: the timetables of R20 and R27 that have work already, and the jobs.
struct CityWork: Sendable {
  let queue: JobQueue
  let identity: IdentityService
  let relyingParty: RelyingPartyService
  let billing: BillingService
  let finance: FinanceService
  let records: RecordsService
  let districts: Districts
  let mailSealer: Sealer
  /// `nil`: this process can't send mail, and leaves it to one that can.
  let mailer: SMTPMailer?
  let clock: DomainClock

  /// Civil times are the city's.
  static let timetable: [Scheduler.Entry] = [
    .init("sessions.purge", .daily(hour: 2, minute: 0), queue: housekeeping),
    .init("keys.rotate", .daily(hour: 2, minute: 30), queue: housekeeping),
    .init("partitions.ahead", .daily(hour: 3, minute: 0), queue: housekeeping),
    .init("requests.purge", .daily(hour: 3, minute: 30), queue: housekeeping),
    .init("jobs.trim", .every(.hours(1)), queue: housekeeping),
    .init("billing.tick", .every(.seconds(15)), queue: billingQueue),
    .init("finance.tick", .every(.hours(1)), queue: billingQueue),
  ]
  private static let billingQueue = JobQueue.Settings("billing", concurrency: 1, attempts: 3, lease: .seconds(600))
  private static let housekeeping = JobQueue.Settings("housekeeping", concurrency: 1, attempts: 3, lease: .seconds(600))

  private var queues: [JobQueue.Settings] { [QueuedMail.queue, CityWork.housekeeping, CityWork.billingQueue] }

  func worker(logger: Logger) -> QueueWorker {
    QueueWorker(
      queue: queue, settings: queues.filter { mailer != nil || $0.name != QueuedMail.queue.name }, handlers: handlers,
      logger: logger)
  }

  private var handlers: [String: QueueWorker.Handler] {
    [
      QueuedMail.kind: { [mailer, mailSealer] job in
        guard let mailer else { throw Problem(.unavailable) }
        try await QueuedMail.deliver(job, with: mailer, sealer: mailSealer)
      },
      "sessions.purge": { [identity, relyingParty, clock] _ in
        try await identity.purgeExpired(now: clock.now())
        try await relyingParty.purgeExpired(now: clock.now())
      },
      "keys.rotate": { [identity, clock] _ in try await identity.rotateKeys(now: clock.now()) },
      "billing.tick": { [billing] _ in try await billing.tick() },
      "finance.tick": { [finance] _ in try await finance.tick() },
      "partitions.ahead": { [records, billing, clock] _ in
        try await records.ensurePartitions(now: clock.now())
        try await billing.maintain()
      },
      "requests.purge": { [districts] _ in
        for tenant in districts.current.tenants {
          try await tenant.database.execute(
            "DELETE FROM \(tenant.stanza.schema).request_key WHERE made < now() - interval '7 days'")
        }
      },
      "jobs.trim": { [queue, queues] _ in for settings in queues { try await queue.trim(settings) } },
    ]
  }
}
