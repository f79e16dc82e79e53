import Crypto
import Foundation

/// Where the private server keeps things. All but the cluster itself belongs to us.
struct EmbeddedServerFiles: Sendable {
  /// The data directory of this product.
  let data: String
  /// PostgreSQL's data directory.
  let cluster: String
  /// The folder of the Unix socket, closed to others: beside the cluster, or in /tmp where that is too far down; a
  /// socket's path has 107 bytes at most.
  let socketFolder: String

  var password: String { "\(data)/postgres.password" }
  var log: String { "\(data)/postgres.log" }
  var lock: String { "\(data)/postgres.lock" }
  var processFile: String { "\(cluster)/postmaster.pid" }
  var isInitialised: Bool { access("\(cluster)/PG_VERSION", F_OK) == 0 }

  var clusterVersion: Int? {
    guard let text = try? String(contentsOfFile: "\(cluster)/PG_VERSION", encoding: .utf8) else { return nil }
    return Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// Finds, or chooses and notes, where the cluster stands: `<data>/postgres`, or a folder in /var/tmp when the server's
  /// user can't enter the data directory (a home of mode 0700, for one).
  static func locate(data: String, user: ServerUser) async throws -> EmbeddedServerFiles {
    let data = URL(fileURLWithPath: data).standardizedFileURL.path
    // Others may pass through, not look in: the server's user has to reach its folder.
    try FileManager.default.createDirectory(
      atPath: data, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
    let note = "\(data)/postgres.location"
    var cluster = "\(data)/postgres"
    if let noted = try? String(contentsOfFile: note, encoding: .utf8) {
      cluster = noted.trimmingCharacters(in: .whitespacesAndNewlines)
    } else if !user.isSelf, access("\(cluster)/PG_VERSION", F_OK) != 0, try await !canEnter(data, user) {
      cluster = "/var/tmp/metropolis-\(hash(of: data))"
      try Data((cluster + "\n").utf8).write(to: URL(fileURLWithPath: note), options: .atomic)
    }
    let beside = cluster + ".socket"
    let isShort = beside.utf8.count + "/.s.PGSQL.5432.lock".utf8.count <= 100
    return EmbeddedServerFiles(
      data: data, cluster: cluster, socketFolder: isShort ? beside : "/tmp/metropolis-\(hash(of: cluster))")
  }

  private static func canEnter(_ folder: String, _ user: ServerUser) async throws -> Bool {
    try await ChildProcess.run(user.command(["/usr/bin/test", "-x", folder])) == .code(0)
  }

  private static func hash(of text: String) -> String {
    SHA256.hash(data: Data(text.utf8)).prefix(6).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  /// Makes a folder that only `user` (and root) can enter. One that is there already must be such a folder: /tmp is open to
  /// everybody, who might have made it before us.
  static func makePrivateFolder(_ path: String, for user: ServerUser) throws {
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      throw EmbeddedServerError.failed("could not make \(path): \(String(cString: strerror(errno)))")
    }
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_mode & 0o077 == 0,
      [user.uid, geteuid()].contains(status.st_uid)
    else {
      throw EmbeddedServerError.failed(
        "found \(path) open to others or of another user, expected a folder of \(user.name) with mode 0700; remove it")
    }
    if status.st_uid != user.uid { chown(path, user.uid, user.gid) }
  }

  /// The superuser's password; made at the first start.
  func readOrMakePassword() throws -> String {
    if let text = try? String(contentsOfFile: password, encoding: .utf8) {
      return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    guard !isInitialised else {
      throw EmbeddedServerError.failed("found the cluster \(cluster) without its password file, expected \(password)")
    }
    let new = (0..<32).map { _ in String(UInt8.random(in: 0...15), radix: 16) }.joined()
    try EmbeddedServerFiles.write(new, to: password)
    return new
  }

  /// Writes a file that is never readable by others, not even while it is written, and never there by half.
  static func write(_ text: String, to path: String) throws {
    let unfinished = path + ".new"
    unlink(unfinished)
    let file = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw EmbeddedServerError.failed("could not write \(path): \(String(cString: strerror(errno)))") }
    defer { close(file) }
    let bytes = Array((text + "\n").utf8)
    guard Glibc.write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0, rename(unfinished, path) == 0 else {
      throw EmbeddedServerError.failed("could not write \(path): \(String(cString: strerror(errno)))")
    }
  }

  /// The server's process number, when one runs on this cluster. After a crash, or in a new container, the file may name a
  /// process that is another: a postmaster works in its data directory.
  func runningProcess() -> pid_t? {
    guard let text = try? String(contentsOfFile: processFile, encoding: .utf8),
      let pid = text.split(separator: "\n").first.flatMap({ pid_t($0) })
    else { return nil }
    guard let folder = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd"),
      folder == URL(fileURLWithPath: cluster).resolvingSymlinksInPath().path
    else { return nil }
    return pid
  }

  /// The last lines of the server's log that say why it ended.
  var lastFaults: String {
    guard let file = FileHandle(forReadingAtPath: log) else { return "" }
    defer { try? file.close() }
    let end = (try? file.seekToEnd()) ?? 0
    try? file.seek(toOffset: end > 4_096 ? end - 4_096 : 0)
    let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    return text.split(separator: "\n").filter { $0.contains("FATAL") || $0.contains("PANIC") || $0.contains("error:") }
      .suffix(3).joined(separator: " | ")
  }
}
