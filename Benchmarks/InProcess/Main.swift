// What of Billing is measured without HTTP: it serves a private database, does what the lines of its input say, and answers
// each with a line of JSON. `Benchmarks/inside.py` asks.

import Foundation
import Kit

@main
enum Main {
  static let usage = """
    metropolis-bench DATA CONNECTIONS, and on its input lines of:
      check limited|unlimited SECONDS
      consume CLIENTS SECONDS | take
      last TAKERS TIMES
      fill | look CLIENTS SECONDS CONNECTIONS | row
      accounts | post CLIENTS SECONDS | entry
      subscriptions COUNT | renew ROUND COUNT
      neighbours ROUNDS SECONDS
    """

  static func main() async {
    let arguments = CommandLine.arguments
    guard arguments.count == 3, let connections = Int(arguments[2]), (1...90).contains(connections) else {
      FileHandle.standardError.write(Data("\(usage)\n".utf8))
      exit(64)
    }
    do {
      let bench = try await Bench(data: arguments[1], connections: connections)
      say(["ready": 1])
      while let line = readLine() {
        do {
          say(try await answer(line.split(separator: " ").map(String.init), bench))
        } catch {
          say(["error": "\(error)"])
        }
      }
      await bench.stop()
    } catch {
      say(["error": "\(error)"])
      exit(1)
    }
  }

  private static func answer(_ words: [String], _ bench: Bench) async throws -> Figures {
    let numbers = words.dropFirst().compactMap { Double($0) }
    switch (words.first, numbers.count) {
    case ("check", 1):
      return try await bench.check(words[1] == "limited" ? Bench.endless : Bench.unlimited, seconds: numbers[0])
    case ("consume", 2): return try await bench.consume(clients: Int(numbers[0]), seconds: numbers[1])
    case ("take", 0): try await bench.take()
    case ("fill", 0): try await bench.fill()
    case ("look", 3):
      return try await bench.look(clients: Int(numbers[0]), seconds: numbers[1], connections: Int(numbers[2]))
    case ("row", 0): try await bench.row(bench.database)
    case ("last", 2): return try await bench.last(takers: Int(numbers[0]), times: Int(numbers[1]))
    case ("accounts", 0): try await bench.openAccounts()
    case ("post", 2): return try await bench.post(clients: Int(numbers[0]), seconds: numbers[1])
    case ("entry", 0): try await bench.post(to: 1)
    case ("subscriptions", 1): try await bench.subscribe(Int(numbers[0]))
    case ("renew", 2): return try await bench.renew(round: Int(numbers[0]), most: Int(numbers[1]))
    case ("neighbours", 2):
      let neighbours = try await Neighbours(server: bench.server)
      let figures = try await neighbours.measure(rounds: Int(numbers[0]), seconds: numbers[1])
      await neighbours.stop()
      return figures
    default: throw Broken(words: usage)
    }
    return [:]
  }

  private static func say(_ answer: some Encodable) {
    let line = (try? JSONEncoder().encode(answer)) ?? Data("{}".utf8)
    FileHandle.standardOutput.write(line + Data("\n".utf8))
  }
}
