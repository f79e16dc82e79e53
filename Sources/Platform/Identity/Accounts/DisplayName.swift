import Web

/// The name others see.
enum DisplayName {
  /// Reads and checks a field: 1 to 40 characters on one line.
  static func read(_ input: inout Input, _ field: String) -> String {
    let name = input.text(field, length: 1...40)
    if name.contains(where: \.isNewline) { input.refuse(field, "controlCharacters") }
    return name
  }
}
