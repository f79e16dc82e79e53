"""The city under test: one `metropolis run` with a database of its own, and the ways programs reach it."""

from __future__ import annotations

import os
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
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / ".build/release/metropolis"
LOG = ROOT / ".build/test-logs/city.log"

T = TypeVar("T")


def eventually(what: str, probe: Callable[[], T | None], seconds: float = 10) -> T:
    """The first true answer of `probe`, asked again and again; fails, naming `what`, when the time is over."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s; the last answer was {answer!r}")
        time.sleep(0.05)
    return answer


class LoopbackTransport(httpx.HTTPTransport):
    """Reaches `*.localhost` at 127.0.0.1, as browsers do and resolvers often don't. The request itself keeps its name:
    the Host header, cookies and redirects see jeju.localhost."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith(".localhost") or request.url.host == "localhost":
            request = httpx.Request(
                request.method,
                request.url.copy_with(host="127.0.0.1"),
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        return super().handle_request(request)


def api_client(**options: Any) -> httpx.Client:
    """A program that calls the city, with cookies of its own. It does not follow redirects unless told to."""
    settings: dict[str, Any] = {"transport": LoopbackTransport(), "timeout": 10, "trust_env": False}
    return httpx.Client(**settings | options)


@dataclass(frozen=True)
class City:
    port: int
    data: Path

    @property
    def config(self) -> Path:
        """The file that was applied, beside the data."""
        return self.data.parent / "tenants.yaml"

    def url(self, host: str = "", path: str = "/") -> str:
        """The address of a path on a host: a tenant's id, "id", "console", or "" for the city itself."""
        return f"http://{host}.localhost:{self.port}{path}" if host else f"http://localhost:{self.port}{path}"

    def log(self, since: int = 0, lines: int = 40) -> str:
        """The last lines of the city's log, of those after the first `since` bytes."""
        return "\n".join((LOG.read_bytes() if LOG.exists() else b"")[since:].decode(errors="replace").splitlines()[-lines:])

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Another command of the binary on the data of this city, which goes on serving."""
        command = [str(BINARY), *arguments, "--data", str(self.data), "--config", str(self.config)]
        return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=timeout)


@dataclass(frozen=True)
class Mail:
    id: str
    to: str
    subject: str
    text: str
    links: list[str]
    received: str


@dataclass(frozen=True)
class Mailbox:
    """The mailbox of the development server, where every mail that the city sends ends."""

    city: City
    client: httpx.Client

    def mails(self, to: str) -> list[Mail]:
        """The mails to an address, newest first."""
        address = self.city.url("", "/mailbox")
        answer = self.client.get(address, params={"to": to}, headers={"Accept": "application/json"})
        answer.raise_for_status()
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return [Mail(**{name: message[name] for name in Mail.__dataclass_fields__}) for message in messages]

    def mail(self, to: str, seconds: float = 10, matching: Callable[[Mail], bool] = lambda _: True) -> Mail:
        """The newest mail to an address that matches; waits for it to arrive."""
        return eventually(f"a mail to {to}", lambda: next(filter(matching, self.mails(to)), None), seconds)


def with_wide_limits(document: str) -> str:
    """The city's file with rates that one network of many test persons does not meet."""
    return re.sub(r"rate: \d+/1m", "rate: 100000/1m", document)


@contextmanager
def running_city(seconds_to_start: float = 120, seconds_to_stop: float = 30) -> Iterator[City]:
    """Starts the city on a free port with new data, waits until it is ready, and stops it as an operator would."""
    # Not pytest's own folder: that one is private to this user, and the database runs as another when this is root.
    # Short, because a Unix socket's path has 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="metropolis-"))
    home.chmod(0o755)
    city = City(port=free_port(), data=home / "data")
    LOG.parent.mkdir(parents=True, exist_ok=True)
    try:
        config = home / "tenants.yaml"
        config.write_text(with_wide_limits((ROOT / "tenants.yaml").read_text()))
        with LOG.open("wb") as log:
            process = subprocess.Popen(
                [BINARY, "run", "--port", str(city.port), "--data", city.data, "--config", config],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            eventually("the city is ready", lambda: is_ready(process, city), seconds_to_start)
            yield city
            assert process.poll() is None, f"the city ended by itself with status {process.returncode}:\n{city.log()}"
            process.terminate()
            try:
                status = process.wait(seconds_to_stop)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"the city did not stop within {seconds_to_stop:g} s:\n{city.log()}") from None
            assert status == 0, f"the city stopped with status {status}, not 0:\n{city.log()}"
        except AssertionError as failure:
            failure.add_note(f"the whole log is {LOG}")
            raise
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(seconds_to_stop)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def is_ready(process: subprocess.Popen[bytes], city: City) -> bool:
    if process.poll() is not None:
        raise AssertionError(f"the city ended with status {process.returncode} before it was ready:\n{city.log()}")
    try:
        with api_client(timeout=2) as client:
            return client.get(city.url("", "/ready")).status_code == 200
    except httpx.TransportError:
        return False


def environment() -> dict[str, str]:
    """This process's environment, without what would send the city to a database or a city of someone else."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith("METROPOLIS_")
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
