import Foundation
import Kit
import Web

/// What a new password must be (NIST SP 800-63B §5.1.1.2): long, and not one that everyone tries first.
enum PasswordRules {
  static let shortest = 10
  /// Bytes. Longer ones only cost time.
  static let longest = 512

  /// Reads and checks the field `password`.
  /// - Parameter email: her address, or the name she signs in by.
  static func read(_ input: inout Input, email: String, displayName: String) -> String {
    let password = input.secret("password", length: shortest...longest)
    if !input.fields.contains(where: { $0.name == "password" }), isCommon(password, email: email, displayName: displayName) {
      input.refuse("password", "common")
    }
    return password
  }

  static func isCommon(_ password: String, email: String, displayName: String) -> Bool {
    let folded = password.lowercased().filter { !$0.isWhitespace }
    if common.contains(folded) || Set(folded).count < 4 { return true }
    let own = [email, email.split(separator: "@").first.map(String.init) ?? "", displayName].map {
      $0.lowercased().filter { !$0.isWhitespace }
    }
    // Her own name or address, alone or with a few digits behind it.
    let isOwn = own.contains { name in
      !name.isEmpty && folded.hasPrefix(name)
        && folded.dropFirst(name.count).allSatisfy { $0.isNumber || "!@#$.".contains($0) }
    }
    if isOwn { return true }
    return isRun(folded)
  }

  /// `0123456789`, `abcdefghij`, and the same backwards.
  private static func isRun(_ text: String) -> Bool {
    let values = text.unicodeScalars.map { Int($0.value) }
    let steps = Set(zip(values, values.dropFirst()).map { $1 - $0 })
    return steps == [1] || steps == [-1]
  }

  /// Those of ten characters and more that lead the published lists of leaked passwords, and their Korean kin.
  private static let common: Set<String> = [
    "1234567890", "12345678910", "123456789a", "123456789q", "1234567891", "0987654321", "9876543210", "1q2w3e4r5t",
    "1q2w3e4r5t6y", "1qaz2wsx3edc", "qwertyuiop", "qwerty12345", "qwerty123456", "qwerty1234", "qwer1234!@#$", "qwerasdfzxcv",
    "asdfghjkl;", "asdfghjkl1", "zxcvbnm123", "zxcvbnm,./", "qazwsxedc1", "qazwsxedcrfv", "password12", "password123",
    "password1234", "password12345", "password1!", "password123!", "password!1", "passw0rd123", "p@ssw0rd123", "p@ssword123",
    "p@ssw0rd12", "password01", "passwordpassword", "welcome123", "welcome1234", "letmein123", "letmein1234", "administrator",
    "admin12345", "admin123456", "iloveyou12", "iloveyou123", "iloveyou1234", "iloveyou!!", "ilovekorea", "iloveyouforever",
    "sunshine123", "princess123", "football123", "baseball123", "basketball", "monkey12345", "dragon12345", "superman123",
    "starwars123", "pokemon123", "michael123", "charlie123", "whatever123", "trustno1234", "changeme123", "changeme12",
    "abcd123456", "abcde12345", "abcdef1234", "abc1234567", "abc123456789", "a123456789", "a1234567890", "aa12345678",
    "aaaaaaaaa1", "q1w2e3r4t5", "q1w2e3r4t5y6", "zaq12wsxcde3", "zaq1xsw2cde3", "1qazxsw23edc", "0123456789", "1122334455",
    "1212121212", "1231231231", "123123123123", "123321123321", "1234512345", "147258369a", "1472583690", "7777777777",
    "samsung123", "samsung1234", "korea12345", "korea123456", "hello12345", "hello123456", "helloworld", "helloworld1",
    "test123456", "test1234567", "testtest12", "test12345!", "secret1234", "secret12345", "master12345", "google12345",
    "dkssudgktpdy", "tkfkdgodyd", "tkfkdgody1", "dkssud1234", "tkfkd12345", "qlalfqjsgh", "qlalfqjsgh1", "asdf123456",
    "asdfqwer1234", "qwer123456", "qwerqwer12", "asdasdasd1", "dreamseed1", "dreamseed123", "metropolis", "metropolis1",
  ]
}
