import Foundation
import PackagePlugin

/// Compiles the files that stand beside a target's code (migrations, templates, catalogues, styles) into the binary,
/// as `Embedded.files`: a path relative to the target → its text.
@main struct EmbedResources: BuildToolPlugin {
  static let endings: Set<String> = ["sql", "mustache", "css", "js", "svg", "json"]

  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    guard let module = target.sourceModule else { return [] }
    let root = module.directoryURL
    let files =
      FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)?
      .compactMap { $0 as? URL }
      .filter { Self.endings.contains($0.pathExtension) }
      .sorted { $0.path < $1.path } ?? []
    let output = context.pluginWorkDirectoryURL.appending(path: "Embedded.swift")
    return [
      .buildCommand(
        displayName: "Embed \(files.count) files of \(target.name)",
        executable: try context.tool(named: "embed-resources").url,
        arguments: [root.path, output.path] + files.map(\.path),
        inputFiles: files, outputFiles: [output])
    ]
  }
}
