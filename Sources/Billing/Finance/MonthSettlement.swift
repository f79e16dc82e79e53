import Foundation
public import Kit

// When a month of the books can be split and closed.
extension Month {
  /// Days after a month's end until its use is counted and it can be closed: what comes later belongs to the next.
  public static let graceDays = 3

  var following: Month { Month(of: next) }
  var previous: Month { Month(of: first.adding(days: -1)) }
  /// The first day it can be split and closed.
  public var settlesOn: CivilDate { next.adding(days: Month.graceDays) }

  func start(in zone: TimeZone) -> Instant { first.start(in: zone) }
  func end(in zone: TimeZone) -> Instant { next.start(in: zone) }
  func settles(in zone: TimeZone) -> Instant { settlesOn.start(in: zone) }
}
