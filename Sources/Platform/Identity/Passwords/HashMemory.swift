import CArgon2
import Foundation
import Synchronization

/// The memory of password hashes: 19 MiB each, taken from the system once per worker and given back when the workers rest.
///
/// `malloc` would keep it: each freed block raises its threshold for giving memory back.
enum HashMemory {
  /// Unchecked: whoever took the block out of `free` is the only one who knows it.
  private struct Block: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
    let length: Int
  }

  private static let free = Mutex<[Block]>([])

  /// For `argon2_context.allocate_cbk`.
  static func take(_ memory: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?, _ length: Int) -> Int32 {
    let kept = free.withLock { free in free.last?.length == length ? free.popLast() : nil }
    let start = kept?.start ?? mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let start, start != MAP_FAILED else { return ARGON2_MEMORY_ALLOCATION_ERROR.rawValue }
    memory?.pointee = start.assumingMemoryBound(to: UInt8.self)
    return ARGON2_OK.rawValue
  }

  /// For `argon2_context.free_cbk`. The library has wiped it.
  static func giveBack(_ memory: UnsafeMutablePointer<UInt8>?, _ length: Int) {
    guard let memory else { return }
    free.withLock { $0.append(Block(start: memory, length: length)) }
  }

  /// Gives all that isn't in use back to the system.
  static func release() {
    let blocks = free.withLock { free in
      defer { free = [] }
      return free
    }
    for block in blocks { munmap(block.start, block.length) }
  }
}
