"""People of the tests: how they register and sign in, by browser and by program."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Protocol

import httpx
from playwright.sync_api import Page, expect

from city import City, Mail, Mailbox

class Post(Protocol):
    """Whoever has the mails: the development mailbox, or a sink of the test."""

    def mail(self, to: str) -> Mail: ...


PASSWORD = "correct horse battery staple"
numbers = itertools.count(1)


@dataclass(frozen=True)
class Person:
    email: str
    name: str


def person(name: str) -> Person:
    """Someone new, with an address nobody had before."""
    return Person(f"person-{next(numbers)}@example.com", name)


def register(page: Page, mailbox: Mailbox, someone: Person) -> None:
    """From any page with a sign-in link: registers, confirms by mail, and is back signed in."""
    page.get_by_role("banner").get_by_role("link", name=re.compile("로그인하기|Sign in")).click()
    page.get_by_role("main").get_by_role("link", name=re.compile("계정 만들기|Create account")).click()
    page.locator("#display_name").fill(someone.name)
    page.locator("#email").fill(someone.email)
    page.locator("#password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button").click()
    page.goto(mailbox.mail(someone.email).links[0])
    page.get_by_role("main").get_by_role("button").click()
    expect(page.get_by_role("button", name=re.compile("로그아웃하기|Sign out")).first).to_be_visible()


def program(client: httpx.Client, city: City, mailbox: Post, someone: Person) -> httpx.Client:
    """A program that registers and signs in at the issuer through the JSON API."""
    issuer = {"headers": {"Accept": "application/json"}}
    registered = client.post(
        city.url("id", "/register"),
        json={"email": someone.email, "password": PASSWORD, "display_name": someone.name},
        **issuer,
    )
    assert registered.status_code == 202, registered.text
    link = mailbox.mail(someone.email).links[0]
    confirmed = client.post(city.url("id", "/confirm"), json={"token": link.split("token=")[1]}, **issuer)
    assert confirmed.status_code == 200, confirmed.text
    return client


def enter(client: httpx.Client, city: City, host: str) -> None:
    """Signs in at a site: the issuer knows her already, so this is a walk of redirects."""
    answer = client.get(city.url(host, "/signin?return_to=/"), follow_redirects=True)
    assert answer.status_code == 200 and answer.url.host.startswith(host or "localhost"), answer.url
