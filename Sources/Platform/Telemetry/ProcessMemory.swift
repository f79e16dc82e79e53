import Foundation
import Kit

/// What this process holds in memory.
public enum ProcessMemory {
  /// At most so many heaps of `malloc`. By default there are eight a core, and each keeps what its threads once needed.
  private static let heaps: Int32 = 4

  /// Call first thing in the process, before threads start.
  public static func prepare() {
    guard let symbol = dlsym(nil, "mallopt") else { return }
    _ = unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)(arenaMost, heaps)
  }

  // <malloc.h> isn't part of the module Glibc: its functions are looked up by name.
  private static let arenaMost: Int32 = -8  // M_ARENA_MAX

  /// Lets go of what only the start needed: freed memory, and pages of code, which come back from the file's cache when they
  /// are called. Call once, when everything stands.
  public static func settle() {
    if let symbol = dlsym(nil, "malloc_trim") {
      _ = unsafeBitCast(symbol, to: (@convention(c) (Int) -> Int32).self)(0)
    }
    guard let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8) else { return }
    for line in maps.split(separator: "\n") {
      // 7f0c…-7f0d… r-xp 00001000 fd:00 1234   /usr/lib/…: code only; pages that were written to are never dropped.
      let fields = line.split(separator: " ", omittingEmptySubsequences: true)
      guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/") else { continue }
      let bounds = fields[0].split(separator: "-").compactMap { UInt(String($0), radix: 16) }
      guard bounds.count == 2, let start = UnsafeMutableRawPointer(bitPattern: bounds[0]) else { continue }
      madvise(start, Int(bounds[1] - bounds[0]), MADV_DONTNEED)
    }
  }

  /// Bytes in RAM, code of libraries included (`/proc/self/statm`).
  public static var resident: Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }
}
