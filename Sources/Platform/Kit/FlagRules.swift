/// The feature flags of a city (R14): which change is on for whom.
///
/// A flag is on for someone at a tenant it names (any, when it names none) who has one of its roles, or falls into its
/// share. The share is by a stable number of each person and flag: who was in at 10% is in at 20%, on every node, in every
/// release, and two flags don't pick the same people.
public struct FlagRules: Sendable, Hashable {
  public struct Flag: Sendable, Hashable {
    public let name: String
    /// `nil`: everywhere, the city's own pages too.
    public let tenants: Set<TenantID>?
    /// Who has one of these has it, whatever the share.
    public let roles: Set<String>
    /// Of everyone, in hundredths of a percent: 0 to 10,000.
    public let share: Int
    /// What changes, for those who decide.
    public let about: String

    public init(_ name: String, tenants: Set<TenantID>? = nil, roles: Set<String> = [], share: Int, about: String = "") {
      (self.name, self.tenants, self.roles, self.share, self.about) = (name, tenants, roles, share, about)
    }
  }

  /// Hundredths of a percent in all.
  public static let whole = 10_000

  /// In written order.
  public let flags: [Flag]
  private let byName: [String: Flag]

  public init(_ flags: [Flag] = []) {
    self.flags = flags
    byName = Dictionary(flags.map { ($0.name, $0) }) { first, _ in first }
  }

  public subscript(name: String) -> Flag? { byName[name] }

  /// Whether a flag is on.
  ///
  /// - Parameters:
  ///   - tenant: where it is asked; `nil` for the city's own pages.
  ///   - subject: who asks: a person's id, or what else tells a visitor from others for a while. Without one only a flag
  ///     for everyone is on by its share. Read where a share decides, only then.
  /// - Returns: `nil` for a flag that isn't declared.
  public func isOn(
    _ name: String, at tenant: TenantID?, roles: @autoclosure () -> Set<String>, subject: @autoclosure () -> String?
  ) -> Bool? {
    guard let flag = byName[name] else { return nil }
    if let tenants = flag.tenants {
      guard let tenant, tenants.contains(tenant) else { return false }
    }
    if flag.share >= FlagRules.whole || (!flag.roles.isEmpty && !flag.roles.isDisjoint(with: roles())) { return true }
    guard flag.share > 0, let subject = subject() else { return false }
    return FlagRules.bucket(name, subject) < flag.share
  }

  /// A number from 0 to 9,999 that a flag and a subject always have.
  public static func bucket(_ name: String, _ subject: String) -> Int {
    // FNV-1a, then the finaliser of MurmurHash3: FNV's low bits alone are not even enough to be cut by a remainder.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    // No text holds this byte: "ab" + "c" is not "a" + "bc".
    hash = (hash ^ 0xFF) &* 0x100_0000_01b3
    for byte in subject.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
    hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    return Int((hash ^ (hash >> 33)) % UInt64(whole))
  }
}

extension FlagRules {
  /// Reads the section `flags`: `new-search: {tenants: [jeju], roles: [operator], share: 10, about: …}`.
  ///
  /// `share` is a percentage with two digits after the point at most. Without it the flag is for everyone, or, when it
  /// names roles, for those only.
  public init(reading section: ConfigSection?, tenants: [TenantID]) {
    let known = tenants.map(\.text).joined(separator: ", ")
    self.init(
      (section?.keys ?? []).compactMap { name in
        guard let stanza = section?.section(name) else { return nil }
        if !FlagRules.isName(name) {
          section?.note(
            name, found: "the name “\(name)”",
            expected: "lower-case letters, digits, hyphens and dots, a letter first, 64 at most")
        }
        let places = stanza.has("tenants") ? stanza.strings("tenants") : nil
        for place in places ?? [] where !tenants.contains(where: { $0.text == place }) {
          stanza.note("tenants", found: "the tenant “\(place)”", expected: "some of \(known)")
        }
        if places?.isEmpty == true {
          stanza.note("tenants", found: "an empty list", expected: "one tenant at least; leave it out for all")
        }
        let roles = Set(stanza.strings("roles", default: []) ?? [])
        let everyone = roles.isEmpty ? FlagRules.whole : 0
        let share = stanza.value(
          "share", "a percentage from 0 to 100, with two digits after the point at most", default: everyone
        ) {
          FlagRules.hundredths($0)
        }
        return Flag(
          name, tenants: places.map { Set($0.compactMap { TenantID($0) }) }, roles: roles, share: share ?? 0,
          about: stanza.string("about", "what changes, in a few words") ?? "")
      })
  }

  /// Reads `10`, `2.5` or `0.25`.
  private static func hundredths(_ text: String) -> Int? {
    let halves = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard halves.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }), let percent = Int(halves[0]),
      percent <= 100
    else { return nil }
    let digits = halves.count == 2 ? halves[1] : ""
    guard digits.count <= 2, let rest = Int((digits + "00").prefix(2)) else { return nil }
    let value = percent * 100 + rest
    return value <= whole ? value : nil
  }

  private static func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first, (97...122).contains(first), text.utf8.count <= 64 else { return false }
    return text.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 46 }
  }
}
