import Foundation
import Testing

@testable import KCulture

/// 표준발음법 and 로마자 표기법.
@Suite("Reading") struct ReadingTests {
  private let reading: KoreanReading

  init() throws { reading = try KoreanReading(lexicon: .shipped()) }

  @Test(
    "each word of shared/korean-vectors.md is pronounced and romanized as there",
    arguments: [
      ("국물", "궁물", "gungmul"), ("먹는", "멍는", "meongneun"), ("읊는", "음는", "eumneun"), ("맑다", "막따", "makda"),
      ("밟는", "밤는", "bamneun"), ("여덟", "여덜", "yeodeol"), ("핥다", "할따", "halda"), ("닭을", "달글", "dalgeul"),
      ("좋고", "조코", "joko"), ("싫소", "실쏘", "silso"), ("놓는", "논는", "nonneun"), ("굳이", "구지", "guji"),
      ("해돋이", "해도지", "haedoji"), ("같이", "가치", "gachi"), ("난로", "날로", "nallo"), ("신라", "실라", "Silla"),
      ("의견란", "의견난", "uigyeonnan"), ("공권력", "공꿘녁", "gonggwonnyeok"), ("종로", "종노", "Jongno"),
      ("왕십리", "왕심니", "Wangsimni"), ("꽃잎", "꼰닙", "kkonnip"), ("서울역", "서울력", "Seoullyeok"),
      ("문고리", "문꼬리", "mungori"), ("콧날", "콘날", "konnal"), ("디귿이", "디그시", "digeusi"),
      ("집현전", "지편전", "Jiphyeonjeon"), ("한라산", "할라산", "Hallasan"), ("별내", "별래", "Byeollae"), ("월곶", "월곧", "Wolgot"),
    ])
  func vectors(_ word: String, _ pronunciation: String, _ letters: String) {
    #expect(reading.pronunciation(of: word) == pronunciation)
    #expect(reading.romanization(of: word) == letters)
    // Told that it is a name, it reads the same.
    if letters.first?.isUppercase == true {
      #expect(reading.pronunciation(of: word, as: .name) == pronunciation)
      #expect(reading.romanization(of: word, as: .name) == letters)
    }
  }

  @Test("신고, the verb of shared/korean-vectors.md, is [신꼬], the noun [신고]; letters don't tell them apart")
  func homograph() {
    #expect(reading.pronunciation(of: "신고", as: .verb) == "신꼬")
    #expect(reading.pronunciation(of: "신고", as: .noun) == "신고")
    #expect(reading.pronunciation(of: "신고") == "신고")
    #expect(reading.romanization(of: "신고", as: .verb) == "singo")
  }

