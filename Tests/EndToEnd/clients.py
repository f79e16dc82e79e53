"""Clients who go on while their city is killed: they do what a careful program does, and send the same request with the
same key until it is answered. They note what was acknowledged; whether the city kept its word is for the test to find out.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from city import api_client
from paying import WORKS, pay
from people import enter, person, program
from soak import Moments, World

JSON = {"Accept": "application/json"}
PENDS = "4000000000003220"
# Longer than a restart takes on a busy machine; who is not answered within it, hangs.
PATIENCE = 90.0
# Two ticks of the reconciler's timetable and some.
RECONCILED = 180.0


@dataclass
class Notebook:
    """What the clients were told. Appending is safe between threads."""

    # (client, id)
    questions: list[tuple[Caller, str]] = field(default_factory=list)
    # (who asked, who answered, answer, points)
    accepted: list[tuple[Caller, Caller, str, int]] = field(default_factory=list)
    items: list[tuple[Caller, str]] = field(default_factory=list)
    # Learners who were told that nothing is left.
    exhausted: list[Caller] = field(default_factory=list)
    # (client, plan, every), in the order of each client.
    bought: list[tuple[Caller, str, str]] = field(default_factory=list)
    customers: list[Caller] = field(default_factory=list)
    payments: list[tuple[Caller, str]] = field(default_factory=list)
    # Paid on a page that was given up for another.
    orphans: list[tuple[Caller, str]] = field(default_factory=list)
    # What was answered other than by an acknowledgement.
    troubles: Counter[str] = field(default_factory=Counter)
    # Requests that were sent and got no answer.
    cut: Counter[str] = field(default_factory=Counter)
    longest: float = 0
    moments: Moments = field(default_factory=Moments)


class Caller:
    """A person's program, with a session of its own."""

    def __init__(self, world: World, notebook: Notebook, client: httpx.Client, name: str) -> None:
        self.city, self.notebook, self.client, self.name = world.city, notebook, client, name

    def __repr__(self) -> str:
        return self.name

    def call(self, method: str, url: str, patience: float = PATIENCE, **options: Any) -> httpx.Response:
        """Sends the same request until somebody answers it."""
        begin = time.monotonic()
        last = "nothing"
        headers = JSON | options.pop("headers", {})
        act = f"{method} /{httpx.URL(url).path.strip('/').split('/')[0]}"
        while (waited := time.monotonic() - begin) < patience:
            self.notebook.moments.begin(act)
            try:
                answer = self.client.request(method, url, headers=headers, **options)
            except httpx.TransportError as failure:
                last = type(failure).__name__
                # Refused is not cut: nobody has heard it.
                if not isinstance(failure, httpx.ConnectError):
                    self.notebook.cut[act] += 1
            else:
                if answer.status_code < 500 and answer.status_code != 429:
                    self.notebook.longest = max(self.notebook.longest, time.monotonic() - begin)
                    return answer
                last = f"{answer.status_code} {answer.text[:200]}"
                self.notebook.troubles[f"{act}: {answer.status_code}"] += 1
            time.sleep(0.1)
        raise AssertionError(f"{self}: {method} {url} was not answered within {waited:.0f} s; at last: {last}")

    def json(self, method: str, host: str, path: str, *expected: int, **options: Any) -> dict[str, Any]:
        answer = self.call(method, self.city.url(host, path), **options)
        what = f"{self}: {method} {path}: {answer.status_code} {answer.text}"
        assert answer.status_code in (expected or (200,)), what
        body: dict[str, Any] = answer.json()
        return body


def newcomer(world: World, notebook: Notebook, name: str, *hosts: str) -> Caller:
    """Registers somebody and signs her in; begins again with another address when a kill comes between."""
    begin = time.monotonic()
    last: Exception | None = None
    while time.monotonic() - begin < PATIENCE:
        client = api_client()
        try:
            world.wait(PATIENCE)
            someone = person(name)
            program(client, world.city, world.mails, someone)
            for host in hosts:
                enter(client, world.city, host)
            return Caller(world, notebook, client, someone.email)
        except (httpx.HTTPError, AssertionError) as failure:
            notebook.troubles[f"registration begun again: {type(failure).__name__}"] += 1
            client.close()
            last = failure
            time.sleep(0.1)
    raise AssertionError(f"nobody could register within {PATIENCE:.0f} s; at last: {last}")


