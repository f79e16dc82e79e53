"""Measures a city against the limit of the same work, side by side on this machine, and prints the table.

Run it by bin/bench, which installs and builds what it needs. Benchmarks/README.md says what the rows mean.
"""

from __future__ import annotations

import argparse
import re
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import uuid4

import httpx

import inside
import neighbour
import scale
from city import ROOT, api_client, free_port
from exporting import POSTINGS, Exports
from measure import (
    HERE,
    Target,
    argon2,
    bare_peer,
    busy,
    by_turns,
    decoded,
    latencies,
    percentile,
    pgbench,
    processor_seconds,
    resident,
    run,
    say,
    until,
    wrk,
)
from recorded import Postgres, Statement, script, tables, transaction_of
from report import CORES, Row, counted, machine, megabytes, microseconds, ratio_row, table, versions, write
from serving import (
    ACCOUNTS,
    JSON,
    PASSWORD,
    Process,
    home,
    is_ready,
    seconds_to_first_answer,
    serving,
    signed_in,
    working,
)

CONNECTIONS = 32
# Fewer: no account may have more than ten attempts under way.
SIGN_IN_CONNECTIONS = 16
SCRATCH = "bench"


@dataclass(frozen=True)
class Settings:
    rounds: int
    seconds: int
    tenants: bool


