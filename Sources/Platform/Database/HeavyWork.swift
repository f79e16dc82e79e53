extension PoolSettings {
  /// For reports, exports and bulk work: one connection, to which all heavy work of a tenant on this node comes one after the
  /// other, and time enough. Name the ``Database`` `<schema> heavy`, so that the ``Watchdog`` grants it the longer times.
  public static var heavy: PoolSettings {
    PoolSettings(
      connections: 1, idleTimeout: .seconds(10), waitTimeout: .seconds(120), statementTimeout: .seconds(600),
      idleInTransactionTimeout: .seconds(30))
  }

  /// The same with the lowest priority of the processor, where the server runs on this machine: beside one heavy connection
  /// alone, neighbours wait for their turn at the processor; beside one with low priority they don't.
  /// - Parameter processes: of the server; `nil` when it is elsewhere or behind a pooler, whose connections serve others too:
  ///   then the number of connections is the only bound.
  public static func heavy(on processes: BackendProcesses?) -> PoolSettings {
    var settings = heavy
    if let processes { settings.didConnect = { backend in processes.lowerPriority(of: backend) } }
    return settings
  }
}
