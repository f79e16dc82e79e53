"""Every page of the second landing, on a Korean phone and an English desk: nothing for axe in light or dark, nothing that leaves
the screen, nothing in the browser's console."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from city import City, Mailbox, api_client
from conftest import PHONE
from paying import subscribe
from people import PASSWORD, Person, enter, person, program

KOREAN_PHONE = PHONE | {"viewport": {"width": 360, "height": 800}, "device_scale_factor": 1}
ENGLISH_DESK = {"locale": "en-US"}
VISITORS = [pytest.param(KOREAN_PHONE, id="ko-phone"), pytest.param(ENGLISH_DESK, id="en-desk")]
STAFF_PASSWORD = "metropolis-2026"
STAFF = {
    "finance@example.com": ["/", "/finance"],
    "operator@example.com": ["/", "/tenants/univprep", "/tenants/univprep/plans", "/tenants/univprep/plans/new"],
    "city@example.com": ["/", "/city", "/city/staff", "/city/dead-letters"],
}


@pytest.fixture
def sweep(open_page, url):
    """Signs in at a site, and looks at pages."""
    from axe_playwright_python.sync_playwright import Axe

    def look(page: Page) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, f"{page.url} ({scheme}): {found.generate_report()}"
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{page.url}: {width} px too wide"

    def sweep(options: dict[str, Any], email: str, password: str, host: str, paths: list[str]) -> BrowserContext:
        # Without transitions: a colour on its way to another is nobody's contrast.
        page = open_page(reduced_motion="reduce", **options)
        said: list[str] = []

        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                said.append(f"{page.url}: {message.text}")

        page.on("console", note)
        page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
        page.goto(url(host, "/signin?return_to=/"))
        page.locator("#email").fill(email)
        page.locator("#password").fill(password)
        page.get_by_role("main").get_by_role("button").first.click()
        page.wait_for_url(re.compile(re.escape(url(host, "/"))))
        for path in paths:
            answer = page.goto(url(host, path))
            assert answer is not None and answer.status == 200, f"{page.url}: {answer and answer.status}"
            look(page)
        assert said == []
        return page.context

    return sweep


@pytest.fixture(scope="module")
def subscriber(city: City, mailbox: Mailbox) -> Person:
    """Somebody with a family plan, an invoice, an invitation and a child."""
    someone = person("나래")
    with api_client() as client:
        program(client, city, mailbox, someone)
        enter(client, city, "")
        home, headers = city.url("", ""), {"Accept": "application/json"}
        subscribe(client, home, plan="family")
        child = {"name": "보람", "signInName": f"boram-{someone.email.split('@')[0]}", "password": "nine green bicycles"}
        for path, body in (("family/invitations", {"label": "남편"}), ("family/children", child)):
            answer = client.post(f"{home}/{path}", json=body, headers=headers)
            assert answer.status_code == 201, answer.text
    return someone


@pytest.mark.parametrize("options", VISITORS)
def test_pages_of_a_visitor_without_a_plan(mailbox: Mailbox, city: City, api, sweep, options: dict[str, Any]) -> None:
    someone = person("소리")
    program(api(), city, mailbox, someone)
    paths = ["/plans", "/plans?every=year", "/subscribe?plan=student", "/subscription", "/invoices", "/family", "/account"]
    sweep(options, someone.email, PASSWORD, "", paths)
    sweep(options, someone.email, PASSWORD, "my-ktube", ["/", "/review", "/read"])


@pytest.mark.parametrize("options", VISITORS)
def test_pages_of_a_subscriber(city: City, subscriber: Person, sweep, url, options: dict[str, Any]) -> None:
    paths = ["/plans", "/account", "/subscription", "/subscription/change?plan=family&every=year", "/invoices", "/family"]
    context = sweep(options, subscriber.email, PASSWORD, "", paths)
    # What hangs below the lists, by its links.
    page = context.pages[0]
    below = []
    for path, links in (("/invoices", ".rows a"), ("/family", ".rows a.button")):
        page.goto(url("", path))
        below.append(page.locator(links).first.get_attribute("href") or "")
    context.close()
    sweep(options, subscriber.email, PASSWORD, "", below)


@pytest.mark.parametrize("email", STAFF)
@pytest.mark.parametrize("options", VISITORS)
def test_pages_of_the_console(sweep, options: dict[str, Any], email: str) -> None:
    sweep(options, email, STAFF_PASSWORD, "console", STAFF[email])
