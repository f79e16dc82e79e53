"""Makes the pictures of README's tour in docs/tour, from a new city that runs already; CONTRIBUTING.md says how.

    python Tests/EndToEnd/tour.py PORT DATA            lives the tour, as people do
    python Tests/EndToEnd/tour.py PORT DATA 2026-10    then looks at the books of a month
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from city import ROOT, City, Mailbox, api_client
from paying import WORKS, fill_card, subscribe
from people import PASSWORD, Person, enter, program, register
from test_kculture import STEPS, right, solve
from test_story import QUESTION
from test_subscription import use_up

JSON = {"Accept": "application/json"}
DESK = {"viewport": {"width": 1100, "height": 760}}
PHONE = {"viewport": {"width": 390, "height": 760}, "device_scale_factor": 1.5, "is_mobile": True, "has_touch": True}
STAFF = "metropolis-2026"
CROWD = [("premium", "KR"), ("premium", "US"), ("k-culture", "US"), ("k-culture", "JP"), ("university", "KR")]


def take(page: Page, name: str) -> None:
    """What is in the window; of 128 colours where Pillow is there."""
    path = ROOT / f"docs/tour/{name}.png"
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=path)
    try:
        from PIL import Image
    except ImportError:
        return print(f"{path.name}: as large as it came, for Pillow is missing")
    image = Image.open(path).convert("RGB").quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


def sign_in(page: Page, address: str, email: str, password: str) -> Page:
    """Opens a page that is for the signed in, signs in, and is there."""
    page.goto(address)
    page.locator("#email").fill(email)
    page.locator("#password").fill(password)
    page.get_by_role("main").get_by_role("button").first.click()
    page.wait_for_url(re.compile(re.escape(address.split("?return_to=")[-1])))
    return page


def with_cookies_of(page: Page, city: City, site: str) -> httpx.Client:
    client = api_client()
    for one in page.context.cookies(city.url(site, "/")):
        client.cookies.set(one["name"], one["value"], domain=f"{site}.localhost")
    return client


def practise(client: httpx.Client, city: City, site: str, items: int) -> None:
    enter(client, city, site)
    for number in range(items):
        item = client.post(city.url(site, "/practice"), json={}, headers=JSON).json()
        answer = number % 4 if item.get("choices") else str(number)
        client.post(city.url(site, f"/practice/{item['id']}/answer"), json={"answer": answer}, headers=JSON)


def learn(client: httpx.Client, city: City, step: str) -> None:
    enter(client, city, "my-ktube")
    lesson = client.post(city.url("my-ktube", f"/steps/{step}/start"), json={}, headers=JSON).json()
    address = city.url("my-ktube", f"/lessons/{lesson['id']}")
    for shown, exercise in zip(lesson["exercises"], STEPS[step]["body"]["exercises"], strict=True):
        answer = {"answer": right(exercise, shown["choices"])}
        client.post(f"{address}/exercises/{shown['number']}", json=answer, headers=JSON)
    client.post(f"{address}/complete", json={}, headers=JSON)


def story(city: City, open_page) -> None:
    url, mailbox, harin = city.url, Mailbox(city, api_client()), Person("harin@example.com", "하린")
    desk, phone = open_page(DESK), open_page(PHONE)
    desk.goto(url("", "/"))
    take(desk, "1-city")

    desk.goto(url("jeju", "/questions"))
    register(desk, mailbox, harin)
    asker = with_cookies_of(desk, city, "jeju")
    question = asker.post(url("jeju", "/questions"), json=QUESTION, headers=JSON).json()["id"]
    neighbour = program(api_client(), city, mailbox, Person("jun.jeju@example.com", "준"))
    enter(neighbour, city, "jeju")
    said = {"body": "오전 열 시 전이면 자리가 있어요. 금능 쪽 주차장도 넓어요."}
    neighbour.post(url("jeju", f"/questions/{question}/answers"), json=said, headers=JSON)
    desk.goto(url("jeju", f"/questions/{question}"))
    desk.get_by_role("button", name="채택하기").first.click()
    take(desk, "2-question")

    sign_in(phone, url("univprep", "/signin?return_to=/"), harin.email, PASSWORD)
    use_up(with_cookies_of(phone, city, "univprep"), city)
    phone.goto(url("univprep", "/"))
    phone.get_by_role("main").get_by_role("button").first.click()
    take(phone, "3-limit")
    phone.goto(url("", "/signin?return_to=/subscribe%3Fplan=student"))
    phone.locator("[name=chosen][value=univprep]").check(force=True)
    phone.get_by_role("button", name="결제하러 가기").click()
    phone.locator("[name=number]").fill(WORKS)
    take(phone, "4-payment")
    fill_card(phone)
    phone.wait_for_url(re.compile("/subscription"))
    desk.goto(url("", "/signin?return_to=/invoices"))
    desk.locator(".rows a").first.click()
    take(desk, "5-invoice")

    phone.goto(url("my-ktube", "/signin?return_to=/"))
    phone.get_by_role("button", name="첫 레슨 시작하기").click()
    take(phone, "6-lesson")
    phone.get_by_role("button", name=re.compile("^연습하기")).click()
    lesson = phone.url
    for exercise in STEPS["hangul-01"]["body"]["exercises"]:
        phone.goto(lesson)
        solve(phone, exercise)
    phone.get_by_role("link", name="결과 보기").click()
    phone.wait_for_timeout(1_500)
    desk.goto(url("", "/account"))
    take(desk, "7-account")

    # A family with a child, and others whose payments the books will show.
    for number, (plan, country) in enumerate([("family", "KR"), *CROWD]):
        client = program(api_client(), city, mailbox, Person(f"payer-{number}@example.com", f"이웃 {number}"))
        enter(client, city, "")
        subscribe(client, url("", ""), plan=plan, country=country)
        for site in ("skillprep", "mediprep"):
            practise(client, city, site, 3 + 4 * number)
        if plan == "family":
            body = {"name": "다온", "signInName": "daon2018", "password": PASSWORD}
            child = client.post(url("", "/family/children"), json=body, headers=JSON).json()["person"]
            pupil = api_client()
            pupil.post(url("id", "/signin"), json={"email": "daon2018", "password": PASSWORD}, headers=JSON)
            practise(pupil, city, "dreamseed", 14)
            for step in ("hangul-01", "hangul-02"):
                learn(pupil, city, step)
        elif plan != "university":
            learn(client, city, "hangul-01")
    owner = sign_in(open_page(PHONE), url("", f"/signin?return_to=/family/members/{child}"), "payer-0@example.com", PASSWORD)
    take(owner, "8-child")

    # The operator of UnivPrepAI makes a plan, sells it, and changes its price.
    desk = sign_in(open_page(DESK), url("console", "/signin?return_to=/tenants/univprep/plans/new"), "operator@example.com", STAFF)
    for field, value in (("name_ko", "SAT 집중"), ("name_en", "SAT Intensive"), ("suffix", "sat"), ("price_krw", "9900")):
        desk.locator(f"#{field}").fill(value)
    desk.get_by_role("button", name="저장하고 미리 보기").click()
    desk.get_by_role("button", name="팔기 시작하기").click()
    desk.get_by_role("link", name="가격이나 내용 바꾸기").click()
    desk.locator("#price_krw").fill("12900")
    desk.get_by_role("button", name="저장하고 미리 보기").click()
    desk.get_by_role("button", name="버전 2 팔기 시작하기").click()
    desk.goto(url("console", "/tenants/univprep/plans/univprep-sat"))
    take(desk, "9-plan")


def main(port: str, data: str, month: str | None = None) -> None:
    city = City(int(port), Path(data))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))

        def open_page(options: dict) -> Page:
            return browser.new_context(locale="ko-KR", timezone_id="Asia/Seoul", **options).new_page()

        if month is None:
            story(city, open_page)
        else:
            desk = open_page(DESK)
            take(sign_in(desk, city.url("console", f"/signin?return_to=/finance/{month}"), "finance@example.com", STAFF), "10-finance")


if __name__ == "__main__":
    main(*sys.argv[1:])
