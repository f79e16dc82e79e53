"""A tenant's operator at the console: makes a plan, sells it, changes its price, and sees versions and numbers (story, step 5)."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from city import City
from conftest import PHONE

JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html"}
EMAIL, PASSWORD = "operator@example.com", "metropolis-2026"
HOME = "/tenants/univprep"
PLANS = f"{HOME}/plans"


def sign_in_page(page: Page, url, path: str) -> None:
    page.goto(url("console", path))
    page.locator("#email").fill(EMAIL)
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button").first.click()
    page.wait_for_url(re.compile(r"//console\.localhost"))


def sign_in(client: httpx.Client, city: City, email: str = EMAIL) -> httpx.Client:
    answer = client.post(city.url("id", "/signin"), json={"email": email, "password": PASSWORD}, headers=JSON)
    assert answer.status_code < 300, answer.text
    client.get(city.url("console", "/signin?return_to=/robots.txt"), follow_redirects=True)
    return client


def document(amount: str, **changes) -> dict:
    return {
        "name": {"ko": "면접 특강", "en": "Interview"}, "prices": [{"amount": amount, "currency": "KRW"}],
        "grants": [{"feature": "prep.item", "limit": 50}],
    } | changes


def check(page: Page) -> None:
    """Nothing for axe, and nothing that leaves the screen."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page)
    assert found.violations_count == 0, f"{page.url}: {found.generate_report()}"
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, f"{page.url}: {width} px too wide"


def test_an_operator_makes_a_plan_and_changes_its_price(city: City, api, open_page, url) -> None:
    page = open_page()
    sign_in_page(page, url, "/")
    page.get_by_role("link", name="유니브프렙AI").and_(page.locator("main a")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("유니브프렙AI 숫자")
    expect(page.get_by_role("img", name=re.compile("하루에 활동한 사람"))).to_be_visible()
    page.get_by_role("navigation", name="유니브프렙AI").get_by_role("link", name="요금제").click()
    page.get_by_role("link", name=re.compile("^(요금제|첫 요금제) 만들기$")).first.click()

    # A price of zero: the form comes back with everything that was typed.
    page.locator("#name_ko").fill("SAT 집중")
    page.locator("#name_en").fill("SAT Intensive")
    page.locator("#suffix").fill("sat")
    page.locator("#price_krw").fill("0")
    page.locator("#price_usd").fill("9.90")
    page.get_by_role("button", name="저장하고 미리 보기").click()
    expect(page.locator("#price_krw-error")).to_be_visible()
    expect(page.locator("#name_ko")).to_have_value("SAT 집중")
    expect(page.locator("#price_usd")).to_have_value("9.90")
    check(page)
    page.locator("#price_krw").fill("9,900")
    page.get_by_role("button", name="저장하고 미리 보기").click()

    expect(page.get_by_role("status")).to_contain_text("초안을 저장했어요")
    draft = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="SAT 집중"))
    expect(draft).to_contain_text("9,900원")
    check(page)
    reader = api()
    on_sale = lambda: {one["id"]: one for one in reader.get(city.url("", "/plans"), headers=JSON).json()["plans"]}
    assert "univprep-sat" not in on_sale()
    page.get_by_role("button", name="팔기 시작하기").dblclick()
    expect(page.get_by_role("status")).to_contain_text("팔기 시작했어요")
    assert on_sale()["univprep-sat"]["version"] == 1

    page.get_by_role("link", name="가격이나 내용 바꾸기").click()
    expect(page.get_by_text("지금 구독한 분들은 그대로예요")).to_be_visible()
    expect(page.locator("#price_krw")).to_have_value("9900")
    page.locator("#price_krw").fill("12900")
    page.get_by_role("button", name="저장하고 미리 보기").click()
    page.get_by_role("button", name="버전 2 팔기 시작하기").click()
    expect(page.get_by_role("row").filter(has_text="버전 2")).to_contain_text("12,900원")
    expect(page.get_by_role("row").filter(has_text="버전 1")).to_contain_text("9,900원")
    sold = on_sale()["univprep-sat"]
    assert sold["version"] == 2 and sold["prices"][0] == {"amount": "12900", "currency": "KRW"}
    check(page)

    page.get_by_text("이 요금제 그만 팔기").click()
    page.get_by_role("button", name="네, 그만 팔기").click()
    expect(page.get_by_role("status")).to_contain_text("그만 팔아요")
    assert "univprep-sat" not in on_sale()


