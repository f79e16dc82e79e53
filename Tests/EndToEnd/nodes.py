"""A city of several nodes behind nginx, on one PostgreSQL: what the tests of nodes start, and the traffic they keep up."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx

from city import ROOT, City, api_client, environment, eventually, with_wide_limits
from cluster import Cluster, MailSink
from soak import PROGRAM, Server, quiet_ports

LOGS = ROOT / ".build/test-logs/nodes"
SERVING, WORKING = 3, 2

# No connection is kept towards the nodes: one that a node closes just then would cost a POST.
PROXY = """
daemon off;
pid {home}/nginx.pid;
error_log {home}/nginx.log warn;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  upstream city {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://city;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_next_upstream error timeout http_503;
      proxy_connect_timeout 2s;
    }}
  }}
}}
"""


class Nodes:
    """Three processes that serve and two that work."""

    def __init__(self, change: Callable[[str], str] = lambda document: document) -> None:
        # Short, and open to the database's user: see `running_city`.
        self.home = Path(tempfile.mkdtemp(prefix="metropolis-nodes-"))
        self.home.chmod(0o755)
        self.logs = LOGS / self.home.name
        self.logs.mkdir(parents=True)
        public, database, *listening = quiet_ports(2 + SERVING)
        self.cluster, self.mails = Cluster(self.home, database), MailSink()
        self.city = City(port=public, data=self.home / "data")
        self.config = self.home / "tenants.yaml"
        self.config.write_text(change(with_wide_limits((ROOT / "tenants.yaml").read_text())))
        self.settings = {
            "DATABASE_URL": self.cluster.url,
            "METROPOLIS_SMTP_URL": self.mails.url,
            "METROPOLIS_TRUSTED_PROXIES": "127.0.0.1",
        }
        options = ["--port", str(public), "--data", str(self.city.data), "--config", str(self.config)]
        self.ports = listening
        self.serving = [
            Server(f"serve-{number}", ["serve", "--listen", str(port), *options], self.settings, self.logs)
            for number, port in enumerate(listening)
        ]
        self.working = [Server(f"work-{number}", ["work", *options], self.settings, self.logs) for number in range(WORKING)]
        self.proxy: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.cluster.create()
        self.command("apply")
        for server in (*self.serving, *self.working):
            server.start()
        for port in self.ports:
            eventually(f"the node on port {port} is ready", lambda port=port: self.is_ready(port), 60)
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        servers = " ".join(f"server 127.0.0.1:{port} max_fails=0;" for port in self.ports)
        file = self.home / "nginx.conf"
        file.write_text(PROXY.format(home=self.home, servers=servers, port=self.city.port))
        self.proxy = subprocess.Popen(
            [program, "-c", file, "-p", self.home], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        eventually("nginx passes requests on", lambda: self.is_ready(self.city.port), 10)

    def is_ready(self, port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/ready", trust_env=False, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def at(self, number: int) -> httpx.Client:
        """A program that asks one node, past nginx. Names stay those of the public port."""
        port = self.ports[number]

        class Direct(httpx.HTTPTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                to = request.url.copy_with(host="127.0.0.1", port=port)
                # The Host header stays as it was made of the public address.
                return super().handle_request(
                    httpx.Request(request.method, to, headers=request.headers, stream=request.stream, extensions=request.extensions)
                )

        return api_client(transport=Direct())

    def hidden_failures(self) -> int:
        """What nginx spares people by asking another node: answers with 5xx, and connections that failed. Counted since each
        node's start."""
        log = self.home / "nginx.log"
        count = log.read_text(errors="replace").count("[error]") if log.exists() else 0
        for number in range(len(self.ports)):
            with self.at(number) as client:
                text = client.get(self.city.url("", "/metrics")).text
            lines = [line for line in text.splitlines() if line.startswith("http_requests_total{")]
            assert lines, text[:500]
            count += sum(int(line.rsplit(" ", 1)[1]) for line in lines if 'status="5' in line)
        return count

    def command(self, *arguments: str, status: int = 0) -> str:
        """A command of the program on this city."""
        answer = subprocess.run(
            [str(PROGRAM), *arguments, "--data", str(self.city.data), "--config", str(self.config), "--port", str(self.city.port)],
            cwd=ROOT, env=environment() | self.settings, capture_output=True, text=True, timeout=120,
        )
        said = f"{answer.stdout}{answer.stderr}"
        assert answer.returncode == status, f"{arguments[0]} ended with {answer.returncode}: {said[-2_000:]}"
        return said

    def stop(self) -> list[str]:
        """Ends everything; says what did not end in order."""
        faults = []
        if self.proxy:
            self.proxy.terminate()
            self.proxy.wait(10)
        for server in (*self.serving, *self.working):
            if server.process is not None:
                ended = server.process.poll()
                status = server.stop()
                if ended is not None or status != 0:
                    faults.append(f"{server.name} ended with status {status}: {server.tail()}")
        self.cluster.destroy()
        self.mails.stop()
        return faults

    def forget(self) -> None:
        """Removes data and logs: nobody has to look."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.logs, ignore_errors=True)


class Traffic:
    """Requests by a timetable, each on a connection that is kept, and what came of them.

    It doesn't wait for answers: request n is due n/rate seconds after the begin, and what is late is sent at once. Only when
    all connections wait for an answer does one more have to wait, too."""

    def __init__(self, port: int, requests: list[bytes], rate: float, connections: int = 16) -> None:
        self.port, self.requests, self.pace = port, requests, 1 / rate
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []
        self.times: list[float] = []
        # The longest from when a request was due until its answer was there.
        self.slowest = 0.0
        self.begun, self.issued = time.monotonic(), 0
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.send, daemon=True) for _ in range(connections)]

    def __enter__(self) -> Traffic:
        self.begun = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(40)
        self.seconds = time.monotonic() - self.begun
        self.failures += ["a request was never answered" for thread in self.threads if thread.is_alive()]

    @property
    def count(self) -> int:
        return len(self.times)

    def rate(self, since: float, until: float) -> float:
        """Answers a second between two times of the monotonic clock."""
        return sum(since <= one < until for one in self.times) / (until - since)

    def send(self) -> None:
        line = None
        while True:
            with self.lock:
                number, self.issued = self.issued, self.issued + 1
            due = self.begun + number * self.pace
            if self.stopping.wait(max(0.0, due - time.monotonic())):
                return
            request = self.requests[number % len(self.requests)].replace(b"{key}", f"{number}-{self.begun}".encode())
            try:
                if line is None:
                    line = socket.create_connection(("127.0.0.1", self.port), timeout=30)
                    answers = line.makefile("rb")
                line.sendall(request)
                status, keeps = self.read(answers)
                with self.lock:
                    self.answers[status] += 1
                    self.times.append(now := time.monotonic())
                    self.slowest = max(self.slowest, now - due)
                if status >= 400:
                    self.failures.append(f"{status} to {request[:80]!r}")
                if not keeps:
                    line = None
            except (OSError, ValueError, IndexError) as failure:
                self.failures.append(f"{type(failure).__name__} {failure} at {request[:80]!r}")
                line = None

    @staticmethod
    def read(answers: socket.SocketIO) -> tuple[int, bool]:
        """Status, and whether the connection goes on."""
        status = int(answers.readline().split(b" ")[1])
        length, keeps = 0, True
        while (head := answers.readline().strip()):
            name, _, value = head.lower().partition(b":")
            if name == b"content-length":
                length = int(value)
            if name == b"connection" and value.strip() == b"close":
                keeps = False
        if len(answers.read(length)) < length:
            raise ValueError("the answer was cut off")
        return status, keeps


def request(city: City, host: str, path: str, method: str = "GET", cookies: str = "", body: bytes = b"") -> bytes:
    """The bytes of a request of a program. `{key}` in it is made anew each time it is sent."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {f'{host}.' if host else ''}localhost:{city.port}", "Accept: application/json"]
    if cookies:
        lines.append(f"Cookie: {cookies}")
    if body:
        lines += ["Content-Type: application/json", "Idempotency-Key: {key}", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def cookies_of(client: httpx.Client, host: str) -> str:
    return "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar if one.domain == f"{host}.localhost")


def with_rate(document: str, name: str, rate: str) -> str:
    """The city's file with one rate changed."""
    changed, count = re.subn(rf"^(  {name}: *\{{per: \w+, rate: )[^}}]*", rf"\g<1>{rate}", document, flags=re.MULTILINE)
    assert count == 1, f"tenants.yaml has no rate {name}"
    return changed
