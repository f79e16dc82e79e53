import Database
import Foundation
import HTTPClient
import HTTPTypes
import Hummingbird
import Kit
import Logging
import NIOCore
import Synchronization
import Testing

@testable import Billing

/// The whole way over real connections, to the real simulator.
@Suite struct SimulatorGatewayTests {
  /// Every request we make, and every place its line can break.
  static let requests = [("POST", "/v1/checkouts"), ("POST", "/v1/payments"), ("GET", "/v1/payments"), ("POST", "/v1/refunds")]

  @Test(arguments: requests, ["before", "after", "mid-answer"])
  func nothingIsPaidTwiceOrForgottenWhereverTheLineIsCut(_ request: (method: String, path: String), _ cut: String) async throws {
    try await withPayments { bench in
      try await withSimulator(clock: bench.clock.domain) { simulator in
        func service() -> PaymentService { bench.restarted(simulator.gateway) }
        func reconcile() async throws {
          for _ in 0..<6 {
            bench.wait(.minutes(2))
            try await service().reconcile()
          }
        }
        try await simulator.cut(request.method, request.path, cut, cut)
        // A first payment on the gateway's page: she presses the button until there is one.
        let first = try await bench.invoice()
        var page: Payment?
        for _ in 0..<3 where page?.checkoutURL == nil { page = try? await bench.checkout(first, by: service()) }
        #expect(try await simulator.pay(page?.checkoutURL) == 303)
        _ = try await service().look(at: try #require(page).id)
        try await reconcile()
        // Her saved card is charged for the next one, and for one that is not wanted any more.
        let second = try await bench.invoice()
        _ = try await service().charge(invoice: second, account: bench.account, amount: Money(19_900, .krw))
        try await reconcile()
        bench.settler.isWanted.withLock { $0 = false }
        let third = try await bench.invoice()
        _ = try await service().charge(invoice: third, account: bench.account, amount: Money(5_000, .krw))
        try await reconcile()

        for invoice in [first, second, third] {
          #expect(try await bench.settled(invoice) == 1)
          #expect(try await bench.service.payments(of: invoice).map(\.state) == [.succeeded])
        }
        let census = try await simulator.census()
        #expect(census.succeeded.count == 3 && census.succeeded.values.allSatisfy { $0 == 1 })
        #expect(Array(census.refunds.values) == [1])
        #expect(try await bench.refunds().map(\.state) == ["succeeded"])
        #expect(try await bench.cash(at: "simulator") == 39_800)
        #expect(try await bench.receivable() == -39_800)
        #expect(try await bench.ledger.trialBalance().isBalanced)
      }
    }
  }

  @Test func cardsThatDeclineAndBanksThatTakeTheirTime() async throws {
    try await withPayments { bench in
      try await withSimulator(clock: bench.clock.domain) { simulator in
        let service = bench.restarted(simulator.gateway)
        let invoice = try await bench.invoice()
        let page = try await bench.checkout(invoice, by: service)
        #expect(try await simulator.pay(page.checkoutURL, with: .declined) == 402)
        #expect(try await service.look(at: page.id).failure == "card_declined")
        #expect(try await simulator.pay(page.checkoutURL, with: .declinedLater) == 303)
        #expect(try await service.look(at: page.id).state == .succeeded)
        #expect(try await service.method(of: bench.account)?.last4 == "0341")
        // This card is declined when nobody sits before it.
        let renewal = try await bench.invoice()
        let charge = try await service.charge(invoice: renewal, account: bench.account, amount: Money(19_900, .krw))
        #expect(charge?.state == .failed && charge?.failure == "card_declined")
        #expect(try await bench.failures(renewal) == 1)
        // By hand, with a card whose bank decides later.
        let byHand = try await bench.checkout(renewal, by: service)
        #expect(try await simulator.pay(byHand.checkoutURL, with: .pending) == 303)
        #expect(try await service.look(at: byHand.id).state == .pending)
        try await Task.sleep(for: .seconds(1))
        #expect(try await service.look(at: byHand.id).state == .succeeded)
        #expect(try await service.method(of: bench.account)?.last4 == "3220")
        #expect(try await bench.cash(at: "simulator") == 39_800)
      }
    }
  }

  @Test func webhooksComeTwiceAndLateAndSettleOnce() async throws {
    try await withPayments { bench in
      // The shop's server; where it sends its service is known only when the simulator runs.
      let service = Mutex<PaymentService?>(nil)
      let (ports, found) = AsyncStream.makeStream(of: Int.self)
      let shop = Application(
        responder: CallbackResponder<BasicRequestContext> { request, _ in
          guard let service = service.withLock({ $0 }) else { return Response(status: .serviceUnavailable) }
          return await (try PaymentSite(bench, service: service)).respond(to: request)
        }, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { found.yield($0.localAddress?.port ?? 0) },
        logger: Logger(label: "shop") { _ in SwiftLogNoOpLogHandler() })
      let running = Task { try await shop.run() }
      defer { running.cancel() }
      var port = 0
      for await found in ports {
        port = found
        break
      }
      try await withSimulator(clock: bench.clock.domain, webhookURL: "http://127.0.0.1:\(port)/payments/webhook") { simulator in
        service.withLock { $0 = bench.restarted(simulator.gateway) }
        var invoices: [UUID] = []
        for _ in 0..<4 {
          let invoice = try await bench.invoice()
          invoices.append(invoice)
          try await simulator.pay(try await bench.checkout(invoice, by: bench.restarted(simulator.gateway)).checkoutURL)
        }
        // Nobody comes back to us and nobody reconciles: the webhooks do it.
        for _ in 0..<100 where try await bench.entries("payment") < 4 { try await Task.sleep(for: .milliseconds(50)) }
        try await Task.sleep(for: .milliseconds(700))
        for invoice in invoices { #expect(try await bench.settled(invoice) == 1) }
        let deliveries: Int64 = try await bench.database.one(
          "SELECT sum(deliveries)::bigint FROM \(Bench.schema).gateway_event")!.get(0)
        #expect(try await bench.count("gateway_event") == 4)
        #expect(deliveries == 6)
        #expect(try await bench.cash(at: "simulator") == 4 * 19_900)
      }
    }
  }

  @Test func aPageLostAndAskedForInOtherWordsIsReplaced() async throws {
    try await withPayments { bench in
      try await withSimulator(clock: bench.clock.domain) { simulator in
        let service = bench.restarted(simulator.gateway)
        let invoice = try await bench.invoice()
        try await simulator.cut("POST", "/v1/checkouts", "after")
        await #expect(throws: Problem(.unavailable, retryAfter: 5)) { try await bench.checkout(invoice, by: service) }
        let page = try await service.checkout(
          invoice: invoice, account: bench.account, amount: Money(19_900, .krw), description: "Student, monthly",
          returnURL: { "http://city.localhost:8080/payments/\($0.text)/return" }, language: .en)
        #expect(Set(try await service.payments(of: invoice).map(\.state)) == [.abandoned, .created])
        #expect(try await simulator.pay(page.checkoutURL) == 303)
        #expect(try await service.look(at: page.id).state == .succeeded)
      }
    }
  }

  @Test func aGatewayThatIsAwayOrSendsUsAwayChangesNothing() async throws {
    try await withPayments { bench in
      try await withSimulator(clock: bench.clock.domain) { simulator in
        let invoice = try await bench.invoice()
        let stranger = SimulatorGateway(
          baseURL: simulator.url, key: "wrong", webhookSecret: RunningSimulator.secret, client: simulator.client)
        let nowhere = SimulatorGateway(
          baseURL: "http://127.0.0.1:1", key: RunningSimulator.key, webhookSecret: RunningSimulator.secret,
          client: simulator.client)
        for gateway in [stranger, nowhere] {
          await #expect(throws: Problem(.unavailable, retryAfter: 5)) {
            try await bench.checkout(invoice, by: bench.restarted(gateway))
          }
          await #expect(throws: GatewayFailure.self) { try await gateway.payments(reference: UUID()) }
        }
        let page = try await bench.checkout(invoice, by: bench.restarted(simulator.gateway))
        try await simulator.pay(page.checkoutURL)
        for gateway in [stranger, nowhere] {
          #expect(try await bench.restarted(gateway).look(at: page.id).state == .created)
        }
        #expect(try await bench.restarted(simulator.gateway).look(at: page.id).state == .succeeded)
        #expect(try await bench.service.payments(of: invoice).count == 1)
      }
    }
  }

  @Test func bothSidesMayRestartBetweenEveryTwoSteps() async throws {
    try await withPayments { bench in
      let journal = NSTemporaryDirectory() + "simulator-\(UUID().uuidString).journal"
      defer { try? FileManager.default.removeItem(atPath: journal) }
      func step<R>(_ body: (RunningSimulator, PaymentService) async throws -> R) async throws -> R {
        var result: R?
        try await withSimulator(journal: journal, clock: bench.clock.domain) {
          result = try await body($0, bench.restarted($0.gateway))
        }
        return try #require(result)
      }
      bench.settler.isWanted.withLock { $0 = false }
      let invoice = try await bench.invoice()
      let page = try await step { simulator, service in
        let page = try await bench.checkout(invoice, by: service)
        try await simulator.pay(page.checkoutURL)
        return page
      }
      let settled = try await step { _, service in try await service.look(at: page.id) }
      #expect(settled.state == .succeeded)
      bench.wait(.minutes(1))
      try await step { simulator, service in
        try await simulator.cut("POST", "/v1/refunds", "after")
        try await service.reconcile()
      }
      #expect(try await bench.refunds().map(\.state) == ["created"])
      bench.wait(.minutes(5))
      let refunds = try await step { simulator, service in
        try await service.reconcile()
        return try await simulator.census().refunds
      }
      #expect(Array(refunds.values) == [1])
      #expect(try await bench.refunds().map(\.state) == ["succeeded"])
      #expect(try await bench.cash(at: "simulator") == 0)
    }
  }
}
