import CPostgres
import Foundation
public import Logging

/// A private PostgreSQL in the data directory, for those who have none: reached by a Unix socket only.
///
/// The first process to come starts it, others attach to it. It ends when the process that started it stops it, or ends in
/// whatever way.
public final class EmbeddedServer: Sendable {
  /// What the server is given; a larger city has a server of its own.
  public struct Tuning: Sendable {
    public var sharedBuffersMegabytes = 64
    public var connections = 100
    /// The write-ahead log grows to this before a checkpoint is forced.
    public var logMegabytes = 1_024
    /// Whether a COMMIT is on the disk when it returns. Only tests do without.
    public var isDurable = true
    public init() {}
  }

  /// The superuser, in the product's database.
  public let settings: ConnectionSettings
  /// Whether this process has started it.
  public var ownsProcess: Bool { process != nil }
  /// The server's process number.
  public let pid: Int32

  /// Its processes: they run on this machine, under our user or with us as root.
  public var processes: BackendProcesses { BackendProcesses(postmaster: pid) }

  private let process: ChildProcess?
  private let logger: Logger

  private static let superuser = "metropolis"
  private static let database = "metropolis"

  private init(settings: ConnectionSettings, pid: Int32, process: ChildProcess?, logger: Logger) {
    self.settings = settings
    self.pid = pid
    self.process = process
    self.logger = logger
  }

  /// Attaches to the server of a data directory, or makes and starts it.
  ///
  /// The data directory belongs to the product; the cluster stands in `postgres` beneath it, or where the file
  /// `postgres.location` says. Logs go to `postgres.log`, the superuser's password is kept in `postgres.password`.
  /// - Throws: ``EmbeddedServerError``, or ``DatabaseError``.
  public static func attachOrStart(
    data: String, tuning: Tuning = Tuning(), logger: Logger
  ) async throws -> EmbeddedServer {
    let user = try ServerUser.choose()
    let files = try await EmbeddedServerFiles.locate(data: data, user: user)
    let lock = try await FileLock.take(files.lock, patience: .seconds(120))
    defer { lock.release() }

    let password = try files.readOrMakePassword()
    let settings = ConnectionSettings(
      host: files.socketFolder, database: database, user: superuser, password: password)
    if let pid = try await waitForRunning(files, settings) {
      logger.info("attached to the private PostgreSQL", metadata: ["pid": "\(pid)"])
      return EmbeddedServer(settings: settings, pid: pid, process: nil, logger: logger)
    }
    let binaries = try await ServerBinaries.find(forClusterOfVersion: files.clusterVersion)
    try EmbeddedServerFiles.makePrivateFolder(files.socketFolder, for: user)
    if !files.isInitialised {
      logger.info("making a private PostgreSQL cluster", metadata: ["folder": "\(files.cluster)"])
      try await initialise(files, user, binaries, password: password, isDurable: tuning.isDurable)
    }
    let process = try await start(files, user, binaries, tuning, settings)
    let server = EmbeddedServer(settings: settings, pid: process.pid, process: process, logger: logger)
    do {
      try await server.ensureDatabase()
    } catch {
      await server.stop()
      throw error
    }
    logger.info("started the private PostgreSQL", metadata: ["pid": "\(process.pid)"])
    return server
  }

  /// Whether the server's process is there.
  public var isRunning: Bool { process.map { !$0.hasEnded } ?? (kill(pid, 0) == 0) }

  /// Stops the server if this process has started it: open transactions are rolled back, connections closed (a "fast"
  /// shutdown). Does nothing else.
  public func stop() async {
    guard let process else { return }
    process.send(signal: SIGINT)
    if await process.ends(within: .seconds(30)) { return }
    logger.warning("the private PostgreSQL does not stop; ending it at once")
    process.send(signal: SIGQUIT)
    if await process.ends(within: .seconds(10)) { return }
    process.send(signal: SIGKILL)
    _ = await process.exit()
  }

  // MARK: Attaching

  /// Waits until a server that is there answers, or is gone.
  private static func waitForRunning(_ files: EmbeddedServerFiles, _ settings: ConnectionSettings) async throws -> pid_t? {
    let deadline = ContinuousClock.now + .seconds(120)
    while let pid = files.runningProcess() {
      if await answers(settings) { return pid }
      guard ContinuousClock.now < deadline else {
        throw EmbeddedServerError.failed(
          "found process \(pid) on \(files.cluster) that does not answer on \(files.socketFolder), expected PostgreSQL; "
            + files.lastFaults)
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    // Left by a crash. PostgreSQL would take any process of that number for its own.
    unlink(files.processFile)
    return nil
  }

  /// libpq's ping blocks, so it has a thread.
  private static func answers(_ settings: ConnectionSettings) async -> Bool {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        let url = "host='\(settings.host)' port=\(settings.port) dbname=postgres user=\(superuser) connect_timeout=2"
        continuation.resume(returning: PQping(url) == PQPING_OK)
      }
    }
  }

  // MARK: Making and starting

