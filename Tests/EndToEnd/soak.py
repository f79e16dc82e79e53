"""A city and a payment simulator of their own, and who kills them again and again."""

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
from pathlib import Path
from typing import Any

import httpx

from city import BINARY, ROOT, City, api_client, environment, eventually, with_wide_limits

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
            ["run", "--port", str(self.city.port), "--data", str(self.city.data), "--config", str(self.config)],
            self.keys,
            self.logs,
        )
        self.simulator = Server(
            "simulator",
            [
                "simulate-payments", "--port", str(payments), "--journal", str(self.home / "payments.journal"),
                "--webhook-url", self.city.url("", "/payments/webhook"), "--allow-faults",
            ],
            keys,
            self.logs,
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
    """Kills the city, the simulator or both, at moments only the seed knows, and starts them again at once."""

    # The last: the city with its database, as in a power failure.
    TARGETS = ["city"] * 3 + ["simulator"] * 3 + ["both"] * 2 + ["machine"]
    # What is struck at when it is being done: the moments that matter are short. None: whatever is being done then.
    ACTS = [None, None, *["POST /subscription"] * 2, "POST /subscribe", "POST /checkout", "POST /practice"]

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
                    bag = self.random.sample(self.TARGETS, len(self.TARGETS))
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