class Worker(threading.Thread):
    """Does one kind of act until it is told to stop, and ends what it has begun."""

    def __init__(self, world: World, notebook: Notebook, seed: int, number: int, stop: threading.Event) -> None:
        super().__init__(name=f"{type(self).__name__} {number}", daemon=True)
        self.world, self.notebook, self.number, self.stopping = world, notebook, number, stop
        self.random = random.Random(f"{self.name} {seed}")
        self.failure: BaseException | None = None
        self.prepare()

    def prepare(self) -> None:
        """Before the first kill."""

    def act(self) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """After the last kill."""

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.act()
                time.sleep(self.random.uniform(0, 0.15))
            self.finish()
        except BaseException as failure:
            self.failure = failure


class Asker(Worker):
    def prepare(self) -> None:
        self.count = 0
        self.me = newcomer(self.world, self.notebook, "미나", "", "jeju")
        self.neighbour = newcomer(self.world, self.notebook, "준호", "", "jeju")

    def act(self) -> None:
        self.count += 1
        mark = f"{self.name.replace(' ', '-')}-{self.count}"
        question = {
            "title": f"{mark} 번째로 궁금한 것이 있어요", "body": "주말 오후에 아이들과 가려고 해요. 조금 걸어도 괜찮아요.",
            "category": "traffic", "hashtags": [], "urgency": "normal",
        }
        asked = self.me.json("POST", "jeju", "/questions", 200, 201, json=question, headers={"Idempotency-Key": mark})
        self.notebook.questions.append((self.me, asked["id"]))
        if self.count % 3 == 0:
            self.thank(asked["id"], mark)

    def thank(self, question: str, mark: str) -> None:
        """A neighbour answers, and gets the points."""
        answer = self.neighbour.json(
            "POST", "jeju", f"/questions/{question}/answers", 200, 201, json={"body": f"{mark}: 오전 열 시 전이면 자리가 있어요."},
            headers={"Idempotency-Key": mark})
        accepted = self.me.json("POST", "jeju", f"/answers/{answer['id']}/accept", 200, 201, json={})
        self.notebook.accepted.append((self.me, self.neighbour, answer["id"], accepted["points"]))


class Learner(Worker):
    """Uses up the free allowance, person by person."""

    def prepare(self) -> None:
        self.count = 0
        self.me = newcomer(self.world, self.notebook, "지아", "", "univprep")

    def act(self) -> None:
        self.count += 1
        key = {"Idempotency-Key": f"{self.name}-{self.count}"}
        answer = self.me.call("POST", self.world.city.url("univprep", "/practice"), json={}, headers=key)
        if answer.status_code == 402:
            self.notebook.exhausted.append(self.me)
            self.me = newcomer(self.world, self.notebook, "지아", "", "univprep")
            return
        # A key of its own and nothing left open: every start is a new item.
        assert answer.status_code == 201, f"{self.me}: {answer.status_code} {answer.text}"
        item = answer.json()["id"]
        self.notebook.items.append((self.me, item))
        self.me.json("POST", "univprep", f"/practice/{item}/answer", json={"skip": True})


class UnderWay(Exception):
    """Somebody is paying for this already, nobody can say yet with what outcome."""


