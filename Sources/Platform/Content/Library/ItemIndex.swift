/// The library in memory: items by id, and by package and topic in the order of difficulty.
struct ItemIndex: Sendable {
  /// The items of one package, as one version has them.
  struct Shelf: Sendable {
    var stamp: Stamp
    /// Those that are given.
    var items: [LibraryItem]
    /// Those that are only shown to who has met them.
    var withdrawn: [LibraryItem]
    /// Those of a path, in any order.
    var lessons: [LibraryLesson] = []
  }

  /// What tells one state of a package from another.
  struct Stamp: Hashable, Sendable {
    let version: Int
    let digest: [UInt8]
  }

  private struct Row: Sendable {
    let subject: String
    let topic: String
    /// By difficulty, then id.
    var items: [LibraryItem]
  }

  let shelves: [String: Shelf]
  private let byID: [String: LibraryItem]
  private let rows: [String: [Row]]

  init(_ shelves: [String: Shelf] = [:]) {
    self.shelves = shelves
    var byID: [String: LibraryItem] = [:]
    var rows: [String: [Row]] = [:]
    // Withdrawn ones first: where an item has moved to another package, the one that is given wins.
    for shelf in shelves.values { for item in shelf.withdrawn { byID[item.id] = item } }
    for (package, shelf) in shelves {
      for item in shelf.items { byID[item.id] = item }
      let topics = Dictionary(grouping: shelf.items) { [$0.subject, $0.topic] }
      rows[package] = topics.map { names, items in
        Row(
          subject: names[0], topic: names[1],
          items: items.sorted { ($0.difficulty, $0.id) < ($1.difficulty, $1.id) })
      }.sorted { ($0.subject, $0.topic) < ($1.subject, $1.topic) }
    }
    self.byID = byID
    self.rows = rows
  }

  var stamps: [String: Stamp] { shelves.mapValues(\.stamp) }

  func item(_ id: String) -> LibraryItem? { byID[id] }

  /// Items not among `seen`, nearest to `difficulty` first; ties by id.
  func items(
    packages: [String], topic: String?, near difficulty: Double, excluding seen: Set<String>, limit: Int
  )
    -> [LibraryItem]
  {
    guard limit > 0 else { return [] }
    var nearest: [LibraryItem] = []
    for package in Set(packages) {
      for row in rows[package] ?? [] where topic == nil || row.topic == topic {
        nearest += ItemIndex.nearest(in: row.items, to: difficulty, excluding: seen, limit: limit)
      }
    }
    func order(_ item: LibraryItem) -> (Double, String) { (abs(item.difficulty - difficulty), item.id) }
    return Array(nearest.sorted { order($0) < order($1) }.prefix(limit))
  }

  /// Walks outward from the place of `difficulty` in a sorted row, so that a long row costs no more than what is taken.
  private static func nearest(
    in items: [LibraryItem], to difficulty: Double, excluding seen: Set<String>, limit: Int
  ) -> [LibraryItem] {
    var (low, high) = (0, items.count)
    while low < high {
      let middle = (low + high) / 2
      if items[middle].difficulty < difficulty { low = middle + 1 } else { high = middle }
    }
    var (below, above) = (low - 1, low)
    var found: [LibraryItem] = []
    // Equal distances at the edge are all looked at, or the order by id would depend on the side they lie on.
    var edge = Double.infinity
    while below >= 0 || above < items.count {
      let belowDistance = below >= 0 ? difficulty - items[below].difficulty : .infinity
      let aboveDistance = above < items.count ? items[above].difficulty - difficulty : .infinity
      guard min(belowDistance, aboveDistance) <= edge else { break }
      let index = belowDistance < aboveDistance ? below : above
      if belowDistance < aboveDistance { below -= 1 } else { above += 1 }
      guard !seen.contains(items[index].id) else { continue }
      found.append(items[index])
      if found.count == limit { edge = min(belowDistance, aboveDistance) }
    }
    return found
  }

  /// The lessons of some packages, one package after the other, each in the order of its path.
  func lessons(packages: [String]) -> [LibraryLesson] {
    packages.flatMap { package in (shelves[package]?.lessons ?? []).sorted { ($0.order, $0.id) < ($1.order, $1.id) } }
  }

  /// Topics with how many items each has, by subject and topic.
  func topics(packages: [String]) -> [(subject: String, topic: String, count: Int)] {
    var counts: [[String]: Int] = [:]
    for package in Set(packages) {
      for row in rows[package] ?? [] { counts[[row.subject, row.topic], default: 0] += row.items.count }
    }
    return counts.map { ($0[0], $0[1], $1) }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
  }
}