class Bench:
    """One city, measured in all its rows."""

    def __init__(self, process: Process, settings: Settings) -> None:
        self.city = process.city
        self.pid = process.pid
        self.rounds = settings.rounds
        self.seconds = settings.seconds
        self.postgres = Postgres(process.city.data)
        self.folder = process.city.data.parent
        self.process = process
        self.item = ""

    def load(self, target: Target, costs: list[float], connections: int = CONNECTIONS) -> float:
        """Requests per second; notes what one cost the city in CPU time."""
        before = processor_seconds(self.pid)
        rate = wrk(target, connections, self.seconds)
        costs.append((processor_seconds(self.pid) - before) / (rate * self.seconds))
        return rate

    def target(self, site: str, path: str, headers: dict[str, str]) -> Target:
        return Target(self.city.port, f"{site}.localhost:{self.city.port}", path, headers)

    def fetch(self, site: str, path: str, headers: dict[str, str]) -> httpx.Response:
        with api_client() as client:
            return client.get(self.city.url(site, path), headers=headers)

    def record(self, site: str, act: Callable[[], bool]) -> list[Statement]:
        return self.postgres.record(f"t_{site}", act)

    def recorded_read(self, site: str, path: str, headers: dict[str, str]) -> list[Statement]:
        return self.record(site, lambda: self.fetch(site, path, headers).status_code == 200)

    def reads(self) -> list[Row]:
        """Signed-in, entitled reads against a bare handler that answers with the same bytes."""
        headers = signed_in(self.city, "univprep")
        with api_client(headers=headers) as client:
            attempt = decoded(client.post(self.city.url("univprep", "/practice"), json={}), 200, 201)
        self.item = f"/practice/{attempt['id']}"
        paths = [("prep home", "/", "≥ 0.6 (from cache)"), ("item of practice", self.item, "–")]
        return [*(self.read(name, path, headers, aim) for name, path, aim in paths), self.query(headers), self.floor(headers)]

    def read(self, name: str, path: str, headers: dict[str, str], aim: str) -> Row:
        say(f"  {name}, against a bare handler")
        found = self.recorded_read("univprep", path, headers)
        target = self.target("univprep", path, headers)
        answer = self.fetch("univprep", path, headers)
        costs: list[float] = []
        with bare_peer(answer.content) as peer:
            pair = by_turns(
                name,
                lambda _: self.load(target, costs),
                lambda _: wrk(peer, CONNECTIONS, self.seconds),
                self.rounds,
            )
        kept = "from cache" if not found else counted(found)
        what = f"Signed-in read, {name} ({len(answer.content)} bytes, {kept}) : bare Hummingbird handler"
        return ratio_row(what, pair, "/s", aim, microseconds(costs[1:]))

    def query(self, headers: dict[str, str]) -> Row:
        """A read that asks the database for one row, against pgbench with the same statement."""
        say("  item of practice, against pgbench")
        found = self.recorded_read("univprep", self.item, headers)
        target, same = self.target("univprep", self.item, headers), script(found)
        costs: list[float] = []
        pair = by_turns(
            "item",
            lambda _: self.load(target, costs),
            lambda _: pgbench(self.postgres, same, CONNECTIONS, self.seconds, CORES),
            self.rounds,
        )
        what = f"Item of practice, signed in ({counted(found)}) : pgbench, the same"
        return ratio_row(what, pair, "/s", "≥ 0.6 (one statement)", microseconds(costs[1:]))

    def floor(self, headers: dict[str, str]) -> Row:
        """The same read without a city: no host, session, rights, limit, deadline, encoding, log."""
        say("  item of practice, against a bare handler that reads a row")
        target, attempt = self.target("univprep", self.item, headers), self.item.rsplit("/", 1)[1]
        answer = self.fetch("univprep", self.item, headers).content
        with bare_peer(answer, "--database", self.postgres.conninfo, "--id", attempt) as peer:
            pair = by_turns(
                "item",
                lambda _: self.load(target, []),
                lambda _: wrk(peer, CONNECTIONS, self.seconds),
                self.rounds,
            )
        what = "Item of practice, signed in : bare Hummingbird handler that reads a row by the city's client"
        return ratio_row(what, pair, "/s")

    def posts(self) -> list[Row]:
        """Questions posted, against pgbench with the same transaction on a copy of the tables."""
        say("  question posted, against pgbench")
        headers = signed_in(self.city, "jeju")
        target = Target(
            self.city.port,
            f"jeju.localhost:{self.city.port}",
            "/questions",
            headers | {"Content-Type": "application/json"},
            HERE / "post-question.lua",
        )

        def post() -> bool:
            number = uuid4().hex
            body = {
                "title": f"벤치마크 질문 {number}",
                "body": f"공항에서 시내까지 버스로 얼마나 걸리나요? 아이와 함께 가요. {number}",
                "category": "traffic",
                "urgency": "normal",
                "hashtags": ["공항", "버스"],
                "place": {"name": "제주국제공항", "latitude": 33.5104, "longitude": 126.4914},
            }
            with api_client(headers=headers | {"Idempotency-Key": number}) as client:
                return client.post(self.city.url("jeju", "/questions"), json=body).status_code == 201

        found, other = (transaction_of(self.record("jeju", post), "question", "t_jeju") for _ in range(2))
        same = script(found, other).typed().moved("t_jeju", to=SCRATCH)
        self.make_scratch(tables(found, "t_jeju"))
        costs: list[float] = []

        def ours(number: int) -> float:
            self.postgres.ask("CHECKPOINT")
            run_name = f"{number}-{uuid4().hex[:8]}"
            return self.load(
                Target(target.port, target.host, target.path, target.headers, target.script, (run_name,)), costs
            )

        def limit(number: int) -> float:
            self.postgres.ask("CHECKPOINT")
            return pgbench(self.postgres, same, CONNECTIONS, self.seconds, CORES, start=number * 1_000_000)

        pair = by_turns("question posted", ours, limit, self.rounds)
        # What was posted waits in the outbox: this process serves only.
        waiting = int(self.postgres.ask("SELECT count(*) FROM t_jeju.outbox WHERE due < 'infinity'"))
        say(f"  {waiting:,} events, to the records")
        start = time.monotonic()
        with working(self.process, self.folder):
            until("all events are delivered", self.is_delivered, 600, 0.1)
            seconds = time.monotonic() - start
        what = f"Question posted (transaction of {counted(found)}) : pgbench, the same"
        return [
            ratio_row(what, pair, "/s", "≥ 0.7", microseconds(costs[1:])),
            Row(f"{waiting:,} events of posted questions, from outbox to records", "–", f"{waiting / seconds:,.0f} /s", "–"),
        ]

    def make_scratch(self, names: set[str]) -> None:
        self.postgres.ask(f"DROP SCHEMA IF EXISTS {SCRATCH} CASCADE; CREATE SCHEMA {SCRATCH}")
        for name in sorted(names):
            self.postgres.ask(f"CREATE TABLE {SCRATCH}.{name} (LIKE t_jeju.{name} INCLUDING ALL)")
        # LIKE gives constraints names of its own, and ON CONFLICT ON CONSTRAINT asks for theirs.
        renames = self.postgres.ask(f"""
            SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I;', copy.conrelid::regclass, copy.conname, original.conname)
            FROM pg_constraint AS copy JOIN pg_constraint AS original
              ON original.conrelid = ('t_jeju.' || (SELECT relname FROM pg_class WHERE oid = copy.conrelid))::regclass
              AND (original.contype, original.conkey) = (copy.contype, copy.conkey)
            WHERE copy.connamespace = '{SCRATCH}'::regnamespace AND copy.contype IN ('p', 'u')
              AND copy.conname <> original.conname""")
        if renames:
            self.postgres.ask(renames)

    def is_delivered(self) -> bool:
        return self.postgres.ask("SELECT NOT EXISTS (SELECT FROM t_jeju.outbox WHERE due < 'infinity')") == "t"

    def sign_ins(self) -> list[Row]:
        """Sign-ins against libargon2 on every core, and what others notice of them."""
        say("  sign-ins, against libargon2")
        target = Target(
            self.city.port,
            f"id.localhost:{self.city.port}",
            "/signin",
            JSON | {"Content-Type": "application/json"},
            HERE / "sign-in.lua",
            (PASSWORD, *ACCOUNTS),
        )
        pair = by_turns(
            "sign-ins",
            lambda _: wrk(target, SIGN_IN_CONNECTIONS, self.seconds),
            lambda _: argon2(CORES, self.seconds),
            self.rounds,
        )
        others = self.target("univprep", self.item, signed_in(self.city, "univprep"))
        alone = latencies(others, self.seconds)
        beside: list[float] = []
        watch = threading.Thread(target=lambda: beside.extend(latencies(others, self.seconds)))
        watch.start()
        wrk(target, SIGN_IN_CONNECTIONS, self.seconds + 1)
        watch.join()
        figures = [f"{percentile(taken, share) * 1000:.1f}" for taken in (beside, alone) for share in (0.5, 0.99)]
        return [
            ratio_row(f"Sign-ins : libargon2 on {CORES} threads", pair, "/s", "≥ 0.9"),
            Row(
                "An item read every 10 ms while sign-ins saturate their workers; alone: median, p99", "–",
                f"{figures[0]}, {figures[1]} ms; {figures[2]}, {figures[3]} ms", "–", "p99 < 50 ms",
            ),
        ]

    def first_page(self) -> Row:
        """Bytes on the line: the page, and with what a first visit loads for it."""
        with api_client(headers={"Accept": "text/html", "Accept-Encoding": "gzip, br"}) as client:
            page = client.get(self.city.url("", "/"))
            loaded = {
                link for link in re.findall(r'(?:href|src)="(/[^"]+\.(?:css|js|svg|webmanifest)[^"]*)"', page.text)
            }
            total = page.num_bytes_downloaded
            for link in loaded:
                asset = client.get(self.city.url("", link))
                asset.raise_for_status()
                total += asset.num_bytes_downloaded
        page_size = f"{page.num_bytes_downloaded / 1000:.1f} kB"
        return Row("First page; with styles, scripts, icons", "–", f"{page_size}; {total / 1000:.1f} kB", "–")


