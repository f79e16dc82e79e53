import Foundation
import Synchronization

/// The book and its journal: every act is applied and appended in one step, and answered when the disk has it.
final class Store: Sendable {
  private let book: Mutex<Book>
  private let journal: Journal

  init(journal path: String) throws {
    var book = Book()
    let decoder = JSONDecoder()
    journal = try Journal(path: path) { line in
      for entry in try decoder.decode([Entry].self, from: line) { book.apply(entry) }
    }
    self.book = Mutex(book)
  }

  func start() { journal.start() }
  func stop() { journal.stop() }

  /// Reads or changes the book. Waits for the disk in either case: nobody may be told what a crash could take back.
  func act<Value: Sendable>(_ body: (inout Book) throws -> Value) async throws -> Value {
    let (result, position) = book.withLock { book in
      let result = Result { try body(&book) }
      let entries = book.takeRecorded()
      // Entries are plain values; their encoding can't fail.
      guard !entries.isEmpty, let line = try? Store.encode(entries) else { return (result, journal.position) }
      return (result, journal.append(line))
    }
    try await journal.durable(position)
    return try result.get()
  }

  /// For what is not in the journal: which deliveries are under way.
  func look<Value: Sendable>(_ body: (inout sending Book) -> sending Value) -> Value { book.withLock(body) }

  private static func encode(_ entries: [Entry]) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(entries)
  }
}
