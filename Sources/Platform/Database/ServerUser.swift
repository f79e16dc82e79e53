import Foundation

/// The user the private server runs under. PostgreSQL refuses root, so as root another is taken.
struct ServerUser: Sendable {
  let name: String
  let uid: uid_t
  let gid: gid_t
  /// Whether that is the user we are.
  let isSelf: Bool
  private let setpriv: String?

  /// `postgres` when we are root and there is one, else `nobody`; ourselves when we are not root.
  /// - Throws: ``EmbeddedServerError``.
  static func choose() throws -> ServerUser {
    let setpriv = Executables.find("setpriv")
    guard geteuid() == 0 else {
      return ServerUser(name: NSUserName(), uid: geteuid(), gid: getegid(), isSelf: true, setpriv: setpriv)
    }
    guard let setpriv else {
      throw EmbeddedServerError.missingProgram("setpriv", package: "util-linux")
    }
    for name in ["postgres", "nobody"] {
      if let (uid, gid) = account(name) { return ServerUser(name: name, uid: uid, gid: gid, isSelf: false, setpriv: setpriv) }
    }
    throw EmbeddedServerError.failed("root can't run PostgreSQL; found neither a user postgres nor a user nobody to run it under")
  }

  /// The command line that runs a program as this user.
  /// - Parameter endsWithUs: whether the program gets an interrupt when this process ends, however it ends.
  func command(_ arguments: [String], endsWithUs: Bool = false) -> [String] {
    guard let setpriv, endsWithUs || !isSelf else { return arguments }
    var command = [setpriv]
    if !isSelf { command += ["--reuid=\(uid)", "--regid=\(gid)", "--init-groups", "--reset-env"] }
    if endsWithUs { command += ["--pdeathsig", "INT"] }
    return command + ["--"] + arguments
  }

  private static func account(_ name: String) -> (uid_t, gid_t)? {
    var record = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16_384)
    guard getpwnam_r(name, &record, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
    return (record.pw_uid, record.pw_gid)
  }
}

enum Executables {
  static var searchPath: [String] {
    (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map(String.init)
  }

  static func find(_ name: String) -> String? {
    searchPath.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }
}

/// The folder of `initdb` and `postgres`.
struct ServerBinaries: Sendable {
  let folder: String
  /// The major version, when the folder's name says it.
  let version: Int?

  var initdb: String { "\(folder)/initdb" }
  var postgres: String { "\(folder)/postgres" }

  /// The newest installed; for a cluster that exists, those of its version.
  /// - Throws: ``EmbeddedServerError``.
  static func find(forClusterOfVersion wanted: Int?) async throws -> ServerBinaries {
    let installed = await all()
    guard let wanted else {
      guard let newest = installed.first else { throw EmbeddedServerError.missingProgram("postgres", package: "postgresql") }
      return newest
    }
    guard let match = installed.first(where: { $0.version == wanted }) ?? installed.first(where: { $0.version == nil }) else {
      throw EmbeddedServerError.missingProgram("postgres \(wanted)", package: "postgresql-\(wanted)")
    }
    return match
  }

  private static func all() async -> [ServerBinaries] {
    // Debian's place, then the one of PostgreSQL's RPMs.
    let roots = [("/usr/lib/postgresql", "", "/bin"), ("/usr", "pgsql-", "/bin")]
    var found: [ServerBinaries] = roots.flatMap { root, prefix, suffix in
      ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { name in
        guard name.hasPrefix(prefix), let version = Int(name.dropFirst(prefix.count)) else { return nil }
        return ServerBinaries(folder: "\(root)/\(name)\(suffix)", version: version)
      }
    }.sorted { ($0.version ?? 0) > ($1.version ?? 0) }
    found += Executables.searchPath.map { ServerBinaries(folder: $0, version: nil) }
    found = found.filter { access($0.initdb, X_OK) == 0 && access($0.postgres, X_OK) == 0 }
    if found.isEmpty, let folder = await folderFromConfiguration() { found = [ServerBinaries(folder: folder, version: nil)] }
    return found
  }

  private static func folderFromConfiguration() async -> String? {
    guard let program = Executables.find("pg_config") else { return nil }
    let output = NSTemporaryDirectory() + "/metropolis-\(UUID().uuidString)"
    defer { unlink(output) }
    guard (try? await ChildProcess.run([program, "--bindir"], output: output)) == .code(0),
      let folder = (try? String(contentsOfFile: output, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines),
      access("\(folder)/initdb", X_OK) == 0, access("\(folder)/postgres", X_OK) == 0
    else { return nil }
    return folder
  }
}
