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
  /// Who works at the console.
  static let staff: [(email: String, name: String, post: StaffPost)] = [
    ("operator@example.com", "도윤", StaffPost("operator@univprep")),
    ("finance@example.com", "은지", StaffPost("finance@city")), ("city@example.com", "서연", StaffPost("operator@city")),
  ].compactMap { email, name, post in post.map { (email, name, $0) } }
}

extension City {
  /// Makes the sample staff once: a post that was taken from one of them since is not given back.
  func ensureSampleStaff() async throws {
    guard configuration.isDevelopment else { return }
    for member in SampleAccounts.staff
    where member.post.isOfCity || configuration.tenants.contains(where: { $0.id.text == member.post.place }) {
      guard try await identity.person(email: member.email) == nil else { continue }
      let person = try await identity.ensureAccount(
        email: member.email, password: SampleAccounts.password, displayName: member.name, now: Instant.now)
      try await identity.grant(person, at: member.post.place, role: member.post.role.rawValue)
    }
  }

  /// Loads every package of a folder: items and lessons into the shared library, sample questions into the towns they name.
  func loadContent(from folder: String, samples: Bool, progress: (String) -> Void) async throws {
    guard FileManager.default.fileExists(atPath: folder) else {
      progress("no folder \(folder): nothing to load")
      return
    }
    let report = try await content.load(directory: folder)
    for package in report.packages where package.isKept { progress(package.summary) }
    guard samples, configuration.isDevelopment else { return }
    var authors: [String: PersonID] = [:]
    for account in SampleAccounts.all {
      authors[account.id] = try await identity.ensureAccount(
        email: account.email, password: SampleAccounts.password, displayName: account.name, now: Instant.now)
    }
    for package in report.packages where !package.isKept {
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
}
