public import HTTPTypes
import Kit
public import NIOCore
public import Web

extension Gateway {
  /// The answer to a read, if all that is asked of it is in memory: the session, the limit, the answer itself. Nothing waits and
  /// nothing is left undone when it isn't; the request then goes the usual way.
  ///
  /// - Parameter network: asked for only where a limit is by network.
  public func immediate(_ head: HTTPRequest, network: () -> String) -> (head: HTTPResponse, body: ByteBuffer)? {
    guard head.method == .get || head.method == .head, let path = head.path, let authority = head.authority else { return nil }
    let start = ContinuousClock.now
    let directory = directory()
    guard let destination = directory.destination(authority) else { return nil }
    let (router, site) = (destination.router, destination.site)
    if let asset = router.keptAsset(path) { return answer(asset, "/assets", site, head, start, isKept: false) }
    guard !router.asksForPage(head), let session = router.sessions.remembered(head, on: site),
      let kept = router.keptAs(head, session: session, on: site),
      let entry = shared.cache.find(directory.generation, site.id, kept, session: session, now: start),
      entry.access.admits(session), settings.keepsAnswers(site, session)
    else { return nil }
    if let limit = entry.limit {
      let asking = Asking(person: session?.person, network: network(), site: site.id, now: clock.now())
      guard router.limiter.admitsAtOnce(limit, asking) else { return nil }
    }
    return answer(entry.answer, entry.route, site, head, start, isKept: true)
  }

  private func answer(
    _ kept: KeptAnswer, _ route: String, _ site: Site, _ head: HTTPRequest, _ start: ContinuousClock.Instant, isKept: Bool
  ) -> (head: HTTPResponse, body: ByteBuffer) {
    let id = shared.ids.make(at: clock.now())
    let response = kept.head(requestID: id)
    report(
      RequestReport(
        site: site.id, route: route, method: head.method.rawValue, status: Int(kept.status.code),
        duration: ContinuousClock.now - start, requestID: id, isKept: isKept))
    return (response, kept.body)
  }
}

extension Gateway: ImmediateResponder {
  public func immediate(_ head: HTTPRequest, from address: String) -> (head: HTTPResponse, body: ByteBuffer)? {
    immediate(head) { Network.name(of: address) }
  }
}
