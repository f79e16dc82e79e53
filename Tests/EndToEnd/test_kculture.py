"""A Hangul lesson at My-Ktube: in a browser, without JavaScript too, and through the JSON API."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from city import ROOT, City, Mailbox, eventually
from conftest import PHONE
from people import enter, person, program, register

JSON = {"Accept": "application/json"}
STEPS: dict[str, dict[str, Any]] = {
    step["id"]: step
    for step in map(json.loads, (ROOT / "content/hangul-path/lessons.jsonl").read_text().splitlines())
}


def right(exercise: dict[str, Any], shown: list[str]) -> str | int:
    """The right answer as a program sends it; of choices, the place among those shown."""
    if exercise["kind"] == "sound":
        return exercise["place"]
    if "choices" in exercise:
        assert len(shown) == len(exercise["choices"])
        return exercise["choices"].index(exercise["answer"])
    answer = exercise["answer"]
    return " ".join(answer) if isinstance(answer, list) else answer


def solve(page: Page, exercise: dict[str, Any]) -> None:
    """Answers the exercise on the page by hand, rightly, and goes on."""
    main = page.get_by_role("main")
    match exercise["kind"]:
        case "build":
            for place, letter in zip(("initial", "medial", "final"), letters(exercise["answer"])):
                if letter:
                    page.locator(f"input[name={place}][value='{letter}']").check(force=True)
        case "type" | "order":
            pieces = exercise["answer"]
            for piece in pieces if isinstance(pieces, list) else [p for p in pieces if p != " "]:
                main.get_by_role("link", name=piece, exact=True).first.click()
            expect(page.locator("#answer")).to_have_value("".join(pieces) if isinstance(pieces, str) else " ".join(pieces))
        case _:
            page.locator("input[name=answer]").nth(int(right(exercise, exercise.get("choices", [])))).check(force=True)
    main.locator("form .dock button").first.click()


def letters(block: str) -> tuple[str, str, str]:
    """A syllable block taken apart (Unicode, Hangul Syllables)."""
    place = ord(block) - 0xAC00
    finals = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
    return (
        "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"[place // 588],
        "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"[place % 588 // 28],
        finals[place % 28].strip(),
    )


@pytest.mark.parametrize("options", [PHONE, {"java_script_enabled": False}], ids=["phone", "without-javascript"])
def test_a_lesson_in_a_browser(city: City, mailbox: Mailbox, open_page, url, options: dict[str, Any]) -> None:
    page = open_page(**options)

    # A visitor looks at the path and reads what the first step explains.
    page.goto(url("my-ktube", "/"))
    expect(page.locator(".path li")).to_have_count(40)
    page.get_by_role("link", name="첫걸음 둘러보기").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("첫 모음 ㅏ와 ㅣ")
    expect(page.locator(".syllable figcaption").first).to_have_text(re.compile(r"ㅇ \+ ㅏ\s*→\s*아"))
    register(page, mailbox, person("미나"))

    # She begins with one button.
    page.goto(url("my-ktube", "/"))
    page.get_by_role("button", name="첫 레슨 시작하기").click()
    page.get_by_role("button", name=re.compile("^연습하기")).click()
    lesson = page.url

    # A wrong answer is explained; the rest she gets right.
    exercises = STEPS["hangul-01"]["body"]["exercises"]
    first = exercises[0]
    page.locator("input[name=answer]").nth(1 - first["choices"].index(first["answer"])).check(force=True)
    page.get_by_role("button", name="답 내기").click()
    expect(page.locator(".verdict")).to_contain_text("아쉬워요")
    expect(page.get_by_role("heading", name="같이 볼까요?")).to_be_visible()
    for exercise in exercises[1:]:
        page.goto(lesson)
        solve(page, exercise)
        expect(page.locator(".verdict")).to_contain_text("맞았어요")
    page.get_by_role("link", name="결과 보기").click()
    expect(page.get_by_role("main")).to_contain_text("6문제 중 5문제를 맞혔어요")
    expect(page.get_by_role("main")).to_contain_text("새 카드 4장이 생겼어요.")

    # Its cards come at once, and each goes to the day that her answer gives it.
    page.get_by_role("link", name="카드 복습하기").click()
    for left in (4, 3, 2, 1):
        expect(page.get_by_text(f"{left}장 남았어요", exact=True).first).to_be_visible()
        page.get_by_role("link", name="뒤집어 보기").click()
        expect(page.get_by_role("button", name=re.compile("떠올랐어요"))).to_contain_text("2일 뒤")
        page.get_by_role("button", name=re.compile("떠올랐어요")).click()
    expect(page.get_by_role("main")).to_contain_text("오늘 카드 4장을 복습했어요")
    expect(page.get_by_role("main")).to_contain_text(re.compile(r"\d+년 \d+월 \d+일에 카드 4장이 돌아와요"))
    page.goto(url("my-ktube", "/"))
    expect(page.locator(".path li").first).to_contain_text("83점")
    expect(page.get_by_role("heading", level=1)).to_have_text("ㅓ와 ㅗ")

    # The lesson is on her timeline.
    page.goto(url("", "/account"))
    eventually(
        "the lesson on her timeline",
        lambda: page.reload() and page.locator(".timeline li.t-my-ktube", has_text="카드를 떠올렸어요").count() >= 4, 5)
    lesson_done = page.locator(".timeline li.t-my-ktube", has_text="끝까지 마쳤어요: 첫 모음 ㅏ와 ㅣ")
    expect(lesson_done).to_contain_text("83점")


def test_a_lesson_through_the_api(city: City, mailbox: Mailbox, api, url) -> None:
    client = program(api(headers=JSON), city, mailbox, person("준호"))
    enter(client, city, "my-ktube")
    site = lambda path: url("my-ktube", path)

    path = client.get(site("/")).json()
    assert len(path["steps"]) == 40 and path["next"] == "hangul-01" and path["dueCards"] == 0
    left = path["allowance"]["left"]
    closed = client.get(site("/steps/hangul-30")).json()
    assert not closed["open"] and "parts" not in closed

    started = client.post(site("/steps/hangul-30/start"), json={})
    assert started.status_code == 201, started.text
    lesson = started.json()
    assert client.post(site("/steps/hangul-30/start"), json={}).json()["id"] == lesson["id"]
    assert client.get(site("/")).json()["allowance"]["left"] == left - 1
    assert client.post(site(f"/lessons/{lesson['id']}/complete"), json={}).status_code == 409

    for shown, exercise in zip(lesson["exercises"], STEPS["hangul-30"]["body"]["exercises"], strict=True):
        assert "result" not in shown
        address = site(f"/lessons/{lesson['id']}/exercises/{shown['number']}")
        body = {"answer": right(exercise, shown["choices"])}
        answers = [client.post(address, json=body) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
        assert answers[0].json() == answers[1].json()
        assert client.get(address).json()["result"]["correct"] is True
        assert client.post(address, json={"skip": True}).status_code == 409
    done = client.post(site(f"/lessons/{lesson['id']}/complete"), json={}).json()
    assert done["score"] == 1 and done["cardsAdded"] == 6

    review = client.get(site("/review")).json()
    assert review["due"] == 6 and len(review["cards"]) == 6
    card = review["cards"][0]
    assert card["pronunciation"] == "궁물" and card["romanization"] == "gungmul"
    assert [answer["recall"] for answer in card["answers"]] == ["again", "hard", "good", "easy"]
    grade = {"recall": "good", "review": card["reviews"] + 1}
    graded = [client.post(site(f"/cards/{card['id']}/grade"), json=grade) for _ in range(2)]
    assert [answer.status_code for answer in graded] == [200, 200] and graded[0].json() == graded[1].json()
    assert not graded[0].json()["isDue"] and graded[0].json()["due"] > card["due"]
    assert client.post(site(f"/cards/{card['id']}/grade"), json={"recall": "easy"}).status_code == 409
    review = client.get(site("/review")).json()
    assert review["due"] == 5 and review["reviewedToday"] == 1 and review["nextDue"] == graded[0].json()["due"]

    operations = client.get(site("/openapi.json")).json()["paths"]
    assert {"/steps/{step}/start", "/lessons/{id}/exercises/{number}", "/cards/{id}/grade", "/read"} <= operations.keys()


def test_what_a_lesson_refuses(city: City, mailbox: Mailbox, api, url) -> None:
    client = program(api(headers=JSON), city, mailbox, person("수아"))
    stranger = api(headers=JSON)
    site = lambda path: url("my-ktube", path)
    assert stranger.get(site("/steps/hangul-01")).json()["parts"]
    assert stranger.get(site("/review")).status_code == 401
    assert stranger.post(site("/steps/hangul-01/start"), json={}).status_code == 401
    enter(client, city, "my-ktube")
    assert client.post(site("/steps/no-such-step/start"), json={}).status_code == 404
    lesson = client.post(site("/steps/hangul-01/start"), json={}).json()["id"]
    exercise = site(f"/lessons/{lesson}/exercises/1")
    for body in ({}, {"answer": 9}, {"answer": "ㅏ"}, {"answer": [0]}, {"answer": -1}):
        refused = client.post(exercise, json=body)
        assert refused.status_code == 422 and refused.json()["errors"][0]["field"] == "answer", (body, refused.text)
    typed = site(f"/lessons/{lesson}/exercises/6")
    assert client.post(typed, json={"answer": "아" * 101}).status_code == 422
    assert client.post(site(f"/lessons/{lesson}/exercises/99"), json={"answer": 0}).status_code == 404

    other = program(api(headers=JSON), city, mailbox, person("도윤"))
    enter(other, city, "my-ktube")
    assert other.get(site(f"/lessons/{lesson}")).status_code == 404
    assert other.post(exercise, json={"answer": 0}).status_code == 404

    # Hangul is Hangul, however it is encoded: letters one by one are put together.
    assert client.post(typed, json={"answer": "ㅇㅏㅇㅣ"}).json()["exercises"][5]["result"]["correct"] is True

    for text in ("", "hello", "가" * 101):
        assert client.get(site("/read"), params={"text": text}).status_code == 422
    read = client.get(site("/read"), params={"text": "꽃잎 같이"}).json()
    assert [word["romanization"] for word in read["words"]] == ["kkonnip", "gachi"]
    assert read["words"][0]["blocks"][0]["jamo"] == ["ㄲ", "ㅗ", "ㅊ"]
