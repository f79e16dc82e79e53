import Kit
import Web

extension Portal {
  /// Charts of every kind for the page of components: one and several series, below zero, many places, one, none.
  static func designCharts(_ visit: Visit) -> [[String: any Sendable]] {
    let format = visit.format
    let won: @Sendable (Int64) -> String = { format.money(Money($0, .krw)) }
    let count: @Sendable (Int64) -> String = { format.number($0) }
    let months = (1...12).map { "\($0)월" }
    let days = (1...90).map { "\(($0 - 1) / 30 + 1)월 \(($0 - 1) % 30 + 1)일" }
    let waves = days.indices.map { Int64(400 + $0 * 6 + ($0 * 37) % 120) }
    let charts = [
      Chart(
        .stacked, title: "요금제별 매출, 2026년", labels: months,
        series: [
          .init("Student", (1...12).map { 8_200_000 + $0 * 910_000 }),
          .init("Premium", (1...12).map { 3_100_000 + $0 * $0 * 120_000 }),
          .init("가족", (1...12).map { 400_000 + $0 * 230_000 }),
          .init("환불", (1...12).map { -150_000 - ($0 % 4) * 190_000 }),
        ], format: won),
      Chart(
        .bar, title: "서비스별 구독자, 지난달과 이번 달", labels: ["드림시드AI", "유니브프렙AI", "메이저프렙AI", "칼리지프렙AI", "스킬프렙AI", "My-Ktube"],
        series: [.init("지난달", [7_412, 2_801, 1_240, 980, 310, 0]), .init("이번 달", [8_214, 3_020, 1_198, 1_010, 402, 120])],
        format: count),
      Chart(
        .line, title: "하루에 푼 문제, 최근 90일", labels: days,
        series: [
          .init("입시", waves), .init("전공", waves.map { $0 / 2 + 90 }), .init("자격", waves.reversed().map { $0 / 3 }),
        ], format: count),
      Chart(
        .bar, title: "첫 답까지 걸린 시간(분), 최근 7일", labels: ["월", "화", "수", "목", "금", "토", "일"],
        series: [.init("분", [9, 8, 7, 9, 6, 6, 6])], format: count),
      Chart(.bar, title: "한 달뿐일 때", labels: ["11월"], series: [.init("매출", [19_900])], format: won),
      Chart(.line, title: "값이 없을 때", labels: [], series: [], format: count),
    ]
    return charts.map { $0.model(visit) }
  }
}
