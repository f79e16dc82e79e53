"""A city and a payment simulator that are killed again and again, and clients who go on all the same.

The clients do what a careful program does: they send the same request with the same key until it is answered, and note
what was acknowledged. Whether the city kept its word is for the test to find out.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from city import BINARY, ROOT, City, Mailbox, api_client, environment, eventually, with_wide_limits
from people import enter, person, program
from paying import WORKS, pay

JSON = {"Accept": "application/json"}
PROGRAM = Path(os.environ.get("METROPOLIS_BINARY", BINARY))
LOGS = ROOT / ".build/test-logs/crash"
KEY, SECRET = "crash-test-key", "crash-test-secret"
PENDS = "4000000000003220"
# Longer than a restart takes on a busy machine; who is not answered within it, hangs.
PATIENCE = 90.0
# Two ticks of the reconciler's timetable and some.
RECONCILED = 180.0


def quiet_port() -> int:
    """A free port that no outgoing connection is given (`ip_local_port_range`): while its server is dead, somebody else
    would take it, or a client that knocks at it be connected with itself."""
    for _ in range(200):
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port between 20000 and 32000")


class Server:
    """A process that is killed and started again with the same command."""

    def __init__(self, name: str, command: list[str], settings: dict[str, str], logs: Path) -> None:
        self.name, self.command, self.settings = name, command, settings
        self.log = logs / f"{name}.log"
        self.kills = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=environment() | self.settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        assert self.process is not None
        status = self.process.poll()
        assert status is None, f"the {self.name} ended by itself with status {status}; see {self.log}:\n{self.tail()}"
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def stop(self, seconds: float = 30) -> int:
        """As an operator would; its status, -9 when it had to be killed."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class World:
    """A city and a simulator of their own, on data of their own."""

    def __init__(self) -> None:
        # Short, and open to the database's user: see `running_city`.
        self.home = Path(tempfile.mkdtemp(prefix="metropolis-crash-"))
        self.home.chmod(0o755)
        self.logs = LOGS / self.home.name
        self.logs.mkdir(parents=True)
        self.city = City(port=quiet_port(), data=self.home / "data")
        payments = quiet_port()
        while payments == self.city.port:
            payments = quiet_port()
        self.origin = f"http://127.0.0.1:{payments}"
        self.config = self.home / "tenants.yaml"
        self.config.write_text(with_wide_limits((ROOT / "tenants.yaml").read_text()))
        keys = {"METROPOLIS_PAYMENTS_KEY": KEY, "METROPOLIS_PAYMENTS_SECRET": SECRET}
        self.keys = keys | {"METROPOLIS_PAYMENTS_URL": self.origin}
        self.server = Server(
            "city",
            [str(PROGRAM), "run", "--port", str(self.city.port), "--data", str(self.city.data), "--config", str(self.config)],
            self.keys, self.logs,
        )
        self.simulator = Server(
            "simulator",
            [
                str(PROGRAM), "simulate-payments", "--port", str(payments), "--journal", str(self.home / "payments.journal"),
                "--webhook-url", self.city.url("", "/payments/webhook"), "--allow-faults",
            ],
            keys, self.logs,
        )

    def start(self) -> None:
        self.simulator.start()
        self.server.start()
        self.wait()

    def wait(self, seconds: float = 120) -> None:
        eventually("the city is ready", self.is_ready, seconds)

    def is_ready(self) -> bool:
        """Whether both answer."""
        try:
            with api_client(timeout=2) as client:
                self.simulated(client, "/simulator/state")
                return client.get(self.city.url("", "/ready")).status_code == 200
        except httpx.HTTPError:
            return False

    def simulated(self, client: httpx.Client, path: str) -> Any:
        """What the simulator says, as the city would ask it."""
        answer = client.get(self.origin + path, headers={"Authorization": f"Bearer {KEY}"})
        answer.raise_for_status()
        return answer.json()

    def kill_database(self) -> None:
        """The private PostgreSQL too, as when the whole machine goes down. It may have gone with the city already."""
        try:
            postmaster = int((self.city.data / "postgres/postmaster.pid").read_text().split()[0])
            command = Path(f"/proc/{postmaster}/cmdline").read_bytes()
            if str(self.city.data).encode() in command:
                os.kill(postmaster, signal.SIGKILL)
        except (FileNotFoundError, IndexError, ValueError, ProcessLookupError):
            return

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query gives, asked of the private database by its superuser."""
        answer = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
             "-c", f"SELECT coalesce(json_agg(r), '[]') FROM ({query}) AS r"],
            env=os.environ | {
                "PGHOST": str(self.city.data / "postgres.socket"), "PGUSER": "metropolis", "PGDATABASE": "metropolis",
                "PGPASSWORD": (self.city.data / "postgres.password").read_text().strip(),
            },
            capture_output=True, text=True, timeout=60,
        )
        assert answer.returncode == 0, f"{answer.stderr}\n{query}"
        found: list[dict[str, Any]] = json.loads(answer.stdout)
        return found

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the program on this city's data."""
        return subprocess.run(
            [str(PROGRAM), *arguments, "--data", str(self.city.data), "--config", str(self.config)],
            cwd=ROOT, env=environment() | self.keys, capture_output=True, text=True, timeout=120,
        )

    def end(self) -> None:
        """Ends what still runs. Data and logs stay for who wants to look."""
        for server in (self.server, self.simulator):
            if server.process is not None and server.process.poll() is None:
                server.stop()

    def forget(self) -> None:
        """Removes data and logs: nobody has to look."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.logs, ignore_errors=True)


class Killer(threading.Thread):
    """Kills the city, the simulator or both, at moments only the seed knows, and starts them again at once."""

    # The last: the city with its database, as in a power failure.
    TARGETS = ["city"] * 3 + ["simulator"] * 3 + ["both"] * 2 + ["machine"]
    # What is struck at when it is being done: the moments that matter are short. None: whatever is being done then.
    ACTS = [None, None, "POST /subscription", "POST /subscription", "POST /subscribe", "POST /checkout", "POST /practice"]

    def __init__(self, world: World, notebook: Notebook, seed: int, seconds: float, least: int) -> None:
        super().__init__(name="killer", daemon=True)
        self.world, self.notebook, self.random = world, notebook, random.Random(f"killer {seed}")
        self.seconds, self.least = seconds, least
        self.counts: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self.stopping = threading.Event()

    def stop(self) -> None:
        self.stopping.set()

    def run(self) -> None:
        try:
            begin = time.monotonic()
            bag: list[str] = []
            while (spent := time.monotonic() - begin) < self.seconds or not self.is_enough:
                if self.stopping.is_set():
                    return
                # A machine too slow for the kills that are due gets more time, not for ever.
                assert spent < 4 * self.seconds + 60, f"only {self.counts} in {spent:.0f} s"
                if not bag:
                    bag = self.random.sample(self.TARGETS, len(self.TARGETS))
                time.sleep(self.random.uniform(0.2, 3.0))
                act, within = self.random.choice(self.ACTS), self.random.uniform(0, 0.03)
                if act:
                    self.notebook.wait_for(act, 3)
                    time.sleep(within)
                self.strike(bag.pop())
                # Most restarts are let through; some are struck down again on their way.
                if self.random.random() < 0.75:
                    self.world.wait()
        except BaseException as failure:
            self.failure = failure

    @property
    def is_enough(self) -> bool:
        return min(self.world.server.kills, self.world.simulator.kills) >= self.least

    def strike(self, target: str) -> None:
        self.counts[target] += 1
        server, simulator = self.world.server, self.world.simulator
        both = [server, simulator]
        struck = {"city": [server], "machine": [server], "simulator": [simulator], "both": both, "all": both}[target]
        for one in self.random.sample(struck, len(struck)):
            one.kill()
        if target in ("machine", "all"):
            self.world.kill_database()
        # Mostly at once; now and then the others notice that it is gone.
        if self.random.random() < 0.3:
            time.sleep(self.random.uniform(0.1, 1.5))
        for one in struck:
            one.start()


@dataclass
class Notebook:
    """What the clients were told. Appending is safe between threads."""

    # (client, id)
    questions: list[tuple[Caller, str]] = field(default_factory=list)
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
    begun: threading.Condition = field(default_factory=threading.Condition)
    latest: str = ""

    def begin(self, act: str) -> None:
        """Somebody sends a request, now."""
        with self.begun:
            self.latest = act
            self.begun.notify_all()

    def wait_for(self, act: str, seconds: float) -> None:
        """Until such a request is being sent."""
        with self.begun:
            self.latest = ""
            self.begun.wait_for(lambda: self.latest == act, seconds)


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
            self.notebook.begin(act)
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
        assert answer.status_code in (expected or (200,)), f"{self}: {method} {path}: {answer.status_code} {answer.text}"
        body: dict[str, Any] = answer.json()
        return body


def newcomer(world: World, notebook: Notebook, name: str, *hosts: str) -> Caller:
    """Registers somebody and signs her in; begins again with another address when a kill comes between."""
    for _ in range(20):
        client = api_client()
        try:
            world.wait(PATIENCE)
            someone = person(name)
            program(client, world.city, Mailbox(world.city, client), someone)
            for host in hosts:
                enter(client, world.city, host)
            return Caller(world, notebook, client, someone.email)
        except (httpx.HTTPError, AssertionError) as failure:
            notebook.troubles[f"registration begun again: {type(failure).__name__}"] += 1
            client.close()
            last = failure
    raise AssertionError(f"nobody could register in twenty tries; at last: {last}")


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

    def act(self) -> None:
        self.count += 1
        mark = f"{self.name.replace(' ', '-')}-{self.count}"
        question = {
            "title": f"{mark} 번째로 궁금한 것이 있어요", "body": "주말 오후에 아이들과 가려고 해요. 조금 걸어도 괜찮아요.",
            "category": "traffic", "hashtags": [], "urgency": "normal",
        }
        asked = self.me.json("POST", "jeju", "/questions", 200, 201, json=question, headers={"Idempotency-Key": mark})
        self.notebook.questions.append((self.me, asked["id"]))


class Learner(Worker):
    """Uses up the free allowance, person by person."""

    def prepare(self) -> None:
        self.count = 0
        self.me = newcomer(self.world, self.notebook, "지아", "", "univprep")

    def act(self) -> None:
        self.count += 1
        key = f"{self.name}-{self.count}"
        answer = self.me.call("POST", self.world.city.url("univprep", "/practice"), json={}, headers={"Idempotency-Key": key})
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
        (plan, every) for every in ("month", "year") for plan in ("student", "k-culture", "university", "premium", "family")
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
        # Some wanted something else first, and pay that page as well: the money goes back. Refunds wait for the timetable,
        # so most of these come early.
        other = None
        if self.count <= 2 or self.count % 10 == 0:
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
            self.until(me, RECONCILED, lambda: (self.held(me) or {}).get("state") == "active", "the subscription is active")
        self.notebook.payments.append((me, placed["payment"]))
        self.notebook.bought.append((me, plan, every))

    def pay(self, me: Caller, checkout: str) -> None:
        """Until the gateway's page says that it is done: the gateway is killed too."""
        begin = time.monotonic()
        while True:
            self.notebook.begin("POST /checkout")
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

        - Raises UnderWay: when an earlier try of this change is being paid for longer than the patience.
        """
        order = self.order(plan, every)
        query = {name: ",".join(value) if isinstance(value, list) else value for name, value in order.items()}
        begin = time.monotonic()
        while True:
            held = self.held(me)
            assert held and held["state"] == "active", f"{me}: {held}"
            if (held["terms"]["plan"], held["terms"]["every"]) == (plan, every):
                break
            answer = me.call("GET", self.world.city.url("", "/subscription/change"), params=query)
            assert answer.status_code in (200, 409), f"{me}: {answer.status_code} {answer.text}"
            if answer.status_code == 200:
                preview = answer.json()
                assert preview["takesEffect"] == "now", f"{me}: {preview}"
                answer = me.call(
                    "POST", self.world.city.url("", "/subscription/change"), json=order | {"revision": preview["revision"]})
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