def measured_city(settings: Settings) -> list[Row]:
    with home() as folder:
        port = free_port()
        say("Starting a city of its own")
        with serving(folder, port, is_ready) as process:
            first = resident(process.pid)
        with serving(folder, port, is_ready, "serve") as process:
            bench = Bench(process, settings)
            at_ready = resident(process.pid)
            # What only the start needed is given back two seconds later.
            time.sleep(4)
            at_rest = resident(process.pid)
            rows = [*bench.reads(), *bench.posts(), *bench.sign_ins()]
            page = bench.first_page()
            sizes = "; ".join(megabytes(size) for size in (first, at_ready, at_rest, resident(process.pid)))
            what = "Memory of 10 tenants when ready, all in one process and with the content loaded; serving only; at rest; after this run"
            rows.append(Row(what, "–", sizes, "–", "≤ 60 MB"))
        say("  exec to first answer")
        cold = [seconds_to_first_answer(folder, port, "run") for _ in range(settings.rounds)]
        # One city keeps the database running, so that the others find it warm.
        with serving(folder, free_port(), is_ready, "serve"):
            warm = [seconds_to_first_answer(folder, port, "serve") for _ in range(settings.rounds)]
        rows.append(
            Row("Exec to first answer of a node, the database running", "–", f"{median(warm) * 1000:,.0f} ms", "–", "≤ 500 ms")
        )
        rows.append(Row("Exec to first answer, all in one process, starting the database", "–", f"{median(cold) * 1000:,.0f} ms", "–"))
        rows += exported(folder, settings)
        rows += inside.rows(folder, settings.rounds, settings.seconds, CONNECTIONS, CORES)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        # The server's user has to reach its folder.
        Path(name).chmod(0o711)
        with inside.inside(Path(name), 4) as program:
            rows += neighbour.rows(program, settings.rounds, settings.seconds)
    rows.append(scale.hosts(settings.rounds, settings.seconds, CONNECTIONS))
    if settings.tenants:
        rows.append(scale.tenants())
    return [*rows, page]


