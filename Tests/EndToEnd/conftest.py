"""What the end-to-end tests share: the city, browsers that visit it, programs that call it, the mail that it sends.

A test that fails leaves a picture and the HTML of every page it had open in .build/e2e-failures.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from city import LOG, ROOT, City, Mailbox, api_client, running_city

FAILURES = ROOT / ".build/e2e-failures"
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 3, "is_mobile": True, "has_touch": True}

OpenPage = Callable[..., Page]
Api = Callable[..., httpx.Client]

open_pages = pytest.StashKey[list[Page]]()
console_lines = pytest.StashKey[list[str]]()
log_start = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def city() -> Iterator[City]:
    """The city, started once for the whole run with new data."""
    with running_city() as city:
        yield city


@pytest.fixture(scope="session")
def url(city: City) -> Callable[..., str]:
    """`url("jeju", "/questions")`; "" is the city itself."""
    return city.url


@pytest.fixture
def api() -> Iterator[Api]:
    """Makes clients for programs (`city.api_client`): each call is another person's, with cookies of its own."""
    with ExitStack() as clients:
        yield lambda **options: clients.enter_context(api_client(**options))


@pytest.fixture(scope="session")
def mailbox(city: City) -> Iterator[Mailbox]:
    with api_client() as client:
        yield Mailbox(city, client)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or Playwright's own where there is none."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[OpenPage]:
    """Opens pages, each in a browser of its own as another person has one: `open_page(locale="en-US", **PHONE)`."""
    pages = request.node.stash.setdefault(open_pages, [])
    lines = request.node.stash.setdefault(console_lines, [])

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            lines.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**DESKTOP | {"locale": "ko-KR", "timezone_id": "Asia/Seoul"} | options)
        context.set_default_timeout(10_000)
        context.on("console", note)
        context.on("weberror", lambda error: lines.append(f"uncaught: {error.error}"))
        page = context.new_page()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A Korean visitor at a desk."""
    return open_page()


@pytest.fixture
def phone(open_page: OpenPage) -> Page:
    """A Korean visitor with a phone."""
    return open_page(**PHONE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--filter", help="a regular expression: only tests whose name it is found in")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The same kind of filter that `swift test --filter` has, so that bin/test has one for both."""
    if wanted := config.getoption("--filter"):
        dropped = [item for item in items if not re.search(wanted, item.nodeid)]
        items[:] = [item for item in items if item not in dropped]
        config.hook.pytest_deselected(items=dropped)


def pytest_sessionstart() -> None:
    shutil.rmtree(FAILURES, ignore_errors=True)
    LOG.unlink(missing_ok=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[log_start] = LOG.stat().st_size if LOG.exists() else 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and report.when == "call":
        if pages := item.stash.setdefault(open_pages, []):
            saved = [save(item, number, page) for number, page in enumerate(pages, 1)]
            report.sections.append(("Saved pages", "\n".join(saved)))
        if lines := item.stash.setdefault(console_lines, []):
            report.sections.append(("Browser console", "\n".join(lines)))
        if city := getattr(item, "funcargs", {}).get("city"):
            report.sections.append(("The city's log of this test", city.log(since=item.stash[log_start])))
    return report


def save(item: pytest.Item, number: int, page: Page) -> str:
    """Leaves a picture and the HTML of a page, and tells where."""
    name = re.sub(r"[^\w.-]+", "-", item.nodeid).strip("-")
    picture, html = (FAILURES / f"{name}-{number}{suffix}" for suffix in (".png", ".html"))
    FAILURES.mkdir(parents=True, exist_ok=True)
    try:
        html.write_text(page.content())
        page.screenshot(path=picture, full_page=True)
    except PlaywrightError as reason:
        return f"page {number} could not be saved: {reason.message}"
    return f"{page.url}: {picture.relative_to(ROOT)} {html.relative_to(ROOT)}"
