import Database
import Kit
public import Logging

/// Works off queues until its task is cancelled.
public struct QueueWorker: Sendable {
  public typealias Handler = @Sendable (JobQueue.Job) async throws -> Void

  private let queue: JobQueue
  private let settings: [JobQueue.Settings]
  private let handlers: [String: Handler]
  private let logger: Logger

  /// - Parameter handlers: by kind of job. A job of an unknown kind fails, and is seen as a dead letter.
  public init(queue: JobQueue, settings: [JobQueue.Settings], handlers: [String: Handler], logger: Logger) {
    self.queue = queue
    self.settings = settings
    self.handlers = handlers
    self.logger = logger
  }

  /// Whether it takes jobs of a queue.
  public func works(_ queue: JobQueue.Settings) -> Bool { settings.contains { $0.name == queue.name } }

  /// Works until its task is cancelled. A job that is under way then is not cut off, unless it takes longer than `patience`:
  /// given up, it would stand still until its lease runs out.
  public func run(interval: Duration = .milliseconds(250), patience: Duration = .seconds(20)) async {
    await withTaskGroup(of: Void.self) { group in
      for setting in settings {
        group.addTask {
          while !Task.isCancelled {
            let worked = await CutOff.late(by: patience) { await work(setting) }
            if worked < setting.concurrency { try? await Task.sleep(for: interval) }
          }
        }
      }
    }
  }

  /// Takes and works off one handful of jobs.
  /// - Returns: how many.
  @discardableResult
  public func work(_ setting: JobQueue.Settings) async -> Int {
    do {
      let jobs = try await queue.take(setting, most: setting.concurrency)
      await withTaskGroup(of: Void.self) { group in
        for job in jobs { group.addTask { await handle(job) } }
      }
      return jobs.count
    } catch {
      if !Task.isCancelled {
        logger.warning("queue not read", metadata: ["queue": "\(setting.name)", "error": "\(SafeError(error))"])
        try? await Task.sleep(for: .seconds(1))
      }
      return 0
    }
  }

  private func handle(_ job: JobQueue.Job) async {
    do {
      guard let handler = handlers[job.kind] else { throw Problem(.notFound) }
      try await handler(job)
      try await queue.done(job)
    } catch {
      logger.warning(
        "job failed",
        metadata: ["job": "\(job.id)", "kind": "\(job.kind)", "attempt": "\(job.attempt)", "error": "\(SafeError(error))"])
      // When this can't be written either, the lease runs out and the job is taken again.
      try? await queue.failed(job, reason: "\(SafeError(error))")
    }
  }
}

/// Work that hears of its task's cancellation later than the task.
enum CutOff {
  static func late<Value: Sendable>(by time: Duration, _ work: @escaping @Sendable () async -> Value) async -> Value {
    let task = Task { await work() }
    return await withTaskCancellationHandler {
      await task.value
    } onCancel: {
      Task {
        try? await Task.sleep(for: time)
        task.cancel()
      }
    }
  }
}