def exported(folder: Path, settings: Settings) -> list[Row]:
    """The finance export of a big month. Last: it leaves a million postings in the city's ledger."""
    rows: list[Row] = []
    with serving(folder, free_port(), is_ready) as process:
        exports = Exports(process.city, folder)
        exports.fill()
        for form in ("hledger", "csv"):
            pair, idle, peak = exports.measured(form, settings.rounds)
            rows.append(ratio_row(f"Export of {POSTINGS:,} postings as {form} : COPY TO", pair, "/s", "≥ 0.4"))
            memory = f"{megabytes(idle)}; {megabytes(peak)}"
            rows.append(Row(f"Its peak memory ({form}): of an empty month; of this one", "–", memory, "–", "+ 50 MB"))
    return rows


def fresh_build() -> Row:
    """Seconds and CPU time of what a newcomer's first bin/run builds, in a clone, its downloads not counted."""
    say("Building a clone")
    with tempfile.TemporaryDirectory(prefix="metropolis-clone-") as folder:
        clone = Path(folder) / "clone"
        run(["git", "clone", "--quiet", str(ROOT), str(clone)])
        run(["swift", "package", "--package-path", str(clone), "resolve"])
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        command = 'cd "$1" && source bin/lib/setup.sh && build --product metropolis'
        run(["bash", "-euo", "pipefail", "-c", command, "bash", str(clone)])
        seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    minutes = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60
    return Row(
        f"Fresh build ({datetime.now(UTC):%Y-%m-%d})",
        "–",
        f"{seconds:,.0f} s; {minutes:.1f} CPU-minutes",
        "–",
        "half of the first landing's",
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench", description="Measures a city against the limit of the same work."
    )
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds of each pair (3)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds of each measurement (4)")
    parser.add_argument("--build", action="store_true", help="also build a fresh clone: many minutes")
    parser.add_argument("--tenants", action="store_true", help="also a city of 1,000 tenants: some minutes")
    parser.add_argument("--write", action="store_true", help="put the figures into Benchmarks/README.md")
    chosen = parser.parse_args()
    if chosen.rounds < 1 or chosen.seconds < 1:
        parser.error("rounds and seconds are 1 or more")
    return chosen


def main() -> None:
    chosen = options()
    others = busy(3)
    if others > 0.1:
        say(f"warning: other programs use {others:.0%} of this machine; the figures will not hold")
    rows = measured_city(Settings(chosen.rounds, chosen.seconds, chosen.tenants))
    if chosen.build:
        rows.append(fresh_build())
    now = datetime.now(UTC)
    report = (
        f"{now:%Y-%m-%d}. {machine()}. {versions()}. {chosen.rounds} rounds of {chosen.seconds} s, "
        f"{CONNECTIONS} connections ({SIGN_IN_CONNECTIONS} for sign-ins). "
        f"Other programs used {others:.0%} of the machine at the start.\n\n{table(rows)}"
    )
    print(report)
    if chosen.write:
        write(report)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, AssertionError) as failure:
        sys.exit(f"error: {failure}")