  /// Into a folder beside, which is renamed when it is complete: a cluster made by half is never found.
  private static func initialise(
    _ files: EmbeddedServerFiles, _ user: ServerUser, _ binaries: ServerBinaries, password: String, isDurable: Bool
  ) async throws {
    let unfinished = files.cluster + ".new"
    try? FileManager.default.removeItem(atPath: unfinished)
    try EmbeddedServerFiles.makePrivateFolder(unfinished, for: user)
    let passwordFile = "\(files.socketFolder)/password"
    unlink(passwordFile)
    try EmbeddedServerFiles.write(password, to: passwordFile)
    defer { unlink(passwordFile) }
    if !user.isSelf { chown(passwordFile, user.uid, user.gid) }
    var arguments = [
      binaries.initdb, "--pgdata", unfinished, "--username", superuser, "--pwfile", passwordFile,
      "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8",
    ]
    if !isDurable { arguments.append("--no-sync") }
    let exit = try await ChildProcess.run(user.command(arguments), output: files.log)
    guard exit == .code(0) else {
      throw EmbeddedServerError.failed("initdb ended with \(exit); \(files.lastFaults); see \(files.log)")
    }
    if isDurable { try await compressLog(of: unfinished, user, binaries) }
    // An empty folder left from before would be in the way.
    rmdir(files.cluster)
    guard rename(unfinished, files.cluster) == 0 else {
      throw EmbeddedServerError.failed("could not make \(files.cluster): \(String(cString: strerror(errno)))")
    }
  }

  /// Full pages in the write-ahead log by LZ4, if the server was built with it: a server that wasn't would not start. Noted in
  /// the cluster once, so that no later start has to ask.
  private static func compressLog(of cluster: String, _ user: ServerUser, _ binaries: ServerBinaries) async throws {
    let question = [binaries.postgres, "-D", cluster, "-C", "wal_compression", "-c", "wal_compression=lz4"]
    guard try await ChildProcess.run(user.command(question)) == .code(0),
      let file = FileHandle(forWritingAtPath: "\(cluster)/postgresql.conf")
    else { return }
    defer { try? file.close() }
    try file.seekToEnd()
    try file.write(contentsOf: Data("wal_compression = lz4\n".utf8))
  }

  private static func start(
    _ files: EmbeddedServerFiles, _ user: ServerUser, _ binaries: ServerBinaries, _ tuning: Tuning,
    _ settings: ConnectionSettings
  ) async throws -> ChildProcess {
    var attempt = 1
    while true {
      let process = try await ChildProcess.start(
        user.command(
          [binaries.postgres, "-D", files.cluster] + options(files, tuning).flatMap { ["-c", $0] }, endsWithUs: true),
        output: files.log)
      if try await becomesReady(process, files, settings) { return process }
      // After a crash the old server's children need a moment to go.
      guard attempt < 5 else {
        throw EmbeddedServerError.failed("PostgreSQL ended at its start; \(files.lastFaults); see \(files.log)")
      }
      try await Task.sleep(for: .milliseconds(200 * attempt))
      attempt += 1
    }
  }

  private static func options(_ files: EmbeddedServerFiles, _ tuning: Tuning) -> [String] {
    [
      "listen_addresses=", "unix_socket_directories=\(files.socketFolder)", "port=5432",
      "shared_buffers=\(tuning.sharedBuffersMegabytes)MB", "max_connections=\(tuning.connections)",
      // Many schemas: a migration or a dump locks many tables at once.
      "max_locks_per_transaction=256", "jit=off",
      // One connection, one process: what bounds a tenant's connections bounds what it takes of the processors.
      "max_parallel_workers_per_gather=0", "max_wal_size=\(tuning.logMegabytes)MB",
      "autovacuum=on", "autovacuum_naptime=1min", "autovacuum_max_workers=3",
      "timezone=UTC", "log_timezone=UTC",
      // The log quotes no rows and no parameters.
      "log_error_verbosity=terse", "log_min_error_statement=panic", "log_parameter_max_length_on_error=0",
    ] + (tuning.isDurable ? [] : ["fsync=off", "synchronous_commit=off", "full_page_writes=off"])
  }

  private static func becomesReady(
    _ process: ChildProcess, _ files: EmbeddedServerFiles, _ settings: ConnectionSettings
  ) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(120)
    var pause = Duration.milliseconds(10)
    while !process.hasEnded {
      if await answers(settings) { return true }
      guard ContinuousClock.now < deadline else {
        process.send(signal: SIGQUIT)
        throw EmbeddedServerError.failed("PostgreSQL does not answer two minutes after its start; \(files.lastFaults)")
      }
      try await Task.sleep(for: pause)
      pause = min(pause * 1.5, .milliseconds(250))
    }
    return false
  }

  private func ensureDatabase() async throws {
    let loop = DatabaseLoop()
    let admin = Database(
      settings.with(database: "postgres"), pool: PoolSettings(connections: 1, waitTimeout: .seconds(30)), name: "private",
      logger: logger, loop: loop)
    do {
      if try await admin.one("SELECT 1 FROM pg_database WHERE datname = \(EmbeddedServer.database)") == nil {
        try await admin.execute("CREATE DATABASE \(identifier: EmbeddedServer.database)")
      }
    } catch {
      await admin.close()
      throw error
    }
    await admin.close()
    loop.stop()
  }
}

/// Why there is no private PostgreSQL.
public enum EmbeddedServerError: Error, Sendable, CustomStringConvertible {
  case missingProgram(String, package: String)
  case failed(String)

  public var description: String {
    switch self {
    case .missingProgram(let program, let package):
      "found no \(program) on this machine; install it (Debian: apt-get install \(package)) or set DATABASE_URL"
    case .failed(let words): "private PostgreSQL: \(words)"
    }
  }
}
