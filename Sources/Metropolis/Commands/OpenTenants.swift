import Kit

/// Which tenants of a city are served, in words. One that should be open and whose schema is not where this release needs it is
/// refused: it is named, and not counted.
struct OpenTenants {
  let served: Int
  let refused: [String]

  init(_ snapshot: Snapshot) {
    let open = snapshot.open.map(\.stanza.id)
    refused = open.filter { snapshot.refusals[$0] != nil }.map(\.text)
    served = open.count - refused.count
  }

  /// `18 tenants are open.`, and a line on those that are not served.
  var text: String {
    let open = "\(served) \(served == 1 ? "tenant is" : "tenants are") open."
    guard !refused.isEmpty else { return open }
    // Of very many the first are enough to know what happened.
    let names = refused.prefix(20).joined(separator: ", ") + (refused.count > 20 ? " and \(refused.count - 20) more" : "")
    let verb = refused.count == 1 ? "is not served: its schema is" : "are not served: their schemas are"
    return "\(open)\n\(refused.count) \(verb) not as this release needs it: \(names)."
  }
}
