import Kit
import Testing

@testable import Metropolis

@Suite("What applying a file would do") struct ConfigurationPlanTests {
  private typealias Sample = ConfigurationSample
  private static let operatorID = "0198f6d0-0000-7000-8000-000000000001"
  private static let monday = Instant(rfc3339: "2026-11-16T09:30:00Z")!

  /// As if `base` was applied, and the console had made `live` of it.
  private func applied(_ base: String = Sample.yaml, live: String? = nil, edited: [String] = []) -> AppliedConfiguration {
    AppliedConfiguration(
      version: 7, applied: ConfigurationPlanTests.monday, file: base, text: live ?? base,
      edits: edited.map {
        .init(
          path: ConfigurationPath($0.split(separator: ".").map(String.init)), by: ConfigurationPlanTests.operatorID,
          at: ConfigurationPlanTests.monday)
      }, plans: [])
  }

  private func plan(
    _ file: String, on applied: AppliedConfiguration, take side: ConfigurationMerge.Side? = nil
  ) throws -> ConfigurationPlan {
    try ConfigurationPlan.make(reading: file, file: "city.yaml", applied: applied, take: side)
  }

  private func report(_ plan: ConfigurationPlan) -> String { ConfigurationReport(plan: plan, isColoured: false).text }

  @Test("the same file changes nothing, however it is written")
  func nothing() throws {
    let same = try plan("# A comment\n" + Sample.yaml.replacing("share: 10", with: "share: \"10\""), on: applied())
    #expect(!same.hasChanges && !same.isWorthRecording && same.isApplicable && same.steps.isEmpty)
    #expect(report(same).hasSuffix("Nothing changes."))
  }

  @Test("the first application adds everything")
  func first() throws {
    let first = try plan(Sample.yaml, on: .nothing)
    #expect(first.hasChanges && first.isWorthRecording && first.isApplicable)
    #expect(first.merge.conflicts.isEmpty && first.configuration.text == Sample.yaml)
    #expect(first.steps.contains("publish the plan sat-camp"))
  }

