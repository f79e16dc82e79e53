"""One subscription: from the first payment to invoices, changes and the end of a period, by browser and by program."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import expect

from city import City, Mailbox, eventually
from paying import DECLINES, FAILS_LATER, fill_card, pay, subscribe
from people import enter, person, program, register

JSON = {"Accept": "application/json"}


def use_up(client, city: City) -> None:
    """A hundred items: the month's free allowance."""
    for number in range(100):
        started = client.post(city.url("univprep", "/practice"), json={}, headers=JSON)
        assert started.status_code == 201, (number, started.text)
        done = client.post(city.url("univprep", f"/practice/{started.json()['id']}/answer"), json={"skip": True}, headers=JSON)
        assert done.status_code == 200, done.text


def test_at_the_limit_she_subscribes_and_goes_on_at_once(city: City, mailbox: Mailbox, open_page, url, api) -> None:
    mina = person("미나")
    page = open_page()
    page.goto(url("univprep", "/"))
    register(page, mailbox, mina)
    # The allowance is used up by her own program, with her browser's session.
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies(url("univprep", "/"))}
    client = api()
    for name, value in cookies.items():
        client.cookies.set(name, value, domain="univprep.localhost")
    use_up(client, city)

    page.goto(url("univprep", "/"))
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_role("main")).to_contain_text("100")
    # The page says what helps, and leads there.
    page.get_by_role("main").get_by_role("link", name=re.compile("요금제|학생")).first.click()
    expect(page).to_have_url(re.compile("/plans"))
    page.get_by_role("link", name="학생 시작하기", exact=True).click()
    if "/signin" in page.url:
        page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("학생")
    page.locator("[name=chosen][value=univprep]").check(force=True)
    page.get_by_role("button", name="결제하러 가기").click()

    # The card that declines is told so on the same page; another pays.
    fill_card(page, DECLINES)
    expect(page).to_have_url(re.compile("/checkout/"))
    fill_card(page)
    expect(page).to_have_url(re.compile("/subscription"))
    expect(page.get_by_role("main")).to_contain_text("구독이 시작됐어요")
    expect(page.get_by_role("heading", level=1)).to_have_text("학생")

    # The next item is served at once; at MajorPrepAI the shared free allowance still governs.
    page.goto(url("univprep", "/"))
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_role("button", name="답 내기")).to_be_visible()
    page.goto(url("majorprep", "/"))
    page.get_by_role("banner").get_by_role("link", name="로그인하기").click()
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_role("main")).to_contain_text("100")
    expect(page.get_by_role("button", name="답 내기")).to_have_count(0)

    # Her invoice, as a page and as a PDF of the same figures.
    page.goto(url("", "/invoices"))
    page.locator(".rows a").first.click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("19,900원")
    expect(main).to_contain_text("1,809원")
    href = page.get_by_role("link", name="PDF로 받기").get_attribute("href")
    pdf = page.request.get(url("", href))
    assert pdf.headers["content-type"] == "application/pdf" and pdf.body().startswith(b"%PDF-")

    # The account page shows what she has.
    page.goto(url("", "/account"))
    expect(page.get_by_role("main")).to_contain_text("학생")

    # More at once, with a preview to the won; then less with the next period, cancel and undo.
    page.goto(url("", "/subscription"))
    page.get_by_role("link", name="프리미엄").first.click()
    expect(main).to_contain_text("지금 결제")
    page.get_by_role("button", name="지금 바꾸고 결제하기").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("프리미엄")
    page.locator("details.confirm summary").click()
    page.get_by_role("button", name="기간 끝에 해지하기").click()
    expect(main).to_contain_text("해지 예정")
    page.get_by_role("button", name="해지 취소하고 계속 쓰기").click()
    expect(main).to_contain_text("구독 중")


