"""A city with a database of its own for the time of a measurement, started, timed and signed in to."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from city import BINARY, ROOT, City, api_client, environment
from measure import decoded, say, until

JSON = {"Accept": "application/json"}

# The sample accounts of a development city.
PASSWORD = "metropolis-2026"
ACCOUNTS = [f"{name}@example.com" for name in ("mina", "jun", "sora", "daniel", "hayun", "yuna", "minsu", "grace")]


@dataclass(frozen=True)
class Process:
    """A city that serves, and the process that does it."""

    city: City
    pid: int


@contextmanager
def home() -> Iterator[Path]:
    """A folder for a city's data. Short: a socket's path has 107 bytes. Open: the database's user has to enter it."""
    folder = Path(tempfile.mkdtemp(prefix="metropolis-"))
    folder.chmod(0o755)
    try:
        document = (ROOT / "tenants.yaml").read_text()
        (folder / "tenants.yaml").write_text(with_wide_limits(document))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def with_wide_limits(document: str) -> str:
    """The city's file with limits that one loud machine does not meet."""
    document = re.sub(r"^limits:.*\n(?:(?:[ \t#].*)?\n)*", "", document, flags=re.MULTILINE)
    classes = {"auth": "network", "list": "network", "post": "person", "search": "network", "practice": "person"}
    limits = [f"  {name}: {{per: {subject}, rate: 1000000/1s}}\n" for name, subject in classes.items()]
    return document.rstrip() + "\n\nlimits:\n" + "".join(limits)


@contextmanager
def serving(folder: Path, port: int, is_up: Callable[[City], bool], role: str = "run", seconds: float = 120) -> Iterator[Process]:
    """Starts the city on the data of a folder; serves until the block ends.

    - role: `run` does everything in one process, `serve` answers requests only, on what `run` has applied before.
    - seconds: it may take to start.
    """
    city = City(port=port, data=folder / "data")
    command: list[str | Path] = [
        BINARY,
        role,
        "--port",
        str(port),
        "--data",
        city.data,
        "--config",
        folder / "tenants.yaml",
    ]
    with (folder / "city.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        try:
            until("the city is up", lambda: has_ended(process) or is_up(city), seconds, 0.002)
            yield Process(city, process.pid)
        except BaseException:
            lines = (folder / "city.log").read_text(errors="replace").splitlines()
            say("\n".join(["The city's last lines:", *lines[-20:]]))
            raise
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def working(process: Process, folder: Path) -> Iterator[None]:
    """What a city does by itself, in a process beside the one that serves it."""
    command = [BINARY, "work", "--port", str(process.city.port), "--data", process.city.data, "--config", folder / "tenants.yaml"]
    with (folder / "work.log").open("ab") as log:
        worker = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(30)


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the city ended with status {process.returncode}")
    return False


def answers(path: str, host: str = "localhost") -> Callable[[City], bool]:
    """Whether a path of the city is there. One plain request: what takes time here is the city."""

    def probe(city: City) -> bool:
        head = f"GET {path} HTTP/1.1\r\nHost: {host}:{city.port}\r\nConnection: close\r\n\r\n"
        try:
            with socket.create_connection(("127.0.0.1", city.port), timeout=2) as line:
                line.sendall(head.encode())
                return line.makefile("rb").readline().startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    return probe


is_open = answers("/")
is_ready = answers("/ready")


def seconds_to_first_answer(folder: Path, port: int, role: str) -> float:
    start = time.monotonic()
    with serving(folder, port, is_open, role):
        return time.monotonic() - start


def signed_in(city: City, site: str) -> dict[str, str]:
    """The headers of a program that a sample account has signed in at a tenant, by the tenant's own way."""
    with api_client(follow_redirects=True) as client:
        body = {"email": ACCOUNTS[0], "password": PASSWORD}
        decoded(client.post(city.url("id", "/signin"), json=body, headers=JSON), 200)
        page = client.get(city.url(site, "/signin?return_to=/"), headers={"Accept": "text/html"})
        if page.status_code != 200 or page.url.host != f"{site}.localhost":
            raise RuntimeError(f"signing in at {site} ended at {page.url} with {page.status_code}")
        cookies = [f"{one.name}={one.value}" for one in client.cookies.jar if one.domain == f"{site}.localhost"]
    return JSON | {"Cookie": "; ".join(cookies)}
