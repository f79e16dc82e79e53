"""How the figures are taken: load from wrk and pgbench, and pairs that take turns."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx

from city import ROOT, eventually, free_port
from recorded import Postgres, Script

PEER = ROOT / ".build/release/metropolis-bench-peer"
HERE = Path(__file__).resolve().parent


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Target:
    """What wrk asks for: a path of a host of the city, which is reached at 127.0.0.1 whatever its name."""

    port: int
    host: str
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    script: Path | None = None
    arguments: tuple[str, ...] = ()


def wrk(target: Target, connections: int, seconds: int) -> float:
    """Requests per second. An answer that is no success makes the figure void: it fails."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-H", f"Host: {target.host}"]
    for name, value in target.headers.items():
        command += ["-H", f"{name}: {value}"]
    if target.script:
        command += ["-s", str(target.script)]
    command.append(f"http://127.0.0.1:{target.port}{target.path}")
    if target.arguments:
        command += ["--", *target.arguments]
    report = run(command)
    if wrong := re.search(r"Non-2xx or 3xx responses: (\d+)", report):
        raise RuntimeError(f"{target.host}{target.path}: {wrong[1]} answers were refusals\n{report}")
    if wrong := re.search(r"Socket errors: (.*)", report):
        raise RuntimeError(f"{target.host}{target.path}: {wrong[1]}")
    return figure(r"Requests/sec:\s+([\d.]+)", report)


def pgbench(postgres: Postgres, script: Script, clients: int, seconds: int, threads: int, start: int = 0) -> float:
    """Runs of the script per second.

    - start: where the numbers begin that make its ids and keys.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script.text)
        file.flush()
        command = ["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", str(threads), "-T", str(seconds)]
        for name, value in (script.variables | {"n": str(start)}).items():
            command += ["-D", f"{name}={value}"]
        report = run([*command, "-f", file.name], postgres.environment)
    if "number of failed transactions: 0 " not in report and "failed transactions" in report:
        raise RuntimeError(f"pgbench had failures\n{report}")
    return figure(r"tps = ([\d.]+) \(without", report)


def argon2(threads: int, seconds: int) -> float:
    """Passwords verified per second by libargon2 alone."""
    return float(run([str(PEER), "argon2", "--threads", str(threads), "--seconds", str(seconds)]))


@contextmanager
def bare_peer(answer: bytes, *reading: str) -> Iterator[Target]:
    """A bare Hummingbird server that answers with these bytes.

    - reading: the options that make it read a row before.
    """
    port = free_port()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(answer)
        file.flush()
        process = subprocess.Popen(
            [PEER, "serve", "--port", str(port), "--bytes-file", file.name, *reading],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:

            def given() -> bool:
                try:
                    return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).content == answer
                except httpx.TransportError:
                    return False

            eventually("the bare peer answers with the same bytes", given)
            yield Target(port, f"127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait()


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    # Linux shares the processor by session (sched(7), autogroup): each side has its own, as the city has.
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, start_new_session=True)
    if answer.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with status {answer.returncode}:\n{answer.stdout}{answer.stderr}")
    return answer.stdout


def figure(pattern: str, report: str) -> float:
    match = re.search(pattern, report)
    if not match:
        raise RuntimeError(f"no figure in the report:\n{report}")
    return float(match[1])


@dataclass(frozen=True)
class Pair:
    """What the city does and what the limit does, per second, round by round."""

    ours: list[float]
    limit: list[float]

    @property
    def ratios(self) -> list[float]:
        return [ours / limit for ours, limit in zip(self.ours, self.limit, strict=True)]

    @property
    def ratio(self) -> float:
        return median(self.ratios)


def by_turns(name: str, ours: Callable[[int], float], limit: Callable[[int], float], rounds: int) -> Pair:
    """A B A B …: what else the machine does in these seconds meets both. Each is called with the number of its round;
    the round 0 warms up and isn't counted."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for side, measure in zip(taken, (ours, limit), strict=True):
            rate = measure(number)
            if number > 0:
                side.append(rate)
        if number > 0:
            say(f"    {name}, round {number}: {taken[0][-1]:,.0f} against {taken[1][-1]:,.0f} per second")
    return Pair(*taken)


def busy(seconds: float) -> float:
    """The share of all cores that is in use now, from 0 to 1."""

    def ticks() -> tuple[int, int]:
        # user nice system idle iowait irq softirq steal (proc(5), /proc/stat)
        counts = [int(count) for count in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(counts), counts[3] + counts[4]

    all_before, idle_before = ticks()
    time.sleep(seconds)
    all_after, idle_after = ticks()
    return 1 - (idle_after - idle_before) / (all_after - all_before)


def resident(pid: int) -> int:
    """Bytes of a process's memory that are in RAM (VmRSS)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(figure(r"VmRSS:\s+(\d+) kB", status)) * 1024


def processor_seconds(pid: int) -> float:
    """CPU time a process has had, in user and kernel mode (proc(5), /proc/pid/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def latencies(target: Target, seconds: float, every: float = 0.01) -> list[float]:
    """How long single requests take, in seconds, one begun every so often over one connection. Sorted."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
    request = f"GET {target.path} HTTP/1.1\r\nHost: {target.host}\r\n{fields}\r\n".encode()
    taken: list[float] = []
    with socket.create_connection(("127.0.0.1", target.port), timeout=10) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = line.makefile("rb")
        end = time.monotonic() + seconds
        while (start := time.monotonic()) < end:
            line.sendall(request)
            status = answers.readline()
            if b" 200 " not in status:
                raise RuntimeError(f"{target.host}{target.path}: {status.decode().strip()}")
            length = 0
            while (head := answers.readline()) != b"\r\n":
                if head.lower().startswith(b"content-length:"):
                    length = int(head[15:])
            answers.read(length)
            taken.append(time.monotonic() - start)
            time.sleep(max(0.0, start + every - time.monotonic()))
    return sorted(taken)


def percentile(taken: list[float], share: float) -> float:
    """Of sorted figures, the one that this share of them does not exceed."""
    return taken[min(len(taken) - 1, int(len(taken) * share))]


def until(what: str, probe: Callable[[], bool], seconds: float, pause: float) -> None:
    """Waits for the probe to hold, asked every `pause` seconds."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def decoded(answer: httpx.Response, *expected: int) -> dict[str, object]:
    """The JSON of an answer that is what was expected."""
    if answer.status_code not in expected:
        raise RuntimeError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:400]}")
    members: dict[str, object] = json.loads(answer.content)
    return members
