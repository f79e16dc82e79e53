import Foundation
import Kit

/// Where a page of the list ended: the sort key of its last question, so that new questions don't shift the next page.
///
/// Opaque to clients: the order, its rank, the time and the id, in base64url (RFC 4648 §5).
struct QuestionCursor: Hashable, Sendable {
  let order: QuestionOrder
  /// Popularity, or 1 for a pressing question; 0 in the order of time.
  let rank: Int
  let created: Instant
  let id: UUID

  init(order: QuestionOrder, rank: Int, created: Instant, id: UUID) {
    self.order = order
    self.rank = rank
    self.created = created
    self.id = id
  }

  init(_ question: Question, in order: QuestionOrder) {
    let rank =
      switch order {
      case .newest: 0
      case .popular: question.popularity
      case .urgent: question.isPressing ? 1 : 0
      }
    self.init(order: order, rank: rank, created: question.created, id: question.id)
  }

  var text: String {
    var data = Data([order.code])
    withUnsafeBytes(of: Int64(rank).bigEndian) { data.append(contentsOf: $0) }
    withUnsafeBytes(of: created.microseconds.bigEndian) { data.append(contentsOf: $0) }
    withUnsafeBytes(of: id.uuid) { data.append(contentsOf: $0) }
    return data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
  }

  /// `nil` for what isn't a cursor of this list.
  init?(_ text: String) {
    guard text.utf8.count == 44,
      let data = Data(base64Encoded: text.replacing("-", with: "+").replacing("_", with: "/")), data.count == 33,
      let order = QuestionOrder.allCases.first(where: { $0.code == data[0] })
    else { return nil }
    func integer(at offset: Int) -> Int64 {
      data[offset..<offset + 8].reduce(0) { $0 << 8 | Int64($1) }
    }
    // Within what PostgreSQL's times and our ranks can be, so that a made-up cursor is an empty page and no error.
    let (rank, created) = (integer(at: 1), integer(at: 9))
    guard (0...Int64(Int32.max)).contains(rank), (0...4_102_444_800_000_000).contains(created) else { return nil }
    var id: uuid_t = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    withUnsafeMutableBytes(of: &id) { $0.copyBytes(from: data[17..<33]) }
    self.init(order: order, rank: Int(rank), created: Instant(microseconds: created), id: UUID(uuid: id))
  }
}

enum QuestionOrder: String, CaseIterable, Sendable {
  case newest
  /// Most answers and likes first (R37).
  case popular
  /// Urgent and unresolved first, then the others.
  case urgent

  fileprivate var code: UInt8 {
    switch self {
    case .newest: 1
    case .popular: 2
    case .urgent: 3
    }
  }
}
