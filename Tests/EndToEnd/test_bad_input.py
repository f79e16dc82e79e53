"""Bad input gets one clear answer, and nothing is lost or changed."""

from __future__ import annotations

import re

import httpx
import pytest

from city import City, Mailbox
from people import enter, person, program

JSON = {"Accept": "application/json"}
QUESTION = {"title": "동문시장은 몇 시까지 해요?", "body": "저녁에 들를 수 있을까요?", "category": "food", "urgency": "normal"}


@pytest.fixture(scope="module")
def member(city: City, mailbox: Mailbox):
    """A program signed in at Jeju."""
    from city import api_client

    with api_client() as client:
        program(client, city, mailbox, person("새봄"))
        enter(client, city, "jeju")
        yield client


def count(client: httpx.Client, city: City) -> int:
    return len(client.get(city.url("jeju", "/me/questions"), headers=JSON).json()["questions"])


def refused(answer: httpx.Response, status: int, kind: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["type"].endswith(f"/problems/{kind}") and problem["status"] == status
    assert problem["title"] and problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("body", "headers", "status", "kind"),
    [
        (b"{", {"Content-Type": "application/json"}, 400, "malformed-request"),
        (b"[]", {"Content-Type": "application/json"}, 400, "malformed-request"),
        (b"<x/>", {"Content-Type": "text/xml"}, 415, "unsupported-media-type"),
        (b'{"title": 7, "body": [], "category": "x"}', {"Content-Type": "application/json"}, 422, "invalid-input"),
        (b'{"title": "' + b"a" * 200_000 + b'"}', {"Content-Type": "application/json"}, 413, "too-large"),
    ],
)
def test_a_body_that_cant_be_taken(city: City, member, body: bytes, headers: dict, status: int, kind: str) -> None:
    before = count(member, city)
    refused(member.post(city.url("jeju", "/questions"), content=body, headers=JSON | headers), status, kind)
    assert count(member, city) == before


def test_every_wrong_field_is_named(city: City, member) -> None:
    problem = refused(
        member.post(city.url("jeju", "/questions"), json={"title": "x" * 300, "category": "sea"}, headers=JSON), 422, "invalid-input"
    )
    assert {error["field"] for error in problem["errors"]} >= {"title", "body", "category"}


def test_a_place_outside_the_town_is_refused(city: City, member) -> None:
    place = {"name": "서울역", "latitude": 37.55, "longitude": 126.97}
    refused(member.post(city.url("jeju", "/questions"), json=QUESTION | {"place": place}, headers=JSON), 422, "invalid-input")


def test_forged_and_foreign_requests_change_nothing(city: City, member, api) -> None:
    before = count(member, city)
    form = {"title": "양식", "body": "다른 곳에서 온 양식이에요", "category": "food", "urgency": "normal"}
    ask = city.url("jeju", "/questions")
    refused(member.post(ask, data=form, headers=JSON), 403, "forged-request")
    refused(member.post(ask, data=form | {"_csrf": "x" * 43}, headers=JSON), 403, "forged-request")
    refused(member.post(ask, json=QUESTION, headers=JSON | {"Origin": "http://evil.example"}), 403, "forged-request")
    refused(member.post(ask, json=QUESTION, headers=JSON | {"Sec-Fetch-Site": "cross-site"}), 403, "forged-request")
    assert count(member, city) == before
    forged = api(cookies={"session": "A" * 43})
    refused(forged.post(ask, json=QUESTION, headers=JSON), 401, "not-signed-in")


def test_a_replayed_code_is_refused_and_a_foreign_state_too(city: City, mailbox: Mailbox, api) -> None:
    client = program(api(), city, mailbox, person("하윤"))
    start = client.get(city.url("jeju", "/signin?return_to=/"))
    callback = client.get(start.headers["location"]).headers["location"]
    assert client.get(callback).status_code == 303
    # Who goes back to it is led to begin again, without the code being used again.
    assert client.get(callback).headers.get("location") in ("/", "/signin?again=1")
    stranger = api()
    assert stranger.get(callback).headers.get("location") == "/signin?again=1"
    assert "session" not in {cookie.name for cookie in stranger.cookies.jar}


def test_sign_in_never_leads_away(city: City, mailbox: Mailbox, api) -> None:
    client = program(api(), city, mailbox, person("소라"))
    for bad in ("https://evil.example/", "//evil.example", "/\\evil.example", "http:evil.example"):
        answer = client.get(city.url("jeju", "/signin"), params={"return_to": bad}, follow_redirects=True)
        assert answer.url.host == "jeju.localhost", (bad, answer.url)


def test_wrong_credentials_do_not_tell_whether_the_account_exists(city: City, mailbox: Mailbox, api) -> None:
    known = person("준호")
    program(api(), city, mailbox, known)
    client = api()

    def try_with(email: str) -> tuple[int, str]:
        answer = client.post(city.url("id", "/signin"), json={"email": email, "password": "not the password"}, headers=JSON)
        return answer.status_code, re.sub(r'"instance":"[^"]*"', "", answer.text)

    assert try_with(known.email) == try_with("nobody-has-this@example.com")


def test_unknown_tenants_and_pages(city: City, api) -> None:
    client = api()
    refused(client.get(city.url("atlantis", "/"), headers=JSON), 421, "unknown-host")
    refused(client.get(city.url("jeju", "/questions/not-a-uuid"), headers=JSON), 404, "not-found")
    refused(client.get(city.url("jeju", "/questions/018f2c5e-0000-7000-8000-000000000000"), headers=JSON), 404, "not-found")
    page = client.get(city.url("jeju", "/nowhere"), headers={"Accept": "text/html", "Accept-Language": "en"})
    assert page.status_code == 404 and "There is no such page" in page.text


def test_pages_have_no_accessibility_violations(city: City, open_page, url) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = open_page()
    for address in (url("", "/"), url("", "/plans"), url("jeju", "/"), url("univprep", "/"), url("id", "/signin"), url("id", "/register")):
        page.goto(address)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{address}: {found.generate_report()}"


def test_the_first_page_is_small(city: City, api) -> None:
    client = api()
    page = client.get(city.url("", "/"), headers={"Accept": "text/html"})
    parts = re.findall(r'(?:href|src)="(/(?:assets|look)[^"]*)"', page.text)
    size = len(page.content) + sum(len(client.get(city.url("", part)).content) for part in parts)
    assert size <= 50 * 1024, size
