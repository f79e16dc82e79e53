import Foundation

// embed-resources ROOT OUTPUT FILE…: writes the files as Swift string literals.
let arguments = CommandLine.arguments
guard arguments.count >= 3 else {
  FileHandle.standardError.write(Data("usage: embed-resources ROOT OUTPUT FILE…\n".utf8))
  exit(2)
}
let root = arguments[1].hasSuffix("/") ? arguments[1] : arguments[1] + "/"
var source = """
  // Made by the EmbedResources plugin.
  enum Embedded {
    /// The files beside this target's code, by their path in its folder.
    static let files: [String: String] = [
  """
for path in arguments.dropFirst(3) {
  let text = try String(contentsOfFile: path, encoding: .utf8)
  // More number signs than any run inside the text, so that nothing in it ends the literal.
  var signs = "#"
  while text.contains("\"" + signs) || text.contains("\\" + signs) { signs += "#" }
  let name = path.hasPrefix(root) ? String(path.dropFirst(root.count)) : path
  source += "\n    \"\(name)\": \(signs)\"\"\"\n\(text)\n\"\"\"\(signs),"
}
if arguments.count == 3 { source += ":" }
source += "\n  ]\n}\n"
try source.write(toFile: arguments[2], atomically: true, encoding: .utf8)
