import Foundation
import HTTPTypes
import Kit
import NIOCore
import Testing
import Web

@testable import Gateway

@Suite("The store of answers") struct AnswerStoreTests {
  private func entry(
    _ path: String, size: Int = 1_000, scope: String = "jeju", tags: [String] = [], person: PersonID? = nil
  ) -> KeptEntry {
    let key = CacheKey(
      generation: 1, site: scope, path: path, language: .ko, owner: person.map { .person($0) } ?? .everyone)
    return KeptEntry(
      key: key, answer: KeptAnswer(status: .ok, headers: [:], body: ByteBuffer(repeating: 65, count: size)), route: path,
      rules: .init(), session: nil, scope: scope, tags: tags, made: .now, lifetime: .seconds(60))
  }

  private func has(_ store: AnswerStore, _ path: String, scope: String = "jeju") -> Bool {
    store.find(CacheKey(generation: 1, site: scope, path: path, language: .ko, owner: .everyone)) != nil
  }

  @Test("what it holds stays within its bytes, and what is too large for it isn't kept")
  func bounds() {
    var store = AnswerStore(bytes: 50_000)
    for number in 0..<500 {
      store.insert(entry("/\(number)"))
      #expect(store.bytes <= 50_000)
    }
    #expect(store.count > 20)
    #expect(store.evicted == 500 - store.count)
    let isKept = store.insert(entry("/large", size: 10_000))
    #expect(!isKept)
    #expect(!has(store, "/large"))
  }

  @Test("a scan of pages that are asked for once leaves what is asked for often")
  func scan() {
    var store = AnswerStore(bytes: 100_000)
    for number in 0..<20 { store.insert(entry("/hot/\(number)")) }
    for round in 0..<2_000 {
      if round.isMultiple(of: 10) { for number in 0..<20 { _ = has(store, "/hot/\(number)") } }
      store.insert(entry("/scan/\(round)"))
    }
    let left = (0..<20).count { has(store, "/hot/\($0)") }
    #expect(left == 20)
  }

  @Test("a tag takes what was made of it, in its own schema only")
  func tags() {
    var store = AnswerStore(bytes: 1_000_000)
    store.insert(entry("/questions", tags: ["questions"]))
    store.insert(entry("/questions/1", tags: ["question:1"]))
    store.insert(entry("/questions", scope: "busan", tags: ["questions"]))
    #expect(store.drop(scope: "jeju", tags: ["questions", "question:2"]) == 1)
    #expect(!has(store, "/questions"))
    #expect(has(store, "/questions/1"))
    #expect(has(store, "/questions", scope: "busan"))
    #expect(store.drop(scope: "jeju", tags: nil) == 1)
    #expect(!store.holds(scope: "jeju"))
    #expect(store.holds(scope: "busan"))
  }

  @Test("what is a person's goes with her, and with everybody's")
  func persons() {
    let (mina, hana) = (PersonID(UUID()), PersonID(UUID()))
    var store = AnswerStore(bytes: 1_000_000)
    store.insert(entry("/", person: mina))
    store.insert(entry("/", person: hana))
    store.insert(entry("/all"))
    #expect(store.drop(person: mina) == 1)
    #expect(store.count == 2)
    #expect(store.dropPersonal() == 1)
    #expect(has(store, "/all"))
  }

  @Test("dropped again and again, it keeps no rubbish: bytes are those of what it holds")
  func churn() {
    var store = AnswerStore(bytes: 1_000_000)
    for round in 0..<5_000 {
      store.insert(entry("/\(round % 7)", tags: ["t"]))
      if round.isMultiple(of: 3) { store.drop(scope: "jeju", tags: ["t"]) }
    }
    store.drop(scope: "jeju", tags: nil)
    #expect(store.bytes == 0)
    #expect(store.count == 0)
  }
}
