import CPostgres

/// Lays out a statement's parameters as libpq takes them. One for the loop: its storage is used again for each statement.
final class ParameterScratch {
  private var types: [Oid] = []
  private var bytes: [UInt8] = []
  private var offsets: [Int] = []
  private var values: [UnsafePointer<CChar>?] = []
  private var lengths: [Int32] = []
  private var formats: [Int32] = []

  /// Pointers to the parameters, good within `body`; all in binary format.
  struct Layout {
    let count: Int32
    let types: UnsafePointer<Oid>?
    let values: UnsafePointer<UnsafePointer<CChar>?>?
    let lengths: UnsafePointer<Int32>?
    let formats: UnsafePointer<Int32>?
  }

  func withLayout<R>(of parameters: [SQLParameter], _ body: (Layout) -> R) -> R {
    types.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
    offsets.removeAll(keepingCapacity: true)
    values.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    // One statement of a great size must not hold its memory for good.
    if bytes.capacity > 1 << 20 { bytes = [] }
    for parameter in parameters {
      types.append(parameter.type.oid)
      offsets.append(parameter.bytes == nil ? -1 : bytes.count)
      lengths.append(Int32(parameter.bytes?.count ?? 0))
      if let value = parameter.bytes { bytes.append(contentsOf: value) }
    }
    while formats.count < parameters.count { formats.append(1) }
    // An empty value has an address too: none would be NULL.
    bytes.append(0)
    return bytes.withUnsafeBytes { bytes in
      let base = bytes.assumingMemoryBound(to: CChar.self).baseAddress
      for offset in offsets { values.append(offset < 0 ? nil : base.map { $0 + offset }) }
      return types.withUnsafeBufferPointer { types in
        values.withUnsafeBufferPointer { values in
          lengths.withUnsafeBufferPointer { lengths in
            formats.withUnsafeBufferPointer { formats in
              body(
                Layout(
                  count: Int32(parameters.count), types: types.baseAddress, values: values.baseAddress,
                  lengths: lengths.baseAddress, formats: formats.baseAddress))
            }
          }
        }
      }
    }
  }
}
