import Foundation

/// The processes of a PostgreSQL server that runs on this machine, under our user or with us as root.
///
/// Of a server elsewhere PostgreSQL tells neither a stranger backend's memory nor lets its priority be set: there, limits of
/// the operating system (a cgroup, `ulimit -v`) and the cap of the heavy pool remain.
public struct BackendProcesses: Sendable {
  /// What the operating system gives to the least urgent (nice(1)).
  static let lowest: Int32 = 19

  private let postmaster: pid_t

  /// - Parameter postmaster: the server's own process, the parent of every backend.
  public init(postmaster: Int32) { self.postmaster = postmaster }

  /// Bytes that are this backend's alone: without the buffers it shares with all. `nil` when there is no such backend.
  public func privateMemory(of backend: Int32) -> Int? {
    guard owns(backend), let status = read("/proc/\(backend)/status") else { return nil }
    // "RssAnon:	    1234 kB", proc(5).
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
    return line?.split { " \t".contains($0) }.dropFirst().first.flatMap { Int($0) }.map { $0 * 1_024 }
  }

  /// Lets everything else have the processor first, for as long as the backend lives.
  /// - Returns: whether it could be set.
  @discardableResult
  public func lowerPriority(of backend: Int32) -> Bool {
    guard owns(backend), setpriority(.init(PRIO_PROCESS.rawValue), id_t(backend), BackendProcesses.lowest) == 0 else {
      return false
    }
    // Each backend is a session of its own (setsid), and where the kernel groups sessions (sched(7), autogroup), nice counts
    // within the group only: the group's own has to be set. Absent where it does not.
    if let file = fopen("/proc/\(backend)/autogroup", "w") {
      fputs("\(BackendProcesses.lowest)", file)
      fclose(file)
    }
    return true
  }

  /// The number may have become another process's, or be of another machine.
  private func owns(_ backend: Int32) -> Bool {
    // "pid (name) state parent …": a name may hold spaces and brackets.
    guard backend > 1, let text = read("/proc/\(backend)/stat"), let end = text.lastIndex(of: ")") else { return false }
    let fields = text[text.index(after: end)...].split(separator: " ")
    return fields.count > 1 && pid_t(fields[1]) == postmaster
  }

  /// Not by Foundation: such files tell no size.
  private func read(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 4_096)
    let count = Glibc.read(file, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
  }
}
