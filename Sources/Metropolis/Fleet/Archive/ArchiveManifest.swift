import Crypto
import Database
import Foundation

/// What an archive holds, beside it: enough to know that it is whole, and whether a restore is.
struct ArchiveManifest: Codable, Sendable, Equatable {
  /// Of this form of manifest.
  var version = 1
  let tenant: String
  let schema: String
  let database: String
  let ownerRole: String
  let loginRole: String
  /// The instant its data were taken at; nobody could write any more.
  let taken: Date
  /// Of the server: 150013 is 15.13.
  let serverVersion: Int
  /// Rows by table.
  let rows: [String: Int]
  /// The last value of each sequence; `nil` for one that was never asked.
  let sequences: [String: Int?]
  /// The newest number of each journal.
  let migrations: [String: Int]
  /// Events that nobody had taken yet: they are delivered after a restore.
  let undelivered: Int
  /// The dump's file in the same folder, its size and digest.
  let file: String
  let bytes: Int
  let sha256: String

  /// People erased after `taken` are in the dump still: their data must be erased again after a restore, and the file kept no
  /// longer than the law allows.
  var note =
    "People erased after `taken` are in this file: a restore names them; erase them again, and keep the file no longer than needed."

  var name: String { "\(file).json" }

  /// - Throws: ``FleetFailure`` when the manifest is not readable, or not of a form this release knows.
  static func read(_ path: String) throws -> ArchiveManifest {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    guard let data = FileManager.default.contents(atPath: path),
      let manifest = try? decoder.decode(ArchiveManifest.self, from: data),
      manifest.version == 1
    else { throw FleetFailure(reason: "\(path) is no manifest of an archive that this release can read") }
    return manifest
  }

  /// Writes it beside its dump, so that it is there whole or not at all.
  func write(into folder: String) throws {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try ArchiveFiles.write(try encoder.encode(self), to: "\(folder)/\(name)")
  }
}

/// Files that are on the disk when a call returns.
enum ArchiveFiles {
  static func makeFolder(_ path: String) throws {
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  /// Removes what a run that was cut off has left of a tenant.
  static func removePartial(of tenant: String, in folder: String) throws {
    // The stamp's length tells `jeju` from `jeju-east`.
    for name in try FileManager.default.contentsOfDirectory(atPath: folder)
    where name.hasPrefix("\(tenant)-") && name.contains(".dump") && name.hasSuffix(".partial") {
      guard name.dropFirst(tenant.count + 1).prefix(while: { $0 != "." }).count == 16 else { continue }
      try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
    }
  }

  static func write(_ data: Data, to path: String) throws {
    let partial = "\(path).partial"
    guard FileManager.default.createFile(atPath: partial, contents: data, attributes: [.posixPermissions: 0o600]) else {
      throw FleetFailure(reason: "\(partial) can't be written")
    }
    try settle(partial, as: path)
  }

  /// Makes a file that is being written the one that counts, by the only step that can't stop half-way.
  static func settle(_ partial: String, as path: String) throws {
    try sync(partial)
    guard rename(partial, path) == 0 else {
      throw FleetFailure(reason: "\(path) can't be written: \(String(cString: strerror(errno)))")
    }
    try sync((path as NSString).deletingLastPathComponent)
  }

  private static func sync(_ path: String) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw FleetFailure(reason: "\(path) can't be read: \(String(cString: strerror(errno)))") }
    defer { close(file) }
    guard fsync(file) == 0 else { throw FleetFailure(reason: "\(path) can't be kept: \(String(cString: strerror(errno)))") }
  }

  /// SHA-256 in hexadecimal, and the size.
  static func digest(_ path: String) throws -> (sha256: String, bytes: Int) {
    guard let file = FileHandle(forReadingAtPath: path) else { throw FleetFailure(reason: "\(path) can't be read") }
    defer { try? file.close() }
    var (hash, bytes) = (SHA256(), 0)
    while let data = try file.read(upToCount: 1 << 20), !data.isEmpty {
      hash.update(data: data)
      bytes += data.count
    }
    return (hash.finalize().hexadecimal, bytes)
  }
}