  @Test("a new stanza is shown whole, with what is made for it")
  func adding() throws {
    let plan = try plan(Sample.withGangneung(), on: applied())
    let text = report(plan)
    #expect(text.contains("  + tenants.gangneung\n      module: town\n      name: {ko: 강릉, en: Gangneung}\n"))
    #expect(
      text.contains(
        """
        Applying it will
          - make the schema t_gangneung with its roles on the database main, and migrate it (durability sync)
          - register the client gangneung for sign-in, with redirects to gangneung.example.com
          - serve gangneung on gangneung.example.com

        1 to add, 0 to change, 0 to remove.
        """))
  }

  @Test("another host, and what becomes of the one before")
  func host() throws {
    let moved = try plan(Sample.replacing("jeju.example.com", "tamna.example.com"), on: applied())
    #expect(report(moved).contains("  ~ tenants.jeju.host  jeju.example.com → tamna.example.com"))
    #expect(moved.steps.first == "serve jeju on tamna.example.com; jeju.example.com answers nothing any more")
    let kept = try plan(
      Sample.replacing("host: jeju.example.com", "host: tamna.example.com\n    former_hosts: [jeju.example.com]"), on: applied())
    #expect(kept.steps.first == "serve jeju on tamna.example.com; jeju.example.com redirects there")
  }

  @Test("a text needs nothing done; a price is a new version; a limit is followed at once; a pool with the next start")
  func steps() throws {
    #expect(try plan(Sample.replacing("summary: 입시", "summary: 대학 입시"), on: applied()).steps.isEmpty)
    #expect(
      try plan(Sample.replacing("KRW: 9000", "KRW: 9900"), on: applied()).steps == [
        "publish a new version of the plan sat-camp; who has an earlier one keeps it"
      ])
    #expect(
      try plan(Sample.yaml + "limits: {post: {per: person, rate: 6/1m}}\n", on: applied()).steps == [
        "let every node follow at once: limits"
      ])
    #expect(
      try plan(
        Sample.replacing("  entity: one\n  look: {accent: \"#2B", "  phase: growth\n  entity: one\n  look: {accent: \"#2B"),
        on: applied()
      )
      .steps == ["hold from the next start of each node: city.phase"])
    #expect(
      try plan(Sample.replacing("    summary: 제주\n", "    summary: 제주\n    durability: async\n"), on: applied()).steps == [
        "let COMMITs of jeju not wait for the disk: a crash may lose its last moments"
      ])
  }

  // MARK: Refusals

  @Test("a stanza with data doesn't go; archived or announced, it does")
  func removal() throws {
    let refused = try plan(Sample.without("jeju").replacing("tenants: [jeju], ", with: ""), on: applied())
    #expect(!refused.isApplicable && refused.refusals.count == 1)
    #expect(refused.refusals[0].hasPrefix("tenants.jeju: found no stanza, expected one while its state is open"))
    for state in ["archived", "announced"] {
      let before = Sample.replacing("    summary: 제주\n", "    summary: 제주\n    state: \(state)\n")
      let gone = Sample.without("jeju", before).replacing("tenants: [jeju], ", with: "")
      #expect(try plan(gone, on: applied(before)).isApplicable)
    }
  }

  @Test("a new id in the place of one that vanished: renaming is name and host")
  func renaming() throws {
    let renamed = try plan(
      Sample.replacing("  jeju:\n", "  tamna:\n").replacing("[jeju]", with: "[tamna]"), on: applied())
    #expect(renamed.refusals.count == 1)
    #expect(renamed.refusals[0].contains("Is tamna its new name? An id is permanent"))
    #expect(report(renamed).contains("Can't be applied:"))
  }

  @Test("another module, another database and going back to announced are refused")
  func becoming() throws {
    let module = Sample.replacing("    settings: {packages: [math-foundations]}\n", "    settings: {path: hangul-path}\n")
      .replacing("    module: prep\n", with: "    module: kculture\n")
      .replacing("prep.item, tenants: {module: prep}", with: "kculture.lesson, tenants: {module: kculture}")
      .replacing("feature: prep.item, tenants: [univprep]", with: "feature: kculture.lesson, tenants: [univprep]")
    #expect(
      try plan(module, on: applied()).refusals.first?.hasPrefix("tenants.univprep.module: found kculture, expected prep") == true)
    let moved =
      Sample.replacing("    summary: 제주\n", "    summary: 제주\n    database: east\n") + "databases: {east: {url: env:E}}\n"
    #expect(try plan(moved, on: applied()).refusals.first?.hasPrefix("tenants.jeju.database: found east, expected main") == true)
    let announced = Sample.replacing("    summary: 제주\n", "    summary: 제주\n    state: announced\n")
    #expect(try plan(announced, on: applied()).refusals.first?.hasPrefix("tenants.jeju.state: found announced") == true)
  }

  // MARK: The console's part

  private var lessShare: String { Sample.replacing("share: 10", "share: 0") }

  @Test("what only the console changed stays, whatever else the file changes")
  func kept() throws {
    let state = applied(live: lessShare, edited: ["flags.new-search.share"])
    let plan = try plan(Sample.replacing("summary: 입시", "summary: 대학 입시"), on: state)
    #expect(plan.isApplicable && plan.configuration.flags["new-search"]?.share == 0)
    #expect(plan.configuration.tenants.last?.summary.ko == "대학 입시")
    #expect(plan.configuration.file == "city.yaml with the console's changes")
    #expect(
      report(plan).contains(
        """
        Stays as the console has it:
          = flags.new-search.share  0  (in the file 10; by \(ConfigurationPlanTests.operatorID), 2026-11-16 09:30 UTC)
        """))
  }

  @Test("what both changed is shown from both sides, with who and when, until a side is taken")
  func conflict() throws {
    let state = applied(live: lessShare, edited: ["flags.new-search.share"])
    let file = Sample.replacing("share: 10", "share: 50")
    let refused = try plan(file, on: state)
    #expect(refused.hasChanges && !refused.isApplicable && refused.configuration.text == file)
    let text = """
      1 conflict: the file and the console both changed it
        ! flags.new-search.share
            before   10
            file     50
            console  0  (by \(ConfigurationPlanTests.operatorID), 2026-11-16 09:30 UTC)
      Take one side for all: metropolis apply --take file, or metropolis apply --take console.
      """
    #expect(report(refused).contains(text))
    #expect {
      try refused.assertApplicable()
    } throws: {
      "\($0)".contains(text)
    }
    let byFile = try plan(file, on: state, take: .file)
    #expect(byFile.isApplicable && byFile.configuration.text == file && byFile.configuration.flags["new-search"]?.share == 5_000)
    let byConsole = try plan(file, on: state, take: .console)
    #expect(byConsole.isApplicable && byConsole.configuration.flags["new-search"]?.share == 0)
    // Nodes follow nothing new then, but the next merge begins at this file.
    #expect(!byConsole.hasChanges && byConsole.isWorthRecording)
  }

  @Test("the file that has come to say what is live changes nothing, and is the next base")
  func caughtUp() throws {
    let plan = try plan(lessShare, on: applied(live: lessShare))
    #expect(!plan.hasChanges && plan.isWorthRecording && plan.isApplicable)
    #expect(report(plan).contains("Nothing changes: the file has come to say what is live."))
  }

  @Test("a stanza the console disabled stays so; removing it in the file meets the console's change")
  func disabled() throws {
    let live = Sample.replacing("    summary: 제주\n", "    summary: 제주\n    state: disabled\n")
    let state = applied(live: live, edited: ["tenants.jeju.state"])
    #expect(try plan(Sample.yaml, on: state).configuration.tenants.first?.state == .disabled)
    let gone = try plan(Sample.without("jeju").replacing("tenants: [jeju], ", with: ""), on: state)
    #expect(gone.merge.conflicts.map(\.path.description) == ["tenants.jeju"])
  }

  @Test("what file and console make together must be right, too")
  func together() throws {
    // The file takes a tenant away that the console's flag names.
    let base = Sample.withGangneung().replacing("    summary: 강릉\n", with: "    summary: 강릉\n    state: archived\n")
    let live = base.replacing("tenants: [jeju], share", with: "tenants: [gangneung], share")
    let plan = { try self.plan(Sample.yaml, on: self.applied(base, live: live)) }
    #expect {
      _ = try plan()
    } throws: { error in
      "\(error)".contains("flags.new-search.tenants: found the tenant “gangneung”")
    }
  }

  @Test("colours stand on a terminal only")
  func colours() throws {
    let plan = try plan(Sample.withGangneung(), on: applied())
    #expect(!report(plan).contains("\u{1B}"))
    #expect(ConfigurationReport(plan: plan, isColoured: true).text.contains("\u{1B}[32m  + tenants.gangneung\u{1B}[0m"))
  }
}
