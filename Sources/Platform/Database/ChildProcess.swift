import CPostgres
import Foundation
import Synchronization

/// A program started by this process.
///
/// A thread of its own starts it and waits for its end. `setpriv --pdeathsig` binds a child to the life of the *thread*
/// that started it, so that thread must live as long as the child.
final class ChildProcess: Sendable {
  enum Exit: Sendable, Equatable {
    case code(Int32)
    case signal(Int32)
  }

  private struct State {
    var exit: Exit?
    var waiters: [CheckedContinuation<Exit, Never>] = []
  }

  let pid: pid_t
  private let state = Mutex(State())

  private init(pid: pid_t) { self.pid = pid }

  /// Starts a program in a process group of its own: Ctrl-C in the terminal is for us, who stop it in order.
  /// - Parameters:
  ///   - arguments: the program's path, then its arguments.
  ///   - output: the file its output is appended to.
  /// - Throws: ``EmbeddedServerError``.
  static func start(_ arguments: [String], output: String) async throws -> ChildProcess {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        Thread.current.name = "child process"
        do {
          let child = ChildProcess(pid: try spawn(arguments, output: output))
          continuation.resume(returning: child)
          child.waitForEnd()
        } catch {
          continuation.resume(throwing: error)
        }
      }
    }
  }

  /// Runs a program to its end.
  static func run(_ arguments: [String], output: String = "/dev/null") async throws -> Exit {
    await (try start(arguments, output: output)).exit()
  }

  var hasEnded: Bool { state.withLock { $0.exit != nil } }

  /// Waits for its end.
  func exit() async -> Exit {
    await withCheckedContinuation { continuation in
      let exit = state.withLock { state in
        if state.exit == nil { state.waiters.append(continuation) }
        return state.exit
      }
      if let exit { continuation.resume(returning: exit) }
    }
  }

  /// - Returns: whether it has ended within that time.
  func ends(within time: Duration) async -> Bool {
    let deadline = ContinuousClock.now + time
    while !hasEnded, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(10)) }
    return hasEnded
  }

  func send(signal: Int32) {
    // Once waited for, the number may be another's.
    state.withLock { if $0.exit == nil { kill(pid, signal) } }
  }

  private func waitForEnd() {
    // First without reaping: the number stays ours until nobody can send it a signal any more.
    var information = siginfo_t()
    while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
    let (exit, waiters) = state.withLock { state in
      var status: Int32 = 0
      while waitpid(pid, &status, 0) == -1, errno == EINTR {}
      let exit: Exit = status & 0x7F == 0 ? .code(status >> 8 & 0xFF) : .signal(status & 0x7F)
      state.exit = exit
      defer { state.waiters = [] }
      return (exit, state.waiters)
    }
    for waiter in waiters { waiter.resume(returning: exit) }
  }

  private static func spawn(_ arguments: [String], output: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    var argumentPointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=\(path)"), strdup("LC_ALL=C.UTF-8"), nil]
    defer { for pointer in argumentPointers + environment { free(pointer) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, arguments[0], &actions, &attributes, &argumentPointers, &environment)
    guard code == 0 else {
      throw EmbeddedServerError.failed("could not start \(arguments[0]): \(String(cString: strerror(code)))")
    }
    return pid
  }
}