class Payer(Worker):
    """Subscribes at the gateway's page, then changes to more and more, which charges the card; person by person."""

    LADDER = [
        (plan, every)
        for every in ("month", "year")
        for plan in ("student", "k-culture", "university", "premium", "family")
    ]

    def prepare(self) -> None:
        self.count = 0
        self.aside: list[tuple[Caller, str, str]] = []
        self.meet()

    def meet(self) -> None:
        self.me = newcomer(self.world, self.notebook, "다온", "")
        self.country = ("US", "KR")[(self.number + self.count) % 2]
        # Every third: the bank takes its time with this card, for charges as well.
        self.card = PENDS if (self.number + self.count) % 3 == 2 else WORKS
        self.step = 0
        self.count += 1
        self.notebook.customers.append(self.me)

    def act(self) -> None:
        plan, every = self.LADDER[self.step]
        if self.step == 0:
            self.subscribe(plan, every)
        else:
            try:
                self.change(self.me, plan, every, patience=5)
            except UnderWay:
                # The reconciler's; until then somebody else buys.
                self.aside.append((self.me, plan, every))
                return self.meet()
        self.step += 1
        if self.step == len(self.LADDER):
            self.meet()

    def finish(self) -> None:
        for customer, plan, every in self.aside:
            self.change(customer, plan, every, patience=RECONCILED)

    def order(self, plan: str, every: str) -> dict[str, Any]:
        return {"plan": plan, "every": every} | ({"chosen": ["univprep"]} if plan == "student" else {})

    def subscribe(self, plan: str, every: str) -> None:
        me = self.me
        # Some wanted something else first, and pay that page as well: the money goes back. Refunds wait for the
        # timetable, so the first of these come early.
        other = None
        if self.count == 1 or self.count % 10 == 0:
            order = {"plan": "premium", "every": "month", "country": self.country}
            other = me.json("POST", "", "/subscribe", 201, json=order)
        placed = me.json("POST", "", "/subscribe", 201, json=self.order(plan, every) | {"country": self.country})
        self.pay(me, placed["checkout"])
        if other:
            self.pay(me, other["checkout"])
            self.notebook.orphans.append((me, other["payment"]))
        if self.random.random() < 0.5:
            self.come_back(me, placed["payment"])
        else:
            # She closes the page: the webhook does it, or the reconciler.
            self.until(me, RECONCILED, lambda: (self.held(me) or {}).get("state") == "active", "subscribed")
        self.notebook.payments.append((me, placed["payment"]))
        self.notebook.bought.append((me, plan, every))

    def pay(self, me: Caller, checkout: str) -> None:
        """Until the gateway's page says that it is done: the gateway is killed too."""
        begin = time.monotonic()
        while True:
            self.notebook.moments.begin("POST /checkout")
            try:
                paid = pay(me.client, checkout, self.card)
            except httpx.TransportError as failure:
                if not isinstance(failure, httpx.ConnectError):
                    self.notebook.cut["POST /checkout"] += 1
                assert time.monotonic() - begin < PATIENCE, f"{me}: the gateway does not answer"
                time.sleep(0.1)
                continue
            assert paid.status_code == 303, f"{me}: {paid.status_code} {paid.text}"
            return

    def held(self, me: Caller) -> dict[str, Any] | None:
        return me.json("GET", "", "/subscription").get("subscription")

    def come_back(self, me: Caller, payment: str) -> None:
        def is_paid() -> bool:
            state = me.json("GET", "", f"/payments/{payment}/return")["state"]
            assert state in ("created", "pending", "succeeded"), f"{me}: payment {payment} is {state}"
            return bool(state == "succeeded")

        self.until(me, RECONCILED, is_paid, f"payment {payment} succeeded")

    @staticmethod
    def until(me: Caller, patience: float, probe: Callable[[], bool], what: str) -> None:
        begin = time.monotonic()
        while not probe():
            assert time.monotonic() - begin < patience, f"{me}: not within {patience:.0f} s: {what}"
            time.sleep(0.2)

    def change(self, me: Caller, plan: str, every: str, patience: float) -> None:
        """Until the subscription is what was wished; looks at it after every answer that is not clear.

        Raises UnderWay when an earlier try of this change is being paid for longer than the patience.
        """
        order = self.order(plan, every)
        query = {name: ",".join(value) if isinstance(value, list) else value for name, value in order.items()}
        change = self.world.city.url("", "/subscription/change")
        begin = time.monotonic()
        while True:
            held = self.held(me)
            assert held and held["state"] == "active", f"{me}: {held}"
            if (held["terms"]["plan"], held["terms"]["every"]) == (plan, every):
                break
            answer = me.call("GET", change, params=query)
            assert answer.status_code in (200, 409), f"{me}: {answer.status_code} {answer.text}"
            if answer.status_code == 200:
                preview = answer.json()
                assert preview["takesEffect"] == "now", f"{me}: {preview}"
                answer = me.call("POST", change, json=order | {"revision": preview["revision"]})
                if answer.status_code == 200:
                    outcome = answer.json()
                    if outcome["outcome"] == "payment":
                        assert not outcome["payment"].get("checkout"), f"{me}: the card is gone: {outcome}"
                        self.come_back(me, outcome["payment"]["payment"])
                        self.notebook.payments.append((me, outcome["payment"]["payment"]))
                    continue
            code = answer.json().get("code")
            self.notebook.troubles[f"change: {answer.status_code} {code}"] += 1
            assert answer.status_code == 409 and code in (
                "paymentUnderWay", "changedMeanwhile", "noChange", "underWay", "otherAmount",
            ), f"{me}: {answer.status_code} {answer.text}"
            if code in ("paymentUnderWay", "underWay", "otherAmount"):
                if time.monotonic() - begin > patience:
                    if patience >= RECONCILED:
                        raise AssertionError(f"{me}: {plan} by {every} is under way for {patience:.0f} s")
                    raise UnderWay
                time.sleep(0.5)
        self.notebook.bought.append((me, plan, every))
