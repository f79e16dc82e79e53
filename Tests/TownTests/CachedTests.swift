import Testing

@testable import Town

@Suite struct CachedTests {
  private struct Failed: Error {}

  @Test func aForgottenValueIsLoadedFromWhereTheChangeIsSeen() async throws {
    let cached = Cached<Bool>(for: .seconds(60))
    let first = try await cached.value { $0 }
    #expect(!first)
    await cached.forget()
    await #expect(throws: Failed.self) { try await cached.value { _ in throw Failed() } }
    // A load that failed has shown nobody the change.
    let second = try await cached.value { $0 }
    #expect(second)
    let kept = try await cached.value { _ in false }
    #expect(kept)
  }

  @Test func aLoadThatBeganBeforeTheChangeIsNotKept() async throws {
    let cached = Cached<String>(for: .seconds(60))
    let (began, begin) = AsyncStream.makeStream(of: Void.self)
    let (released, release) = AsyncStream.makeStream(of: Void.self)
    let early = Task {
      try await cached.value { _ in
        begin.yield()
        for await _ in released { break }
        return "before"
      }
    }
    for await _ in began { break }
    await cached.forget()
    let after = try await cached.value { $0 ? "after" : "unseen" }
    #expect(after == "after")
    release.yield()
    let answer = try await early.value
    #expect(answer == "before")
    let kept = try await cached.value { _ in "new" }
    #expect(kept == "after")
  }
}
