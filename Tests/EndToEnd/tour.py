"""Makes the pictures of README's tour in docs/tour, from a new city that runs already; CONTRIBUTING.md says how.

    python Tests/EndToEnd/tour.py PORT            lives the tour, as people do
    python Tests/EndToEnd/tour.py PORT finance    looks at the books
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

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
PAYERS = [("family", "KR"), ("premium", "KR"), ("premium", "US"), ("k-culture", "US"), ("k-culture", "JP"), ("university", "KR")]


def take(page: Page, name: str) -> None:
    """What is in the window, in 128 colours."""
    path = ROOT / f"docs/tour/{name}.png"
    page.wait_for_load_state("networkidle")
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=path)
    colours = Image.open(path).convert("RGB").quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colours.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1000} kB")


def sign_in(page: Page, city: City, site: str, path: str, email: str, password: str = PASSWORD) -> Page:
    page.goto(city.url(site, f"/signin?return_to={path}"))
    page.locator("#email").fill(email)
    page.locator("#password").fill(password)
    page.get_by_role("main").get_by_role("button").first.click()
    page.wait_for_url(city.url(site, path))
    return page


def signed_in(city: City, name: str) -> httpx.Client:
    """A program of someone who has an account."""
    client = api_client()
    answer = client.post(city.url("id", "/signin"), json={"email": name, "password": PASSWORD}, headers=JSON)
    assert answer.status_code < 300, answer.text
    return client


def practise(client: httpx.Client, city: City, site: str, items: int) -> None:
    enter(client, city, site)
    for number in range(items):
        item = client.post(city.url(site, "/practice"), json={}, headers=JSON).json()
        given = client.post(city.url(site, f"/practice/{item['id']}/answer"), json={"answer": str(number % 4)}, headers=JSON)
        assert given.status_code == 200, given.text


def learn(client: httpx.Client, city: City, step: str) -> None:
    enter(client, city, "my-ktube")
    lesson = client.post(city.url("my-ktube", f"/steps/{step}/start"), json={}, headers=JSON).json()
    address = city.url("my-ktube", f"/lessons/{lesson['id']}")
    for shown, exercise in zip(lesson["exercises"], STEPS[step]["body"]["exercises"], strict=True):
        answer = {"answer": right(exercise, shown["choices"])}
        client.post(f"{address}/exercises/{shown['number']}", json=answer, headers=JSON)
    client.post(f"{address}/complete", json={}, headers=JSON)


def story(city: City, desk: Page, phone: Page) -> None:
    url, mailbox, harin = city.url, Mailbox(city, api_client()), Person("harin@example.com", "하린")
    desk.goto(url("", "/"))
    take(desk, "1-city")

    desk.goto(url("jeju", "/questions"))
    register(desk, mailbox, harin)
    her = signed_in(city, harin.email)
    neighbour = program(api_client(), city, mailbox, Person("jun.jeju@example.com", "준"))
    for client in (her, neighbour):
        enter(client, city, "jeju")
    question = url("jeju", f"/questions/{her.post(url('jeju', '/questions'), json=QUESTION, headers=JSON).json()['id']}")
    neighbour.post(f"{question}/answers", json={"body": "오전 열 시 전이면 자리가 있어요. 금능 쪽도 넓어요."}, headers=JSON)
    desk.goto(question)
    desk.get_by_role("button", name="채택하기").first.click()
    take(desk, "2-question")

    enter(her, city, "univprep")
    use_up(her, city)
    sign_in(phone, city, "univprep", "/", harin.email)
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

    # A family with a child, and others whose payments the books will show.
    child = {"name": "다온", "signInName": "daon2018", "password": PASSWORD}
    for number, (plan, country) in enumerate(PAYERS):
        payer = program(api_client(), city, mailbox, Person(f"payer-{number}@example.com", f"이웃 {number}"))
        enter(payer, city, "")
        subscribe(payer, url("", ""), plan=plan, country=country)
        practise(payer, city, "skillprep", 3 + 4 * number)
        practise(payer, city, "mediprep", 9 - number)
        if plan == "family":
            member = payer.post(url("", "/family/children"), json=child, headers=JSON).json()["person"]
            pupil = signed_in(city, child["signInName"])
            practise(pupil, city, "dreamseed", 14)
            learn(pupil, city, "hangul-01")
        elif plan != "university":
            learn(payer, city, "hangul-01")
    desk.goto(url("", "/account"))
    take(desk, "7-account")
    phone.context.clear_cookies()
    take(sign_in(phone, city, "", f"/family/members/{member}", "payer-0@example.com"), "8-child")


def console(city: City, desk: Page) -> None:
    """The operator of UnivPrepAI makes a plan, sells it, and changes its price."""
    sign_in(desk, city, "console", "/tenants/univprep/plans/new", "operator@example.com", STAFF)
    for field, value in (("name_ko", "SAT 집중"), ("name_en", "SAT Intensive"), ("suffix", "sat"), ("price_krw", "9900")):
        desk.locator(f"#{field}").fill(value)
    desk.get_by_role("button", name="저장하고 미리 보기").click()
    desk.get_by_role("button", name="팔기 시작하기").click()
    desk.get_by_role("link", name="가격이나 내용 바꾸기").click()
    desk.locator("#price_krw").fill("12900")
    desk.get_by_role("button", name="저장하고 미리 보기").click()
    desk.get_by_role("button", name="버전 2 팔기 시작하기").click()
    expect(desk.get_by_role("row").filter(has_text="버전 1")).to_be_visible()
    desk.goto(city.url("console", "/tenants/univprep/plans/univprep-sat"))
    take(desk, "9-plan")


def main(port: str, chapter: str = "story") -> None:
    city = City(int(port), Path())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        desk, phone, staff = (
            browser.new_context(locale="ko-KR", timezone_id="Asia/Seoul", **form).new_page() for form in (DESK, PHONE, DESK))
        if chapter == "story":
            story(city, desk, phone)
            console(city, staff)
        else:
            take(sign_in(staff, city, "console", "/finance", "finance@example.com", STAFF), "10-finance")


if __name__ == "__main__":
    main(*sys.argv[1:])
