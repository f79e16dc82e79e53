import Foundation
public import HTTPTypes
import Kit
public import NIOCore
import NIOHTTPTypes
import Synchronization

/// Answers that need no waiting: kept ones, and files of the binary.
///
/// Such an answer is given on the event loop as soon as the request is read, past all the machinery that exists to wait:
/// tasks, their executors, the sequences between them and the connection.
public protocol ImmediateResponder: Sendable {
  /// Must not block. Nothing may be left undone when it returns `nil`: the request then goes the usual way.
  ///
  /// - Parameter address: the connection's other end, an IP address.
  /// - Returns: the answer to a GET or HEAD, with the `Content-Length` of its body. The body of a HEAD isn't sent.
  func immediate(_ head: HTTPRequest, from address: String) -> (head: HTTPResponse, body: ByteBuffer)?
}

/// Stands before the asynchronous part of a connection and takes from it what ``ImmediateResponder`` answers.
///
/// Only a request without a body that comes while no other is under way on the connection: answers keep the order of
/// their requests (RFC 9112 §9.3.2).
final class ImmediateAnswers: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPRequestPart
  typealias InboundOut = HTTPRequestPart
  typealias OutboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPResponsePart

  private let responder: any ImmediateResponder
  private var address = "unknown"
  /// Requests the asynchronous part has and hasn't answered.
  private var underWay = 0
  /// A head whose end is to come.
  private var held: HTTPRequest?
  private var mustFlush = false

  init(_ responder: any ImmediateResponder) { self.responder = responder }

  func handlerAdded(context: ChannelHandlerContext) {
    if let known = context.channel.remoteAddress?.ipAddress { address = known }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head) where underWay == 0 && held == nil && isPlain(head):
      held = head
    case .head:
      underWay += 1
      context.fireChannelRead(data)
    case .end:
      guard let head = held else { return context.fireChannelRead(data) }
      held = nil
      if let answer = responder.immediate(head, from: address) {
        write(answer, isHead: head.method == .head, context: context)
      } else {
        handOver(head, context: context)
        context.fireChannelRead(data)
      }
    case .body:
      if let head = held {
        held = nil
        handOver(head, context: context)
      }
      context.fireChannelRead(data)
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if mustFlush {
      mustFlush = false
      context.flush()
    }
    context.fireChannelReadComplete()
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .end = unwrapOutboundIn(data) { underWay -= 1 }
    context.write(data, promise: promise)
  }

  /// Whether the connection goes on after the request, and the request has no body.
  private func isPlain(_ head: HTTPRequest) -> Bool {
    (head.method == .get || head.method == .head) && head.headerFields[.connection] == nil
      && head.headerFields[.contentLength] == nil && head.headerFields[.transferEncoding] == nil
  }

  private func handOver(_ head: HTTPRequest, context: ChannelHandlerContext) {
    underWay += 1
    context.fireChannelRead(wrapInboundOut(.head(head)))
  }

  private func write(_ answer: (head: HTTPResponse, body: ByteBuffer), isHead: Bool, context: ChannelHandlerContext) {
    var head = answer.head
    head.headerFields[.date] = HTTPDate.now
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if !isHead, answer.body.readableBytes > 0 { context.write(wrapOutboundOut(.body(answer.body)), promise: nil) }
    context.write(wrapOutboundOut(.end(nil)), promise: nil)
    mustFlush = true
  }
}

/// The field `Date` (RFC 9110 §5.6.7), made once a second.
enum HTTPDate {
  private static let made = Mutex<(second: Int, text: String)>((-1, ""))

  static var now: String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME_COARSE, &time)
    let second = Int(time.tv_sec)
    return made.withLock { made in
      if made.second != second { made = (second, text(second: second)) }
      return made.text
    }
  }

  /// - Parameter second: since 1970-01-01T00:00:00Z.
  static func text(second: Int) -> String {
    let (days, rest) = (second / 86_400, second % 86_400)
    let date = CivilDate(daysSinceEpoch: days)
    // 1970-01-01 was a Thursday.
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days % 7]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(weekday), \(two(date.day)) \(months[date.month - 1]) \(date.year) "
      + "\(two(rest / 3_600)):\(two(rest / 60 % 60)):\(two(rest % 60)) GMT"
  }
}
