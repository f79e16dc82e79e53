extension Visit {
  /// A text with a count in it, in the form that the count asks for: `key.one` or `key.many`, with `{count}` as the reader
  /// writes numbers.
  public func text(_ key: String, count: Int, _ arguments: [String: String] = [:]) -> String {
    var arguments = arguments
    arguments["count"] = format.number(Int64(count))
    return text(count == 1 ? "\(key).one" : "\(key).many", arguments)
  }
}
