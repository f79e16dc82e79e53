import Foundation
import HTTPTypes
import Kit
public import Web

extension LedgerExport {
  /// For the console's site.
  public var routes: [SiteRouter.Route] { LedgerExport.endpoints.map { SiteRouter.Route($0, of: self) } }

  static let endpoints: [Endpoint<LedgerExport>] = [
    .get(
      "/finance/{month}/export",
      EndpointRules(
        access: .role("finance@city"), limit: "list",
        operation: Operation(
          "exportLedger",
          "The postings of a month (YYYY-MM), as a file. It is whole and balanced, or a problem. The header \(stateHeader) says "
            + "provisional, open or closed; that of a closed month has its SHA-256 in \(digestHeader).",
          query: [
            Operation.Parameter("format", "What reads it", .choice(Format.allCases.map(\.rawValue)))
          ], problems: [.invalidInput]))
    ) { export, visit in try await export.answer(visit) }
  ]

  private static let stateHeader = HTTPField.Name("Ledger-Month-State")!
  private static let digestHeader = HTTPField.Name("Ledger-Month-Digest")!

  private func answer(_ visit: Visit) async throws -> Answer {
    var refused: [Problem.Field] = []
    let month = Month(visit.parameter("month") ?? "")
    if month == nil { refused.append(Problem.Field("month", "type", ["expected": "YYYY-MM"])) }
    let format = Format(rawValue: visit.query("format") ?? "")
    if format == nil {
      let allowed = Format.allCases.map(\.rawValue).joined(separator: ", ")
      refused.append(Problem.Field("format", "choice", ["allowed": allowed]))
    }
    guard let month, let format else { throw Problem(.invalidInput, fields: refused) }
    // Made before it is sent: a slow client must not hold a snapshot, nor get half of what then turns out unbalanced.
    let (summary, file) = try await temporary(month, format)
    let answer = Answer.stream(contentType: format.contentType, length: file.length) { writer in
      try await file.read { try await writer.write($0) }
    }
    .header(.contentDisposition, "attachment; filename=\"\(summary.fileName(format))\"")
    .header(LedgerExport.stateHeader, summary.state.name)
    guard case .closed(let closed) = summary.state else { return answer }
    return answer.header(LedgerExport.digestHeader, closed.digest.hex)
  }
}
