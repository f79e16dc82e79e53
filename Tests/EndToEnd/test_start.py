"""Where a person begins: a few answers, the service that fits, and why; by form, by program, with and without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from conftest import PHONE

JSON = {"Accept": "application/json"}
KOREAN_PHONE = PHONE | {"viewport": {"width": 360, "height": 800}, "device_scale_factor": 1}


@pytest.mark.parametrize(
    ("told", "tenant", "rule"),
    [
        ({"goal": "general", "age": 18}, "dreamseed", 1),
        ({"goal": "general", "age": 19}, "dreamseed", 10),
        ({"goal": "university"}, "univprep", 2),
        ({"goal": "college"}, "collegeprep", 3),
        ({"goal": "career"}, "skillprep", 4),
        ({"goal": "medical"}, "mediprep", 5),
        ({"goal": "major", "major": "physics"}, "majorprep", 6),
        ({"goal": "culture"}, "my-ktube", 7),
        ({"goal": "town", "place": "해운대"}, "busan", 8),
        ({"latitude": 33.6, "longitude": 126.9}, "jeju", 8),
        ({"goal": "town", "place": "서울"}, "jeju", 9),
        ({}, "dreamseed", 10),
    ],
)
def test_programs_are_told_where_and_why(api, url, told, tenant, rule):
    answer = api().post(url("", "/route"), json=told, headers=JSON)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["tenant"]["id"], found["rule"]) == (tenant, rule)
    assert found["tenant"]["url"] == url(tenant, "/?from=route")
    assert all(reason["text"] and "{" not in reason["text"] for reason in found["reasons"])
    assert [passed["rule"] for passed in found["passed"]] == list(range(1, rule))
    assert all(passed["reasons"] for passed in found["passed"])


def test_reasons_speak_both_languages(api, url):
    texts = [
        api().post(url("", "/route"), json={"goal": "medical"}, headers=JSON | {"Accept-Language": language}).json()
        for language in ("ko", "en")
    ]
    assert texts[0]["reasons"][0]["code"] == texts[1]["reasons"][0]["code"] == "goal.holds"
    assert re.search("[가-힣]", texts[0]["reasons"][0]["text"])
    assert not re.search("[가-힣]", texts[1]["reasons"][0]["text"])


def test_what_cannot_be_is_refused_field_by_field(api, url):
    told = {"goal": "flying", "age": 200, "place": "달나라", "latitude": 95}
    answer = api().post(url("", "/route"), json=told, headers=JSON)
    assert answer.status_code == 422
    assert {"goal", "age", "place", "latitude"} <= {error["field"] for error in answer.json()["errors"]}


def test_it_is_in_the_api_document(api, url):
    paths = api().get(url("", "/openapi.json")).json()["paths"]
    assert paths["/route"]["post"]["operationId"] == "route"
    assert paths["/why/{tenant}"]["get"]["operationId"] == "explainRouting"


def test_the_rules_are_public(api, url):
    client = api()
    rules = client.get(url("", "/why/jeju"), headers=JSON).json()["rules"]
    assert [rule["rule"] for rule in rules if rule["leads"]] == [8, 9]
    assert client.get(url("", "/why/nowhere"), headers=JSON).status_code == 404


def test_from_the_first_page_to_a_town(page: Page, url):
    page.goto(url())
    page.get_by_role("link", name="어디서 시작할지 찾아보기").click()
    # The first page has these words too: only the choice will do.
    page.get_by_role("radio", name=re.compile("^동네 질문")).check()
    page.get_by_label("어디에 계세요?").fill("서귀포")
    page.get_by_role("button", name="맞는 곳 찾기").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("제주")
    expect(page.get_by_role("main")).to_contain_text("구역 안")
    page.get_by_role("link", name=re.compile("열기")).click()
    expect(page).to_have_url(url("jeju", "/?from=route"))


def test_without_javascript_and_with_a_place_nobody_knows(open_page, url):
    page = open_page(java_script_enabled=False, locale="en-US")
    page.goto(url("", "/start"))
    page.get_by_label("Korean culture").check()
    page.get_by_label("Where are you?").fill("Atlantis")
    page.get_by_role("button", name="Find my place").click()
    expect(page.locator("#place-error")).to_contain_text("We do not know this place")
    expect(page.get_by_label("Korean culture")).to_be_checked()
    page.get_by_label("Where are you?").fill("Busan")
    page.get_by_role("button", name="Find my place").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Begin at My-Ktube")
    # The town she is in is shown beside.
    expect(page.get_by_role("heading", name="A town near you")).to_be_visible()
    page.get_by_role("link", name="See the rules that lead here").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Why My-Ktube?")


def test_where_the_device_says_she_is(open_page, url):
    page = open_page(geolocation={"latitude": 35.15, "longitude": 129.05}, permissions=["geolocation"])
    page.goto(url("", "/start"))
    page.get_by_text("동네 질문").click()
    page.get_by_role("button", name="지금 있는 곳으로 찾기").click()
    expect(page.get_by_text("위치를 찾았어요.")).to_be_visible()
    page.get_by_role("button", name="맞는 곳 찾기").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("부산")


@pytest.mark.parametrize("options", [KOREAN_PHONE, {"locale": "en-US"}], ids=["ko-phone", "en-desk"])
def test_the_pages_are_for_everyone(open_page, url, options):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(reduced_motion="reduce", **options)

    def look() -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, f"{page.url} ({scheme}): {found.generate_report()}"
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{page.url}: {width} px too wide"
        assert not re.search(r"\bnil\b|[{}]", page.get_by_role("main").inner_text())

    page.goto(url("", "/start"))
    look()
    page.locator("input[name=goal][value=medical]").check()
    page.locator("#place").fill("제주")
    page.get_by_role("main").get_by_role("button").last.click()
    page.wait_for_url("**/route")
    page.locator("details.more > summary").click()
    look()
    for tenant in ("jeju", "artprep"):
        page.goto(url("", f"/why/{tenant}"))
        page.locator("details.more > summary").click()
        look()