  @Test(
    "examples of 표준발음법",
    arguments: [
      // 제5항
      ("가져", "가저"), ("다쳐", "다처"), ("붙여", "부처"), ("희망", "히망"), ("무늬", "무니"), ("주의", "주의"), ("협의", "혀븨"),
      // 제9항…제11항
      ("닦다", "닥따"), ("키읔과", "키윽꽈"), ("넋과", "넉꽈"), ("앉다", "안따"), ("외곬", "외골"), ("없다", "업따"), ("밟다", "밥따"),
      ("밟게", "밥께"), ("넓죽하다", "넙쭈카다"), ("넓둥글다", "넙뚱글다"), ("흙과", "흑꽈"), ("늙지", "늑찌"), ("젊다", "점따"),
      ("읊고", "읍꼬"), ("맑게", "말께"), ("묽고", "물꼬"), ("읽거나", "일꺼나"),
      // 제12항
      ("쌓지", "싸치"), ("않던", "안턴"), ("닳지", "달치"), ("각하", "가카"), ("밝히다", "발키다"), ("맏형", "마텽"), ("넓히다", "널피다"),
      ("꽂히다", "꼬치다"), ("앉히다", "안치다"), ("숱하다", "수타다"), ("닿소", "다쏘"), ("많소", "만쏘"), ("쌓네", "싼네"),
      ("않네", "안네"), ("뚫네", "뚤레"), ("낳은", "나은"), ("싫어도", "시러도"), ("꽃하고", "꼬타고"),
      // 제13항…제16항
      ("깎아", "까까"), ("있어", "이써"), ("밭에", "바테"), ("넋이", "넉씨"), ("핥아", "할타"), ("읊어", "을퍼"), ("값을", "갑쓸"),
      ("겉옷", "거돋"), ("헛웃음", "허두슴"), ("맛없다", "마덥따"), ("값어치", "가버치"), ("값있는", "가빈는"), ("키읔에", "키으게"),
      ("피읖을", "피으블"), ("히읗에", "히으세"),
      // 제17항
      ("미닫이", "미다지"), ("밭이", "바치"), ("벼훑이", "벼훌치"), ("닫히다", "다치다"), ("묻혔다", "무첟따"),
      // 제18항…제20항
      ("깎는", "깡는"), ("몫몫이", "몽목씨"), ("긁는", "긍는"), ("옷맵시", "온맵씨"), ("값매다", "감매다"), ("담력", "담녁"),
      ("막론", "망논"), ("협력", "혐녁"), ("광한루", "광할루"), ("대관령", "대괄령"), ("닳는", "달른"), ("핥네", "할레"),
      ("결단력", "결딴녁"), ("횡단로", "횡단노"), ("입원료", "이붠뇨"),
      // 제23항…제28항
      ("국밥", "국빱"), ("칡범", "칙뻠"), ("옆집", "엽찝"), ("읊조리다", "읍쪼리다"), ("껴안다", "껴안따"), ("닮고", "담꼬"),
      ("굶기다", "굼기다"), ("안기다", "안기다"), ("넓게", "널께"), ("떫지", "떨찌"), ("여덟도", "여덜도"), ("갈등", "갈뜽"),
      ("발전소", "발쩐소"), ("몰상식", "몰쌍식"), ("불세출", "불쎄출"), ("할수록", "할쑤록"), ("할게요", "할께요"), ("길가", "길까"), ("발바닥", "발빠닥"),
      // 제29항, 제30항
      ("솜이불", "솜니불"), ("색연필", "생년필"), ("직행열차", "지캥녈차"), ("식용유", "시굥뉴"), ("물약", "물략"), ("송별연", "송벼련"),
      ("한여름", "한녀름"), ("십육", "심뉵"), ("냇가", "내까"), ("깃발", "기빨"), ("깻잎", "깬닙"), ("나뭇잎", "나문닙"), ("뒷윷", "뒨뉻"),
    ])
  func standard(_ word: String, _ pronunciation: String) {
    #expect(reading.pronunciation(of: word) == pronunciation)
  }

  @Test(
    "examples of 로마자 표기법",
    arguments: [
      ("구미", "Gumi"), ("영동", "yeongdong"), ("합덕", "hapdeok"), ("호법", "hobeop"), ("한밭", "hanbat"), ("설악", "seorak"),
      ("칠곡", "chilgok"), ("임실", "imsil"), ("알약", "allyak"), ("학여울", "Hangnyeoul"), ("백마", "baengma"), ("맞히다", "machida"),
      ("놓다", "nota"), ("잡혀", "japyeo"), ("낳지", "nachi"), ("묵호", "Mukho"), ("압구정", "Apgujeong"), ("낙동강", "Nakdonggang"),
      ("팔당", "Paldang"), ("샛별", "saetbyeol"), ("울산", "Ulsan"), ("광희문", "Gwanghuimun"), ("충청북도", "Chungcheongbuk-do"),
      ("제주도", "Jeju-do"), ("속리산", "Songnisan"), ("극락전", "Geungnakjeon"), ("촉석루", "Chokseongnu"), ("독립문", "Dongnimmun"),
      ("안압지", "Anapji"), ("오죽헌", "Ojukheon"), ("없어요", "eopseoyo"), ("떡볶이", "tteokbokki"), ("축하해요", "chukahaeyo"),
    ])
  func letters(_ word: String, _ letters: String) {
    #expect(reading.romanization(of: word) == letters)
  }

  @Test("the class of a word decides what its letters can't")
  func wordClass() {
    #expect(reading.pronunciation(of: "감자") == "감자")
    #expect(reading.pronunciation(of: "감자", as: .verb) == "감짜")
    #expect(reading.pronunciation(of: "남자") == "남자")
    #expect(reading.romanization(of: "입학", as: .noun) == "iphak")
    #expect(reading.romanization(of: "급히", as: .other) == "geupi")
    #expect(reading.romanization(of: "집현전이에요") == "Jiphyeonjeonieyo")
    #expect(reading.romanization(of: "별빛", as: .name) == "Byeolbit")
    #expect(reading.romanization(of: "서울", as: .noun) == "seoul")
  }

