public import Database
public import Kit

/// The shared content library: packages of exercises, written once and read by every tenant (R5).
///
/// Data files are loaded into the library's schema; what is asked of it is answered from memory.
public struct ContentService: Sendable {
  public static var resources: [String: String] { Embedded.files }

  /// Those of the library's schema.
  public static var migrations: [Migration] {
    get throws { try Migration.read(Embedded.files.filter { $0.key.hasSuffix(".sql") }) }
  }

  private let database: Database
  private let store: PackageStore
  private let clock: DomainClock
  private let cache: ItemCache

  /// - Parameter freshness: how long a load by another process may go unnoticed.
  public init(database: Database, schema: Schema, clock: DomainClock = .system, freshness: Duration = .seconds(2)) {
    let store = PackageStore(schema: schema)
    self.database = database
    self.store = store
    self.clock = clock
    cache = ItemCache(freshness: freshness) { known in try await ContentService.read(known, store, database) }
  }

  // MARK: Loading

  /// Loads every package folder of a directory. A version that is there already is left as it is; of a newer one, new and
  /// changed items are written and missing ones withdrawn, each package in one transaction.
  ///
  /// - Throws: ``Kit/ConfigMistakes`` with all mistakes of all files, and nothing is loaded; ``Database/DatabaseError``.
  public func load(directory: String) async throws -> LoadReport {
    let read = try PackageReader.read(directory: directory)
    let digests = try await checked(read)
    var loaded: [LoadReport.Loaded] = []
    for (read, digest) in zip(read, digests) {
      loaded.append(try await load(read.package, digest: digest))
    }
    try await cache.reload()
    return LoadReport(packages: loaded)
  }

  /// What only the database knows: whether a version was changed without a new number, and whether an id is taken.
  /// - Returns: the digest of each package.
  private func checked(_ packages: [PackageReader.Read]) async throws -> [[UInt8]] {
    let stamps = try await store.stamps(database)
    var digests: [[UInt8]] = []
    var mistakes: [ConfigMistake] = []
    for read in packages {
      let digest = try await store.digest(read.bytes, database)
      digests.append(digest)
      if let stamp = stamps[read.package.id], stamp.version == read.package.version, stamp.digest != digest {
        mistakes.append(
          ConfigMistake(
            file: read.file, line: read.versionLine, key: "version",
            found: "\(stamp.version) with other content than the version \(stamp.version) that is loaded",
            expected: "\(stamp.version + 1) or higher: every change raises it"))
      }
    }
    let ids = packages.map(\.package.id)
    for read in packages {
      let strangers = try await store.strangers(read.package.items.map(\.id), packages: ids, database)
      for (id, package) in strangers.sorted(by: { $0.key < $1.key }) {
        mistakes.append(
          ConfigMistake(
            file: read.file, line: 1, key: "items", found: "“\(id)”, which the loaded package \(package) has",
            expected: "ids that no other package has"))
      }
      let taken = try await store.lessonStrangers(read.package.lessons.map(\.id), packages: ids, database)
      for (id, package) in taken.sorted(by: { $0.key < $1.key }) {
        mistakes.append(
          ConfigMistake(
            file: read.file, line: 1, key: "lessons", found: "“\(id)”, which the loaded package \(package) has",
            expected: "ids that no other package has"))
      }
    }
    guard mistakes.isEmpty else { throw ConfigMistakes(mistakes) }
    return digests
  }

  private func load(_ package: Package, digest: [UInt8]) async throws -> LoadReport.Loaded {
    let (store, now) = (store, clock.now())
    return try await database.transaction { transaction in
      var loaded = LoadReport.Loaded(package: package)
      try await store.lock(package.id, transaction)
      if let stamp = try await store.stamp(package.id, transaction), stamp.version >= package.version {
        loaded.keptVersion = stamp.version > package.version ? stamp.version : nil
        loaded.unchanged = package.count
        return loaded
      }
      try await store.save(package, digest: digest, at: now, transaction)
      (loaded.new, loaded.changed) = try await store.save(package.items, of: package.id, transaction)
      let lessons = try await store.save(package.lessons, of: package.id, transaction)
      loaded.new += lessons.new
      loaded.changed += lessons.changed
      loaded.unchanged = package.count - loaded.new - loaded.changed
      loaded.withdrawn = try await store.withdraw(package.id, allBut: package.items.map(\.id), transaction)
      loaded.withdrawn += try await store.withdrawLessons(package.id, allBut: package.lessons.map(\.id), transaction)
      return loaded
    }
  }

  private static func read(_ known: ItemIndex, _ store: PackageStore, _ database: Database) async throws -> ItemIndex {
    let stamps = try await store.stamps(database)
    let changed = stamps.filter { known.shelves[$0.key]?.stamp != $0.value }
    guard !changed.isEmpty || stamps.count != known.shelves.count else { return known }
    var shelves = known.shelves.filter { stamps[$0.key] == $0.value.stamp }
    for (package, stamp) in changed { shelves[package] = ItemIndex.Shelf(stamp: stamp, items: [], withdrawn: []) }
    for (package, item, isWithdrawn) in try await store.items(Array(changed.keys), database) {
      if isWithdrawn { shelves[package]?.withdrawn.append(item) } else { shelves[package]?.items.append(item) }
    }
    for (package, lesson) in try await store.lessons(Array(changed.keys), database) { shelves[package]?.lessons.append(lesson) }
    return ItemIndex(shelves)
  }

  // MARK: Asking

  /// Items of some packages that are not among `seen`, nearest to `difficulty` first.
  /// - Throws: ``Database/DatabaseError`` as long as nothing could be read.
  public func items(
    packages: [String], topic: String?, near difficulty: Double, excluding seen: Set<String>, limit: Int
  ) async throws -> [LibraryItem] {
    try await cache.index()
      .items(packages: packages, topic: topic, near: difficulty, excluding: seen, limit: limit)
  }

  /// An item by its id, withdrawn ones too: who has answered it may look at it again.
  public func item(_ id: String) async throws -> LibraryItem? { try await cache.index().item(id) }

  /// Topics of some packages with how many items each has, by subject and topic.
  public func topics(packages: [String]) async throws -> [(subject: String, topic: String, count: Int)] {
    try await cache.index().topics(packages: packages)
  }

  /// The lessons of some packages in the order of their path.
  public func lessons(packages: [String]) async throws -> [LibraryLesson] {
    try await cache.index().lessons(packages: packages)
  }

  /// Those of `packages` that are not loaded: a tenant's stanza may name what isn't there.
  public func missing(_ packages: [String]) async throws -> [String] {
    let stamps = try await cache.index().stamps
    return packages.filter { stamps[$0] == nil }
  }
}
