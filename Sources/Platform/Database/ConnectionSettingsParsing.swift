import CPostgres
import Foundation

extension ConnectionSettings {
  init(parsing url: String) throws {
    var message: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(url, &message) else {
      PQfreemem(message)
      throw ConnectionSettingsError(
        description: "the database URL can't be read; expected postgresql://user:password@host:5432/database")
    }
    defer { PQconninfoFree(options) }
    var values: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
      option += 1
    }
    host = values.removeValue(forKey: "host") ?? values.removeValue(forKey: "hostaddr") ?? "/var/run/postgresql"
    port = values.removeValue(forKey: "port") ?? "5432"
    let user = values.removeValue(forKey: "user") ?? NSUserName()
    self.user = user
    database = values.removeValue(forKey: "dbname") ?? user
    password = values.removeValue(forKey: "password") ?? ""
    self.options = values
  }
}
