public import HummingbirdCore
import Logging
import NIOCore

extension HTTPServerBuilder {
  /// HTTP/1.1 where all work of a connection's tasks is done on the connection's own event loop, so that a request that
  /// waits for nothing wakes no second thread.
  ///
  /// What keeps a core busy for milliseconds (documents, exports) leaves the loop by
  /// `withTaskExecutorPreference(globalConcurrentExecutor)`: the other connections of the loop wait meanwhile.
  ///
  /// - Parameter immediate: is asked first; see ``ImmediateResponder``.
  public static func onEventLoops(immediate: (any ImmediateResponder)? = nil) -> HTTPServerBuilder {
    HTTPServerBuilder { responder in
      LoopBoundChannel(
        inner: HTTP1Channel(
          responder: responder,
          configuration: .init(additionalChannelHandlers: immediate.map { [ImmediateAnswers($0)] } ?? [])))
    }
  }
}

/// Hummingbird's connection, its tasks bound to its event loop.
struct LoopBoundChannel: ServerChildChannel {
  let inner: HTTP1Channel

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
    inner.setup(channel: channel, logger: logger)
  }

  func handle(value: HTTP1Channel.Value, logger: Logger) async {
    await withTaskExecutorPreference(LoopExecutor(value.channel.eventLoop)) { await inner.handle(value: value, logger: logger) }
  }
}

/// Runs the jobs of tasks on an event loop. Child tasks inherit the preference, `Task { }` doesn't.
final class LoopExecutor: TaskExecutor {
  private let loop: any EventLoop

  init(_ loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
  }
}
