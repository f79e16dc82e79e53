import Foundation

/// An sRGB colour, and the arithmetic that keeps text on it readable (WCAG 2.2, contrast ratio).
public struct Colour: Hashable, Sendable {
  public let red: Double
  public let green: Double
  public let blue: Double

  /// Reads `#RRGGBB`.
  public init?(_ text: String) {
    guard text.utf8.count == 7, text.hasPrefix("#"), text.dropFirst().allSatisfy(\.isHexDigit),
      let value = UInt32(text.dropFirst(), radix: 16)
    else { return nil }
    self.init(
      red: Double(value >> 16 & 0xFF) / 255, green: Double(value >> 8 & 0xFF) / 255, blue: Double(value & 0xFF) / 255)
  }

  init(red: Double, green: Double, blue: Double) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  public static let white = Colour(red: 1, green: 1, blue: 1)
  public static let black = Colour(red: 0, green: 0, blue: 0)
  /// The darkest light ground and the lightest dark ground that accent-coloured text stands on (`--sunk` in app.css).
  static let ground = Colour("#efedea")!
  static let groundDark = Colour("#2a2a2d")!
  public static let ink = Colour("#1d1b19")!

  public var hex: String {
    "#"
      + [red, green, blue].map { part in
        let byte = Int((min(1, max(0, part)) * 255).rounded())
        return (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }.joined()
  }

  var luminance: Double {
    func linear(_ part: Double) -> Double { part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4) }
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
  }

  /// From 1 (the same) to 21 (black on white).
  public func contrast(with other: Colour) -> Double {
    let (a, b) = (luminance, other.luminance)
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)
  }

  func mixed(with other: Colour, _ share: Double) -> Colour {
    Colour(
      red: red + (other.red - red) * share, green: green + (other.green - green) * share,
      blue: blue + (other.blue - blue) * share)
  }

  /// This colour, moved toward black or white until it can be read as text on `ground`.
  public func readable(on ground: Colour, ratio: Double = 4.5) -> Colour {
    let pole = ground.luminance > 0.18 ? Colour.black : .white
    return stride(from: 0.0, through: 1.0, by: 0.02).lazy.map { mixed(with: pole, $0) }
      .first { $0.contrast(with: ground) >= ratio } ?? pole
  }

  /// The text colour on a ground of this colour: white where that can be read, else near-black, and black where even that
  /// is too light.
  public var inkOnTop: Colour { [Colour.white, .ink].first { contrast(with: $0) >= 4.5 } ?? .black }
}

extension Look {
  /// The accent as a ground for text. Where white comes near to readable on it, it is darkened until white is; a light accent
  /// keeps its colour and takes near-black.
  var fill: Colour {
    guard accent.contrast(with: .white) >= 3 else { return accent }
    return accent.readable(on: .white, ratio: 4.55)
  }

  /// The variables that make the common pages this service's own. Text on the page's ground is corrected for each mode.
  var styleSheet: String {
    """
    :root{--accent:\(fill.hex);--accent-ink:\(fill.inkOnTop.hex);--accent-text:\(accent.readable(on: .ground, ratio: 4.6).hex)}
    @media (prefers-color-scheme:dark){:root{--accent-text:\(accent.readable(on: .groundDark, ratio: 4.6).hex)}}

    """
  }

  /// The colours of this service's mark on other services' pages.
  func markStyle(site: String) -> String { ".t-\(site){--accent:\(fill.hex);--accent-ink:\(fill.inkOnTop.hex)}\n" }
}
