"""How people and programs of the tests pay: at the payment simulator's page."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import Page, expect

WORKS, DECLINES, FAILS_LATER = "4242424242424242", "4000000000000002", "4000000000000341"


def fill_card(page: Page, number: str = WORKS) -> None:
    """On the simulator's page: types a card and pays."""
    expect(page).to_have_url(re.compile("/checkout/"))
    page.locator("[name=number]").fill(number)
    page.locator("[name=expiry]").fill("12/34")
    page.locator("[name=cvc]").fill("123")
    page.get_by_role("main").get_by_role("button").first.click()


def pay(client: httpx.Client, checkout: str, number: str = WORKS) -> httpx.Response:
    """What the card form sends; the answer leads back to the city, where we look for ourselves."""
    return client.post(checkout, data={"number": number, "expiry": "12/34", "cvc": "123"}, follow_redirects=False)


def subscribe(client: httpx.Client, url: str, number: str = WORKS, **order: object) -> dict:
    """Orders a plan, pays, and comes back: the subscription as the API has it. `url` is the city's origin."""
    json = {"Accept": "application/json"}
    placed = client.post(f"{url}/subscribe", json=order, headers=json)
    assert placed.status_code == 201, placed.text
    paid = pay(client, placed.json()["checkout"], number)
    assert paid.status_code == 303, paid.text
    looked = client.get(f"{url}/payments/{placed.json()['payment']}/return", headers=json)
    assert looked.json()["state"] == "succeeded", looked.text
    return client.get(f"{url}/subscription", headers=json).json()["subscription"]
