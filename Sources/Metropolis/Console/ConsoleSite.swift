import Kit
import Web

extension Site {
  /// The id and kind of the staff's site, and the place that stands for it where sessions ask for roles.
  static let consoleID = "console"

  /// What the console's menu offers; each entry to those who may open it.
  static let consoleMenu = [
    MenuItem("/", titleKey: "city.console.menu.home"),
    MenuItem("/finance", titleKey: "city.console.menu.finance", roles: ["finance@city"]),
    MenuItem("/city", titleKey: "city.console.menu.city", roles: ["operator@city"]),
    MenuItem("/city/staff", titleKey: "city.console.menu.staff", roles: ["operator@city"]),
  ]

  static let consoleName = LocalizedText(ko: "관리 콘솔", en: "Console")
  static let consoleSummary = LocalizedText(ko: "도시와 서비스를 돌보는 사람들의 자리", en: "Where the city and its services are run")
}

extension Look {
  /// No tenant's colour: a page of the console is known at a glance.
  static let console = Look(accent: Colour("#3D4A5C")!, mark: "관")
}
