public import Kit

/// How a route's answers are kept between requests.
///
/// Only the JSON of a GET with status 200 is kept, and only when it sets no cookie and its handler looked at nothing of the
/// request but path, query, language and session. Pages are not kept: they carry tokens of their visitor.
///
/// An answer is current until one of its tags is touched (`Freshness`), in this process or another. Within `lifetime` it is
/// not made anew for any other reason, so what depends on the clock alone may be so old.
public struct Caching: Sendable {
  public enum Sharing: Sendable {
    /// One answer for all. An answer whose handler looked at the session is hers alone all the same.
    case everyone
    /// One answer per person, and one for those without a session.
    case person
  }

  public let lifetime: Duration
  public let sharing: Sharing
  /// What the answer is made of, in the module's own words: `questions`, `question:{id}` with parameters of the path, and
  /// `{person}` for the one who asks.
  public let tags: [String]

  public init(for lifetime: Duration, shared sharing: Sharing, tags: [String]) {
    self.lifetime = lifetime
    self.sharing = sharing
    self.tags = tags
  }

  /// The tags of one request's answer. A tag that names `{person}` is left out where nobody is signed in.
  public func tags(parameter: (Substring) -> String?, person: PersonID?) -> [String] {
    tags.compactMap { tag in
      guard tag.contains("{") else { return tag }
      var (result, rest) = ("", tag[...])
      while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
        let name = rest[rest.index(after: open)..<close]
        guard let value = name == "person" ? person?.description : parameter(name) else { return nil }
        result += rest[..<open] + value
        rest = rest[rest.index(after: close)...]
      }
      return result + rest
    }
  }
}
