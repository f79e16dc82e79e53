import Content
import Foundation
import Identity
import Kit
import TenantKit

/// People who live in a development city, so that it is not empty. They don't exist in staging and production.
enum SampleAccounts {
  static let password = "metropolis-2026"
  static let all: [(id: String, email: String, name: String)] = [
    ("sample-1", "mina@example.com", "미나"), ("sample-2", "jun@example.com", "준호"), ("sample-3", "sora@example.com", "소라"),
    ("sample-4", "daniel@example.com", "Daniel"), ("sample-5", "hayun@example.com", "하윤"), ("sample-6", "yuna@example.com", "유나"),
    ("sample-7", "minsu@example.com", "민수"), ("sample-8", "grace@example.com", "Grace"),
  ]
}

extension City {
  /// Loads every package of a folder: items into the shared library, sample questions into the towns they name.
  func loadContent(from folder: String, samples: Bool, progress: (String) -> Void) async throws {
    guard FileManager.default.fileExists(atPath: folder) else {
      progress("no folder \(folder): nothing to load")
      return
    }
    let report = try await content.load(directory: folder)
    for package in report.packages where package.isItems { progress(package.summary) }
    guard samples, configuration.isDevelopment else { return }
    var authors: [String: PersonID] = [:]
    for account in SampleAccounts.all {
      authors[account.id] = try await identity.ensureAccount(
        email: account.email, password: SampleAccounts.password, displayName: account.name, now: Instant.now)
    }
    for package in report.packages where !package.isItems {
      for tenant in tenants {
        guard let loader = tenant.module as? any SampleContentLoading, type(of: loader).packageKind == package.kind else {
          continue
        }
        let its = package.records.filter { $0["tenant"]?.string == tenant.stanza.id.text }
        guard !its.isEmpty else { continue }
        let count = try await loader.load(its, authors: authors)
        progress("\(package.id): \(its.count) questions, \(count) new")
      }
    }
  }

  /// Stores the file that was applied, as a version that nodes can follow. The same text is the same version.
  @discardableResult
  func recordConfiguration() async throws -> Int {
    try await configurationHistory.record(configuration.text)
  }
}
