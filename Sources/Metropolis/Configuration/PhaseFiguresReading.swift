import Kit

extension PhaseFigures {
  /// Takes the figures that `city.figures` overrides; a name that is none is a mistake.
  mutating func override(reading section: ConfigSection?) {
    guard let section else { return }
    phase.override(section.section("phase", required: false))
    pool.override(section.section("pool", required: false))
    queues.override(section.section("queues", required: false))
    cache.override(section.section("cache", required: false))
    gateway.override(section.section("gateway", required: false))
    scaling.override(section.section("scaling", required: false))
  }
}

extension PhaseFigures.Need {
  mutating func override(_ section: ConfigSection?) {
    guard let section else { return }
    section.count("users", &users, 1...100_000_000)
    section.count("connections", &connections, 1...100_000)
    section.count("replicas", &replicas, 0...100)
    section.count("cache_nodes", &cacheNodes, 0...1_000)
    section.count("servers", &servers, 1...1_000)
    section.count("usd", &usd, 0...100_000_000)
    section.count("towns_usd", &townsUSD, 0...100_000_000)
  }
}

extension PhaseFigures.Pool {
  mutating func override(_ section: ConfigSection?) {
    guard let section else { return }
    section.count("primary", &primary, PhaseFigures.Pool.primaryRange)
    section.count("replica", &replica, PhaseFigures.Pool.replicaRange)
    section.time("primary_statement", &primaryStatement)
    section.time("replica_statement", &replicaStatement)
    section.time("connect", &connect)
    section.time("idle", &idle)
    section.time("idle_in_transaction", &idleInTransaction)
  }
}

extension PhaseFigures.Queues {
  mutating func override(_ section: ConfigSection?) {
    guard let section else { return }
    notifications.override(section.section("notifications", required: false))
    mail.override(section.section("mail", required: false))
    analytics.override(section.section("analytics", required: false))
    images.override(section.section("images", required: false))
    section.count("kept_done", &keptDone, 0...1_000_000)
    section.count("kept_failed", &keptFailed, 0...1_000_000)
  }
}

extension PhaseFigures.Queues.Queue {
  mutating func override(_ section: ConfigSection?) {
    guard let section else { return }
    section.count("concurrency", &concurrency, 1...1_000)
    section.count("tries", &tries, 1...100)
    section.count("per_minute", &perMinute, 1...10_000_000)
  }
}

extension PhaseFigures.Cache {
  mutating func override(_ section: ConfigSection?) {
    guard let section else { return }
    section.time("question", &question)
    section.time("search", &search)
    section.time("profile", &profile)
    section.time("trending", &trending)
    section.time("process", &process)
    if process > .seconds(60) { section.note("process", expected: "60s at most: what one node changes, others must see") }
  }
}

extension PhaseFigures.Gateway {
  mutating func override(_ section: ConfigSection?) {
    guard let section else { return }
    section.time("deadline", &deadline)
    section.time("notifications_deadline", &notificationsDeadline)
    section.time("list_cache", &listCache)
    section.time("search_cache", &searchCache)
    section.count("auth_tries", &authTries, 1...10)
    section.time("auth_try", &authTry)
    section.count("breaker_errors", &breakerErrors, 1...1_000)
    section.time("breaker_open", &breakerOpen)
    section.count("ejected", &ejected, 0...100)
  }
}

extension PhaseFigures.Scaling {
  mutating func override(_ section: ConfigSection?) {
    guard let section else { return }
    questions.override(section.section("questions", required: false))
    notifications.override(section.section("notifications", required: false))
    identity.override(section.section("identity", required: false))
  }
}

extension PhaseFigures.Scaling.Rule {
  mutating func override(_ section: ConfigSection?) {
    guard let section else { return }
    section.count("least", &least, 1...1_000)
    section.count("most", &most, 1...1_000)
    section.count("cpu", &cpu, 1...100)
    section.count("memory", &memory, 1...100)
    section.count("requests_per_minute", &requestsPerMinute, 1...100_000_000)
    section.count("depth", &depth, 1...100_000_000)
    section.time("up_after", &upAfter)
    section.time("down_after", &downAfter)
    if least > most { section.note("least", found: "\(least)", expected: "not more than most, \(most)") }
  }
}

extension ConfigSection {
  fileprivate func count(_ key: String, _ figure: inout Int, _ range: ClosedRange<Int>) {
    figure = int(key, in: range, default: figure) ?? figure
  }

  fileprivate func count(_ key: String, _ figure: inout Int?, _ range: ClosedRange<Int>) {
    if has(key) { figure = int(key, in: range) ?? figure }
  }

  fileprivate func time(_ key: String, _ figure: inout Duration) {
    guard let read = duration(key, default: figure) else { return }
    // A time-out of nothing would refuse everything.
    if has(key), read <= .zero { note(key, expected: "a duration above 0") } else { figure = read }
  }

  fileprivate func time(_ key: String, _ figure: inout Duration?) {
    guard has(key) else { return }
    var time = figure ?? .zero
    self.time(key, &time)
    figure = time
  }
}
