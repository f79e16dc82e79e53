import Testing

@testable import Database

@Suite struct ReplicaStateTests {
  private let start = ContinuousClock.now
  private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }
  private func lsn(_ value: UInt64) -> ReadPosition { ReadPosition(lsn: value) }

  private func state(_ count: Int = 1, maxLag: Int = 1_000) -> ReplicaState {
    ReplicaState(count: count, maxLag: .milliseconds(maxLag), interval: .milliseconds(100))
  }

  /// The primary is asked, then each replica.
  private func measure(_ state: inout ReplicaState, primary: UInt64, replicas: [UInt64?], at time: Int) {
    state.didSample(lsn(primary), asked: at(time))
    for index in state.beginAsking(now: at(time)) {
      if let replayed = replicas[index] {
        state.didAnswer(index, .init(replayed: lsn(replayed), received: nil))
      } else {
        state.didNotAnswer(index, now: at(time), scatter: 1)
      }
    }
  }

  @Test func `What is not known is not used`() {
    var state = state()
    #expect(state.choose(after: nil, now: at(0)) == nil && state.primaryReads == 1)
    // Behind every place that the primary is known to have been at.
    measure(&state, primary: 500, replicas: [400], at: 0)
    #expect(state.choose(after: nil, now: at(0)) == nil)
    measure(&state, primary: 600, replicas: [500], at: 100)
    #expect(state.choose(after: nil, now: at(100)) == 0)
  }

  @Test func `The lag is the time since the primary was where the replica is`() {
    var state = state()
    for step in 0...20 {
      measure(&state, primary: UInt64(1_000 + step * 100), replicas: [UInt64(1_000 + max(0, step - 5) * 100)], at: step * 100)
    }
    #expect(state.status(of: 0, name: "r", now: at(2_000)).lag == .milliseconds(500))
    #expect(state.status(of: 0, name: "r", now: at(2_000)).bytesBehind == 500)
    #expect(state.choose(after: nil, now: at(2_500)) == 0)
    #expect(state.choose(after: nil, now: at(2_501)) == nil)
  }

  @Test func `An idle primary makes nobody lag, a measurement that is old does`() {
    var state = state()
    for time in stride(from: 0, through: 600_000, by: 500) { measure(&state, primary: 700, replicas: [700], at: time) }
    #expect(state.choose(after: nil, now: at(600_500)) == 0)
    #expect(state.choose(after: nil, now: at(601_001)) == nil)
  }

  @Test func `A replica that is cut off has all it received, and lags`() {
    var state = state()
    measure(&state, primary: 700, replicas: [700], at: 0)
    for step in 1...20 { measure(&state, primary: UInt64(700 + step), replicas: [700], at: step * 100) }
    #expect(state.choose(after: nil, now: at(2_000)) == nil)
    #expect(state.status(of: 0, name: "r", now: at(2_000)).lag == .seconds(2))
  }

  @Test func `Who has written reads where it is to be seen`() {
    var state = state(2)
    measure(&state, primary: 900, replicas: [900, 850], at: 0)
    measure(&state, primary: 950, replicas: [950, 900], at: 100)
    for _ in 1...10 {
      #expect(state.choose(after: lsn(950), now: at(100)) == 0)
      state.didRead(from: 0)
    }
    #expect(state.choose(after: lsn(951), now: at(100)) == nil)
    #expect(Set((1...2).map { _ in state.choose(after: lsn(900), now: at(100)) }) == [0, 1])
  }

  @Test func `Reads go by turns, and to the one that has least to do`() {
    var state = state(3)
    measure(&state, primary: 900, replicas: [900, 900, 900], at: 0)
    let firsts = (1...3).compactMap { _ in state.choose(after: nil, now: at(0)) }
    #expect(firsts.sorted() == [0, 1, 2])
    state.didRead(from: 1)
    #expect(state.choose(after: nil, now: at(0)) == 1)
  }

  @Test func `One that went away is left alone until it answers, asked after a back-off`() {
    var state = state(2)
    measure(&state, primary: 900, replicas: [900, 900], at: 0)
    state.didFail(0, isUnavailable: true, now: at(10), scatter: 1)
    for _ in 1...4 { #expect(state.choose(after: nil, now: at(10)) == 1) }
    state.didSample(lsn(900), asked: at(20))
    #expect(state.beginAsking(now: at(20)) == [1])
    state.didAnswer(1, .init(replayed: lsn(900)))
    #expect(state.beginAsking(now: at(70)) == [0, 1])
    state.didNotAnswer(0, now: at(70), scatter: 1)
    state.didAnswer(1, .init(replayed: lsn(900)))
    #expect(state.beginAsking(now: at(160)) == [1])
    #expect(state.beginAsking(now: at(170)) == [0])
    state.didAnswer(0, .init(replayed: lsn(900)))
    #expect(
      state.status(of: 0, name: "r", now: at(170))
        == ReplicaStatus(
          name: "r", isUsed: true, isReachable: true, lag: .milliseconds(150), bytesBehind: 0, bytesToReplay: nil, reads: 0,
          fallBacks: 1))
  }

  @Test func `One check at a time, and not sooner than the interval`() {
    var state = state()
    #expect(state.beginCheck(now: at(0)) && !state.beginCheck(now: at(99)) && state.beginCheck(now: at(100)))
    #expect(state.beginAsking(now: at(0)) == [0] && state.beginAsking(now: at(0)) == [])
  }

  @Test func `A place in the log is read and written as PostgreSQL does`() {
    #expect(ReadPosition("16/B374D848")?.lsn == 0x16_B374_D848)
    #expect(ReadPosition("0/0")?.description == "0/0" && ReadPosition("FFFFFFFF/FFFFFFFF")?.lsn == .max)
    for text in ["", "16", "16/", "/1", "1/2/3", "g/1", "1/123456789", "+1/1", " 1/1", "-1/1"] {
      #expect(ReadPosition(text) == nil, "\(text)")
    }
    #expect(ReadPosition("0/2")! < ReadPosition("0/A")! && ReadPosition("0/FFFFFFFF")! < ReadPosition("1/0")!)
    // Behind a page's header nothing has been written yet.
    #expect(ReadPosition(insertedUpTo: 0x300_0028) == lsn(0x300_0000))
    #expect(ReadPosition(insertedUpTo: 0x300_2018) == lsn(0x300_2000))
    #expect(ReadPosition(insertedUpTo: 0x300_2060) == lsn(0x300_2060))
  }
}
