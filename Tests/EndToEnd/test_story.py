"""The story of the product: true in a browser, and through the JSON API alike."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import httpx
from playwright.sync_api import Page, expect

from city import City, Mailbox, eventually
from people import enter, person, program, register

JSON = {"Accept": "application/json"}
QUESTION = {
    "title": "협재 해변 주차장은 몇 시에 비어요?",
    "body": "주말 오후에 아이들과 가려고 해요. 조금 걸어도 괜찮아요.",
    "category": "traffic",
    "hashtags": ["협재", "주차"],
    "place": {"name": "협재해수욕장", "latitude": 33.3940, "longitude": 126.2397},
    "urgency": "normal",
}


def sign_out(page: Page) -> None:
    page.get_by_role("button", name=re.compile("로그아웃하기|Sign out")).first.click()


def test_the_story_in_a_browser(city: City, mailbox: Mailbox, open_page, url) -> None:
    mina, jun = person("미나"), person("준호")
    asker, answerer = open_page(), open_page()

    # 1. A visitor sees the city: ten tenants, in Korean or English.
    asker.goto(url("", "/"))
    expect(asker.locator(".tile")).to_have_count(10)
    expect(asker.locator(".tile", has_text="My-Ktube")).not_to_contain_text("곧 열려요")
    asker.get_by_role("banner").get_by_role("link", name="English").click()
    expect(asker.get_by_role("heading", level=1)).to_contain_text("the whole city is open")
    asker.get_by_role("banner").get_by_role("link", name="한국어").click()

    # 2. She registers, confirms by mail, and is back where she came from, signed in.
    asker.goto(url("busan", "/questions"))
    register(asker, mailbox, mina)
    assert asker.url.startswith(url("busan", "/"))

    # 3. At Jeju she is signed in with one click and no typing.
    asker.goto(url("jeju", "/"))
    asker.get_by_role("banner").get_by_role("link", name="로그인하기").click()
    expect(asker.get_by_role("button", name="로그아웃하기").first).to_be_visible()
    assert asker.url.startswith(url("jeju", "/"))

    # She asks.
    asker.goto(url("jeju", "/questions/new"))
    asker.locator("#title").fill(QUESTION["title"])
    asker.locator("#body").fill(QUESTION["body"])
    asker.locator("#category").select_option(QUESTION["category"])
    asker.locator("#hashtags").fill("협재 주차")
    asker.locator("[name=placeName], [name=place_name], #place").first.fill(QUESTION["place"]["name"])
    asker.locator("[name=latitude]").fill(str(QUESTION["place"]["latitude"]))
    asker.locator("[name=longitude]").fill(str(QUESTION["place"]["longitude"]))
    asker.locator("[name=urgency][value=urgent]").check(force=True)
    asker.get_by_role("main").get_by_role("button", name="질문 올리기").click()
    expect(asker.get_by_role("heading", level=1)).to_have_text(QUESTION["title"])
    question_url = asker.url

    # 5a. Within a second of the act it stands on her timeline.
    record = asker.context.new_page()
    record.goto(url("", "/account"))
    eventually(
        "the question on her timeline",
        lambda: record.reload() and record.locator(".timeline li.t-jeju", has_text="교통 질문").count(), 5)

    # A second person answers.
    answerer.goto(question_url)
    register(answerer, mailbox, jun)
    answerer.goto(question_url)
    answerer.locator("textarea[name=body]").fill("오전 열 시 전이면 자리가 있어요. 금능 쪽 주차장도 넓어요.")
    answerer.get_by_role("button", name="답변 올리기").click()
    expect(answerer.locator(".cards .card")).to_contain_text("금능 쪽")

    # She accepts; clicking twice does no harm; his points are there, once.
    asker.goto(question_url)
    asker.get_by_role("button", name="채택하기").first.dblclick()
    expect(asker.locator(".card.picked")).to_contain_text("금능 쪽")
    answerer.goto(url("", "/points"))
    eventually("his points", lambda: answerer.reload() and "30" in answerer.get_by_role("main").inner_text(), 5)

    # Lists, filters, Korean search.
    asker.goto(url("jeju", "/questions?category=traffic&tag=협재"))
    expect(asker.locator(".rows li").first).to_contain_text(QUESTION["title"])
    asker.goto(url("jeju", "/"))
    asker.get_by_role("searchbox").fill("협재 주차")
    asker.get_by_role("searchbox").press("Enter")
    expect(asker.locator(".rows li").first).to_contain_text("협재")

    # 4. At UnivPrepAI she practises and sees right or wrong, and why.
    asker.goto(url("univprep", "/"))
    asker.get_by_role("banner").get_by_role("link", name="로그인하기").click()
    asker.get_by_role("main").get_by_role("button").first.click()
    item = asker.get_by_role("main")
    if asker.locator("input[type=radio]").count():
        asker.locator("input[type=radio]").first.check(force=True)
    else:
        asker.locator("#answer").fill("7")
    item.get_by_role("button", name="답 내기").click()
    expect(asker.locator(".verdict")).to_be_visible()
    expect(asker.get_by_role("heading", name="왜 그럴까요?")).to_be_visible()

    # 5. One timeline of both tenants, newest first.
    record.goto(url("", "/account"))
    eventually(
        "both tenants on one timeline",
        lambda: record.reload() and record.locator(".timeline li.t-univprep").count() and record.locator(".timeline li.t-jeju").count())
    times = record.locator(".timeline time").evaluate_all("all => all.map(t => t.getAttribute('datetime'))")
    assert times == sorted(times, reverse=True)

    # 6. She signs out at Jeju: she is signed out everywhere.
    asker.goto(url("jeju", "/"))
    sign_out(asker)
    expect(asker.get_by_role("banner").get_by_role("link", name="로그인하기")).to_be_visible()
    for host in ("univprep", "busan"):
        asker.goto(url(host, "/"))
        expect(asker.get_by_role("banner").get_by_role("link", name="로그인하기")).to_be_visible()
    record.goto(url("", "/account"))
    assert record.url.startswith(url("id", "/signin")), record.url


def ask(client: httpx.Client, city: City, key: str | None = None, **changes: object) -> httpx.Response:
    headers = JSON | ({"Idempotency-Key": key} if key else {})
    return client.post(city.url("jeju", "/questions"), json=QUESTION | changes, headers=headers)


def test_the_story_through_the_api(city: City, mailbox: Mailbox, api) -> None:
    services = api().get(city.url("", "/"), headers=JSON).json()["services"]
    assert len(services) == 10 and sum(service["open"] for service in services) == 10

    asker = program(api(), city, mailbox, person("미나"))
    answerer = program(api(), city, mailbox, person("준호"))
    for client in (asker, answerer):
        for host in ("", "jeju", "univprep"):
            enter(client, city, host)

    # The same request with the same key is one question; with another body it is refused.
    first = ask(asker, city, "ask-1")
    again = ask(asker, city, "ask-1")
    assert first.status_code == 201, first.text
    assert again.status_code in (200, 201) and again.json()["id"] == first.json()["id"]
    other = ask(asker, city, "ask-1", title="다른 질문을 같은 키로 보내요")
    assert other.status_code == 409 and other.json()["type"].endswith("/idempotency-key-reused")
    question = first.json()["id"]

    answer = answerer.post(
        city.url("jeju", f"/questions/{question}/answers"), json={"body": "오전 열 시 전이면 자리가 있어요."}, headers=JSON
    )
    assert answer.status_code == 201, answer.text

    # Accepted by thirty-two requests at once: every one says the same, the points come once.
    def accept(_: int) -> int:
        return asker.post(city.url("jeju", f"/answers/{answer.json()['id']}/accept"), json={}, headers=JSON).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(accept, range(32))) <= {200, 201}

    def points() -> int:
        return int(answerer.get(city.url("", "/points"), headers=JSON).json()["balance"])

    assert eventually("the points", points) == 30
    assert accept(0) in (200, 201)
    done = city.run("audit", "verify")
    assert done.returncode == 0 and "balanced" in done.stdout, done.stderr
    assert points() == 30

    # A hundred items a month over all prep tenants together; the 101st is refused everywhere.
    enter(asker, city, "dreamseed")
    served = 0
    for number in range(100):
        host = ("univprep", "dreamseed")[number % 2]
        started = asker.post(city.url(host, "/practice"), json={}, headers=JSON)
        assert started.status_code == 201, (number, started.text)
        item = started.json()
        done = asker.post(city.url(host, f"/practice/{item['id']}/answer"), json={"skip": True}, headers=JSON)
        assert done.status_code == 200, done.text
        served += 1
    for host in ("univprep", "dreamseed"):
        refused = asker.post(city.url(host, "/practice"), json={}, headers=JSON)
        assert refused.status_code == 402, refused.text
        problem = refused.json()
        assert problem["type"].endswith("/problems/quota-exceeded")
        assert problem["limit"] == 100 and problem["renews"] and problem["plans"]
    page = asker.post(
        city.url("univprep", "/practice"), json={}, headers={"Accept": "text/html"})
    assert page.status_code == 402 and "100" in page.text and "<main" in page.text

    # One timeline of both tenants, ordered by time.
    def both() -> list[dict] | None:
        entries = asker.get(city.url("", "/account/timeline?limit=100"), headers=JSON).json()["entries"]
        return entries if len(entries) >= 100 else None

    entries = eventually("the whole record", both)
    # Within a second of each act.
    def seconds(entry: dict) -> float:
        happened, stored = (datetime.fromisoformat(entry[name]) for name in ("timestamp", "stored"))
        return (stored - happened).total_seconds()

    assert max(map(seconds, entries)) < 1
    times = [entry["timestamp"] for entry in entries]
    assert times == sorted(times, reverse=True)

    # Signed out at one site, she is signed out everywhere.
    out = asker.post(city.url("jeju", "/signout"), json={}, headers=JSON, follow_redirects=True)
    assert out.status_code in (200, 204), out.text
    for host, path in (("jeju", "/me/questions"), ("univprep", "/history"), ("", "/points")):
        assert asker.get(city.url(host, path), headers=JSON).status_code == 401, host