def test_a_program_does_the_same(city: City, api) -> None:
    client = sign_in(api(), city)
    def post(path: str, body: dict | None = None) -> httpx.Response:
        return client.post(city.url("console", path), json=body or {}, headers=JSON)
    plan = f"{PLANS}/univprep-interview"

    vocabulary = client.get(city.url("console", f"{PLANS}/new"), headers=JSON).json()
    assert [one["feature"] for one in vocabulary["features"]] == ["prep.item"]
    for wrong, field in (
        (document("0", id="univprep-interview"), "prices[0].amount"),
        (document("-5", id="univprep-interview"), "prices[0].amount"),
        (document("5", id="univprep-interview", prices=[{"amount": "5", "currency": "EUR"}]), "prices[0].currency"),
        (document("5", id="univprep-interview", grants=[{"feature": "kculture.lesson", "unlimited": True}]), "grants[0].feature"),
        (document("5", id="premium-2"), "id"),
    ):
        refused = post(f"{PLANS}/new", wrong)
        assert refused.status_code == 422 and field in [one["field"] for one in refused.json()["errors"]], refused.text
    for _ in range(2):
        made = post(f"{PLANS}/new", document("9900", id="univprep-interview"))
        assert made.status_code == 201 and made.json()["state"] == "draft", made.text
    assert [post(f"{plan}/publish").json()["isNew"] for _ in range(2)] == [True, False]
    assert post(plan, document("12900")).status_code == 200
    past = post(f"{plan}/publish", {"holders_from": "2020-01-01"})
    assert past.status_code == 422 and past.json()["errors"][0]["field"] == "holders_from"
    assert post(f"{plan}/publish").json() == {"plan": "univprep-interview", "version": 2, "isNew": True}
    versions = client.get(city.url("console", plan), headers=JSON).json()["versions"]
    assert [one["plan"]["prices"][0]["amount"] for one in versions] == ["12900", "9900"]
    numbers = client.get(city.url("console", HOME), headers=JSON).json()
    assert len(numbers["days"]) == 30 and numbers["tenant"] == "univprep" and numbers["usage"][0]["feature"] == "prep.item"
    assert [post(f"{plan}/withdraw").status_code for _ in range(2)] == [204, 204]
    assert "unbroken" in city.run("audit", "verify").stdout


def test_city_plans_and_other_tenants_are_out_of_reach(city: City, api) -> None:
    client = sign_in(api(), city)
    for act in ("", "/publish", "/withdraw", "/discard"):
        answer = client.post(city.url("console", f"{PLANS}/premium{act}"), json=document("5"), headers=JSON)
        assert answer.status_code == 403, (act, answer.text)
    assert client.get(city.url("console", f"{PLANS}/premium/edit"), headers=HTML).status_code == 403
    for path in ("/tenants/dreamseed", "/tenants/dreamseed/plans", "/tenants/dreamseed/plans/new", "/tenants/atlantis"):
        for headers in (JSON, HTML):
            assert client.get(city.url("console", path), headers=headers).status_code == 404, path
    stranger = sign_in(api(), city, "city@example.com")
    assert stranger.get(city.url("console", HOME), headers=JSON).status_code == 404
    visitor = api()
    assert visitor.get(city.url("console", PLANS), headers=JSON).status_code == 401
    assert visitor.get(city.url("console", PLANS), headers=HTML).headers["location"].startswith("/signin?return_to=")


@pytest.mark.parametrize("locale", ["ko-KR", "en-US"])
def test_the_pages_fit_a_phone(open_page, url, locale: str) -> None:
    phone = open_page(locale=locale, **PHONE)
    sign_in_page(phone, url, HOME)
    for path in (HOME, PLANS, f"{PLANS}/new", f"{PLANS}/premium"):
        phone.goto(url("console", path))
        expect(phone.get_by_role("heading", level=1)).to_be_visible()
        check(phone)
