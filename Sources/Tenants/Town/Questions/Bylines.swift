import Kit
import TenantKit
import Web

/// Who wrote what, as pages and programs show it.
struct AuthorView: Encodable, Sendable {
  let name: String
  /// Her account is gone; what she left is without a name.
  let isGone: Bool
}

/// The names under the texts of one page.
struct Bylines: Sendable {
  private let names: [PersonID: String]?
  private let visit: Visit

  func author(_ person: PersonID?) -> AuthorView {
    // Not knowing a name because the directory is away must not say that the person left.
    guard let names else { return AuthorView(name: visit.text("town.person.unknown"), isGone: false) }
    guard let person, let name = names[person] else { return AuthorView(name: visit.text("town.person.gone"), isGone: true) }
    return AuthorView(name: name, isGone: false)
  }

  fileprivate init(names: [PersonID: String]?, visit: Visit) {
    self.names = names
    self.visit = visit
  }
}

extension Town {
  func bylines(of people: [PersonID?], _ visit: Visit) async -> Bylines {
    let people = Set(people.compactMap { $0 })
    guard !people.isEmpty else { return Bylines(names: [:], visit: visit) }
    return Bylines(names: try? await services.people.names(people), visit: visit)
  }
}