  @Test("a noun of the lexicon is known before its particles, a stem before its endings")
  func inflected() {
    #expect(reading.pronunciation(of: "꽃잎이") == "꼰니피")
    #expect(reading.pronunciation(of: "서울역에서") == "서울려게서")
    #expect(reading.romanization(of: "서울역에서") == "Seoullyeogeseo")
    #expect(reading.pronunciation(of: "맛없어요") == "마덥써요")
    #expect(reading.pronunciation(of: "열심히") == "열씸히")
  }

  @Test("a text is read word by word; what is no Hangul stays, and conjoining jamo read like syllables")
  func text() {
    #expect(reading.pronunciation(of: "국물, K-팝 2!") == "궁물, K-팝 2!")
    #expect(reading.romanization(of: "만나서 반갑습니다.") == "mannaseo bangapseumnida.")
    #expect(reading.pronunciation(of: "국물".decomposedStringWithCanonicalMapping) == "궁물")
    #expect(reading.pronunciation(of: "") == "")
    #expect(reading.pronunciation(of: "ㅋㅋ") == "ㅋㅋ")
  }

  @Test(
    "a bound noun is tense after a verb in -(으)ㄹ (제27항), not after a noun",
    arguments: [
      ("할 수 있어요", "할 쑤 이써요"), ("내일 갈 거예요.", "내일 갈 꺼예요."), ("먹을 것이", "머글 꺼시"), ("오늘 거예요", "오늘 거예요"),
      ("갈, 거예요", "갈, 거예요"), ("서울 데", "서울 데"),
    ])
  func modified(_ text: String, _ spoken: String) {
    #expect(reading.pronunciation(of: text) == spoken)
  }

  @Test("without a lexicon the rules still read what letters show")
  func rulesAlone() {
    let rules = KoreanReading(lexicon: .empty)
    #expect(rules.pronunciation(of: "국물") == "궁물")
    #expect(rules.pronunciation(of: "서울역") == "서우력")
  }

  @Test("every pair of syllables is read in syllables, and letters are plain")
  func total() {
    let finals: [Character?] = [nil] + Hangul.finals.map(Optional.some)
    for final in finals {
      for initial in Hangul.initials {
        for medial in "ㅏㅕㅢㅣ" {
          guard let first = Syllable(initial: "ㅂ", medial: "ㅏ", final: final),
            let second = Syllable(initial: initial, medial: medial)
          else {
            Issue.record("no syllable")
            continue
          }
          let word = String([first.character, second.character])
          let spoken = reading.pronunciation(of: word)
          #expect(spoken.count == 2 && spoken.allSatisfy { Syllable($0) != nil }, "\(word) → \(spoken)")
          let finalsHeard = spoken.compactMap { Syllable($0)?.finalJamo }
          #expect(finalsHeard.allSatisfy { "ㄱㄴㄷㄹㅁㅂㅇ".contains($0) }, "\(word) → \(spoken)")
          #expect(reading.romanization(of: word, as: .noun).allSatisfy { ("a"..."z").contains($0) })
        }
      }
    }
  }

  @Test(
    "a lexicon whose parts don't spell its word is refused, and told why",
    arguments: [
      #"{"words": {"꽃잎": "꽃+입"}}"#, #"{"words": {"꽃잎": "+꽃잎"}}"#, #"{"stems": {"맛없": "맛|"}}"#, #"{"words": {"꽃잎": "꽃+|잎"}}"#,
      #"{"respelled": {"디귿": "디x"}}"#,
    ])
  func misspelt(_ json: String) {
    #expect(throws: LexiconError.self) { try Lexicon(json: json) }
  }

  @Test("a lexicon of another form is refused", arguments: ["", "[]", #"{"words": {"신고": {"adverb": "신고"}}}"#])
  func malformed(_ json: String) {
    #expect(throws: DecodingError.self) { try Lexicon(json: json) }
  }
}