def test_the_same_by_program(city: City, mailbox: Mailbox, api, url) -> None:
    client = program(api(), city, mailbox, person("지아"))
    enter(client, city, "")
    home = url("", "")[:-1] if url("", "").endswith("/") else url("", "")
    # Refused orders, one clear answer each, nothing begun.
    for order, field in (
        ({"plan": "gold"}, "plan"), ({"plan": "student"}, "chosen"), ({"plan": "student", "chosen": ["jeju"]}, "chosen"),
        ({"plan": "premium", "every": "week"}, "every"), ({"plan": "premium", "country": "XX"}, "country"),
        ({"plan": "premium", "chosen": ["univprep"]}, "chosen"), ({"plan": "basic"}, "plan"), ({"plan": "free"}, "plan"),
    ):
        refused = client.post(f"{home}/subscribe", json=order, headers=JSON)
        assert refused.status_code == 422, (order, refused.text)
        assert field in [entry["field"] for entry in refused.json()["errors"]], refused.text
    assert client.get(f"{home}/subscription", headers=JSON).json() == {}

    # Two devices order the same: one payment. A double click pays once.
    def order(_: int) -> str:
        placed = client.post(f"{home}/subscribe", json={"plan": "student", "chosen": ["univprep"]}, headers=JSON)
        assert placed.status_code == 201, placed.text
        return placed.json()["checkout"]

    with ThreadPoolExecutor(8) as pool:
        pages = set(pool.map(order, range(8)))
    assert len(pages) == 1
    assert pay(client, pages.pop()).status_code == 303

    # The webhook alone does it; she need not come back.
    def subscription() -> dict | None:
        return client.get(f"{home}/subscription", headers=JSON).json().get("subscription")

    active = eventually("the subscription", lambda: (s := subscription()) and s["state"] == "active" and s)
    assert active["terms"]["plan"] == "student" and active["price"] == "19900"
    invoices = client.get(f"{home}/invoices", headers=JSON).json()["invoices"]
    assert [(invoice["total"], invoice["tax"], invoice["status"]) for invoice in invoices] == [("19900", "1809", "paid")]

    # A second subscription is refused; a change is previewed to the minor unit and billed so.
    again = client.post(f"{home}/subscribe", json={"plan": "premium"}, headers=JSON)
    assert again.status_code == 409 and again.json()["code"] == "alreadySubscribed"
    preview = client.get(f"{home}/subscription/change?plan=premium&every=month", headers=JSON).json()
    assert preview["takesEffect"] == "now" and preview["payable"] == preview["total"]

    def change(_: int) -> int:
        body = {"plan": "premium", "revision": preview["revision"]}
        return client.post(f"{home}/subscription/change", json=body, headers=JSON).status_code

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(change, range(8)))
    assert outcomes.count(200) >= 1 and set(outcomes) <= {200, 409}, outcomes
    eventually("the change", lambda: subscription()["terms"]["plan"] == "premium")
    invoices = client.get(f"{home}/invoices", headers=JSON).json()["invoices"]
    assert [invoice["total"] for invoice in invoices] == [preview["payable"], "19900"]

    # Another's invoices and payments are not there.
    other = program(api(), city, mailbox, person("하나"))
    enter(other, city, "")
    assert other.get(f"{home}/invoices/{invoices[0]['id']}", headers=JSON).status_code == 404
    assert other.get(f"{home}/invoices", headers=JSON).json()["invoices"] == []

    done = city.run("audit", "verify")
    assert done.returncode == 0 and "balanced" in done.stdout, done.stdout + done.stderr


def test_forged_webhooks_do_nothing(city: City, mailbox: Mailbox, api, url) -> None:
    client = program(api(), city, mailbox, person("세라"))
    enter(client, city, "")
    home = url("", "")
    placed = client.post(f"{home}/subscribe", json={"plan": "premium", "country": "US"}, headers=JSON).json()
    event = {"id": "evt_forged", "type": "payment.succeeded", "created": 1, "data": {"id": "pay_x", "reference": placed["payment"]}}
    for headers in ({}, {"Payment-Signature": "t=1,v1=00"}, {"Payment-Signature": "t=99999999999,v1=" + "0" * 64}):
        forged = client.post(f"{home}/payments/webhook", json=event, headers=headers | JSON)
        assert forged.status_code == 400, forged.text
    assert client.get(f"{home}/subscription", headers=JSON).json()["subscription"]["state"] == "incomplete"
    assert client.get(f"{home}/payments/{placed['payment']}/return", headers=JSON).json()["state"] == "created"


def test_a_card_that_fails_at_the_upgrade_changes_nothing(city: City, mailbox: Mailbox, api, url) -> None:
    client = program(api(), city, mailbox, person("다온"))
    enter(client, city, "")
    home = url("", "")
    before = subscribe(client, home, FAILS_LATER, plan="student", chosen=["univprep"], country="US")
    refused = client.post(
        f"{home}/subscription/change", json={"plan": "premium", "revision": before["revision"]}, headers=JSON)
    assert refused.status_code == 409 and refused.json()["code"] == "declined", refused.text
    after = client.get(f"{home}/subscription", headers=JSON).json()["subscription"]
    assert after["terms"] == before["terms"] and after["state"] == "active"
    assert len(client.get(f"{home}/invoices", headers=JSON).json()["invoices"]) == 1
