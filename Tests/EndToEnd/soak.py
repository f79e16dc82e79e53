"""A city of several processes with a PostgreSQL and a payment simulator of its own, and who kills them again and again."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from city import BINARY, ROOT, City, api_client, environment, eventually, with_wide_limits
from cluster import Cluster, MailSink

PROGRAM = Path(os.environ.get("METROPOLIS_BINARY", BINARY))
LOGS = ROOT / ".build/test-logs/crash"
KEY, SECRET = "crash-test-key", "crash-test-secret"


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


def quiet_ports(count: int) -> list[int]:
    """So many of them, each another."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(quiet_port())
    return sorted(ports)


class Server:
    """A process that is killed and started again with the same command."""

    def __init__(self, name: str, command: list[str], settings: dict[str, str], logs: Path) -> None:
        self.name, self.command, self.settings = name, [str(PROGRAM), *command], settings
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
    """A city on data of its own: one process serves, one works in the background, one plays the gateway, and PostgreSQL
    outlives each of them."""

    def __init__(self) -> None:
        # Short, and open to the database's user: see `running_city`.
        self.home = Path(tempfile.mkdtemp(prefix="metropolis-crash-"))
        self.home.chmod(0o755)
        self.logs = LOGS / self.home.name
        self.logs.mkdir(parents=True)
        serving, payments, database = quiet_ports(3)
        self.cluster, self.mails = Cluster(self.home, database), MailSink()
        self.city = City(port=serving, data=self.home / "data")
        self.origin = f"http://127.0.0.1:{payments}"
        self.config = self.home / "tenants.yaml"
        self.config.write_text(with_wide_limits((ROOT / "tenants.yaml").read_text()))
        keys = {"METROPOLIS_PAYMENTS_KEY": KEY, "METROPOLIS_PAYMENTS_SECRET": SECRET}
        self.keys = keys | {
            "METROPOLIS_PAYMENTS_URL": self.origin, "METROPOLIS_SMTP_URL": self.mails.url, "DATABASE_URL": self.cluster.url,
        }
        options = ["--port", str(self.city.port), "--data", str(self.city.data), "--config", str(self.config)]
        self.server = Server("city", ["serve", *options], self.keys, self.logs)
        self.worker = Server("worker", ["work", *options], self.keys, self.logs)
        self.simulator = Server(
            "simulator",
            [
                "simulate-payments", "--port", str(payments), "--journal", str(self.home / "payments.journal"),
                "--webhook-url", self.city.url("", "/payments/webhook"), "--allow-faults",
            ],
            keys,
            self.logs,
        )

    @property
    def servers(self) -> tuple[Server, ...]:
        return (self.server, self.worker, self.simulator)

    def start(self) -> None:
        self.cluster.create()
        applied = self.command("apply", "--port", str(self.city.port))
        assert applied.returncode == 0, f"apply: {applied.returncode} {applied.stdout} {applied.stderr[-2_000:]}"
        loaded = self.command("content", "load")
        assert loaded.returncode == 0, f"content: {loaded.returncode} {loaded.stdout} {loaded.stderr[-2_000:]}"
        for server in self.servers:
            server.start()
        self.wait()

    def wait(self, seconds: float = 120) -> None:
        eventually("the city is ready", self.is_ready, seconds)

    def is_ready(self) -> bool:
        """Whether city and simulator answer."""
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

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query gives, asked of the database by its superuser."""
        return self.cluster.rows(query)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the program on this city's data."""
        return subprocess.run(
            [str(PROGRAM), *arguments, "--data", str(self.city.data), "--config", str(self.config)],
            cwd=ROOT, env=environment() | self.keys, capture_output=True, text=True, timeout=120,
        )

    def end(self) -> None:
        """Ends what still runs. Data and logs stay for who wants to look."""
        for server in self.servers:
            if server.process is not None and server.process.poll() is None:
                server.stop()
        if (self.cluster.home / "postmaster.pid").exists():
            self.cluster.stop_immediately()
        self.mails.stop()

    def forget(self) -> None:
        """Removes data and logs: nobody has to look."""
        self.cluster.destroy()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.logs, ignore_errors=True)


class Moments:
    """What is being sent just now, for whoever wants to strike at it."""

    def __init__(self) -> None:
        self.changed, self.latest = threading.Condition(), ""

    def begin(self, act: str) -> None:
        """Somebody sends a request, now."""
        with self.changed:
            self.latest = act
            self.changed.notify_all()

    def wait_for(self, act: str, seconds: float) -> None:
        """Until such a request is being sent."""
        with self.changed:
            self.latest = ""
            self.changed.wait_for(lambda: self.latest == act, seconds)


class Killer(threading.Thread):
    """Kills processes of the city, at moments only the seed knows, and starts them again at once."""

    # What is struck, by name. The last: everything, as in a power failure.
    TARGETS = {
        "city": 3, "simulator": 3, "worker": 2, "database": 2, "city and simulator": 1, "city and worker": 1, "machine": 1,
    }
    # What is struck at when it is being done: the moments that matter are short. None: whatever is being done then.
    ACTS = [None, None, *["POST /subscription"] * 2, "POST /subscribe", "POST /checkout", "POST /practice", "POST /answers"]

    def __init__(self, world: World, moments: Moments, seed: int, seconds: float, least: int) -> None:
        super().__init__(name="killer", daemon=True)
        self.world, self.moments, self.random = world, moments, random.Random(f"killer {seed}")
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
                    bag = [target for target, often in self.TARGETS.items() for _ in range(often)]
                    self.random.shuffle(bag)
                time.sleep(self.random.uniform(0.2, 3.0))
                act, within = self.random.choice(self.ACTS), self.random.uniform(0, 0.03)
                if act:
                    self.moments.wait_for(act, 3)
                    time.sleep(within)
                self.strike(bag.pop())
                # Most restarts are let through; some are struck down again on their way.
                if self.random.random() < 0.75:
                    self.world.wait()
        except BaseException as failure:
            self.failure = failure

    @property
    def kills(self) -> dict[str, int]:
        return {server.name: server.kills for server in self.world.servers} | {"database": self.world.cluster.kills}

    @property
    def is_enough(self) -> bool:
        return min(self.kills[name] for name in ("city", "simulator")) >= self.least and min(self.kills.values()) > 1

    def strike(self, target: str) -> None:
        self.counts[target] += 1
        names = list(self.kills) if target == "machine" else target.split(" and ")
        self.random.shuffle(names)
        servers = {server.name: server for server in self.world.servers}
        for name in names:
            if name == "database":
                self.world.cluster.stop_immediately()
            else:
                servers[name].kill()
        # Mostly at once; now and then the others notice that it is gone.
        if self.random.random() < 0.3:
            time.sleep(self.random.uniform(0.1, 1.5))
        # Nobody waits for anybody: the others bear it that the database is the last to come.
        for name in names:
            if name == "database":
                self.world.cluster.start()
            else:
                servers[name].start()
