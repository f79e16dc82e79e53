/// What a COMMIT of a schema's service waits for: the setting `synchronous_commit` of its login role, so that it holds on
/// every connection, through a pooler too.
public enum Durability: String, Sendable, CaseIterable {
  /// Until the transaction is on the disk, and on the synchronous standbys if the server has any: what was acknowledged
  /// survives a crash.
  case sync
  /// Not at all: a crash takes back what was acknowledged in the last moments before it (three times `wal_writer_delay`,
  /// 0.6 s as PostgreSQL comes). What is there is never half or broken. For figures that can be counted anew.
  case async

  /// The value of `synchronous_commit`.
  var synchronousCommit: String {
    switch self {
    case .sync: "on"
    case .async: "off"
    }
  }
}
