"""What of Billing is measured without HTTP: checks, consumption, entries, renewals. `metropolis-bench` does it on a private
server of its own; pgbench runs the same statements on the same tables."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from city import ROOT
from measure import by_turns, pgbench, say
from recorded import Postgres, Script, Statement, array_type, script
from report import Row, counted, ratio_row, spread

BINARY = ROOT / ".build/release/metropolis-bench"
SCHEMA = "billing"
# As many persons and accounts as the program has, and the first of them, whom it records with.
PERSONS = 1_000
FIRST = "00000000-0000-0000-0000-000000000001"
TAKERS, TIMES = 64, 20
# As many as a client of the city has; pgbench has one for each of its clients.
CITY_CONNECTIONS = 10
SUBSCRIPTIONS = 10_000

Figures = dict[str, float]


class Inside:
    """The program, which is asked line by line."""

    def __init__(self, process: subprocess.Popen[str], data: Path) -> None:
        self.process = process
        self.answer("its start")
        self.postgres = Postgres(data)

    def ask(self, line: str) -> Figures:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.answer(line)

    def answer(self, asked: str) -> Figures:
        assert self.process.stdout
        found = json.loads(self.process.stdout.readline() or '{"error": "it has ended"}')
        if "error" in found:
            raise RuntimeError(f"metropolis-bench, {asked}: {found['error']}")
        figures: Figures = found
        return figures

    def can(self, line: str) -> bool:
        try:
            self.ask(line)
        except RuntimeError:
            return False
        return True

    def recorded(self, line: str) -> tuple[list[Statement], list[Statement]]:
        """What two acts of one kind made the server run."""
        # The server's log may be late on a busy machine.
        for _ in range(5):
            first, second = (self.postgres.record(SCHEMA, lambda: self.can(line)) for _ in range(2))
            if first and [one.sql for one in first] == [one.sql for one in second]:
                return first, second
        raise RuntimeError(f"the server's log does not show what {line!r} runs")


@contextmanager
def inside(folder: Path, connections: int, binary: Path = BINARY) -> Iterator[Inside]:
    data = folder / "inside"
    process = subprocess.Popen(
        [binary, str(data), str(connections)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Inside(process, data)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(60)


def by_anyone(made: Script) -> Script:
    """The script with a person by chance where it names the first, as the program has it."""
    text = made.text
    anyone = "lpad(to_hex(:person::bigint), 32, '0')"
    dashed = f"regexp_replace({anyone}, '(.{{8}})(.{{4}})(.{{4}})(.{{4}})', '\\1-\\2-\\3-\\4-')"
    for name, value in made.variables.items():
        new = f":{name}"
        if value == FIRST:
            new = f"{anyone}::uuid"
        elif kind := array_type(value):
            new = f"replace(:{name}, '{FIRST}', {dashed})::{kind}" if FIRST in value else f":{name}::{kind}"
        text = text.replace(f":{name},", f"{new},").replace(f":{name})", f"{new})").replace(f":{name} ", f"{new} ")
    return Script(f"\\set person random(1, {PERSONS})\n{text}", made.variables)


def rows(folder: Path, rounds: int, seconds: int, connections: int, cores: int) -> list[Row]:
    say("Starting Billing alone")
    with inside(folder, connections) as program:
        return [
            checks(program, rounds, seconds),
            looked(program, rounds, seconds, connections, cores),
            consumed(program, rounds, seconds, connections, cores),
            last_unit(program, rounds),
            posted(program, rounds, seconds, connections, cores),
            renewed(program, rounds),
        ]


def checks(program: Inside, rounds: int, seconds: int) -> Row:
    """Nanoseconds of one check, by the clock and of CPU time: with a limit, whose use is known, and without."""
    say("  entitlement checks in process")
    taken: dict[str, list[Figures]] = {"limited": [], "unlimited": []}
    for number in range(rounds + 1):
        for kind, found in taken.items():
            figures = program.ask(f"check {kind} {seconds}")
            if number > 0:
                found.append(figures)
    ours = "; ".join(
        f"{kind} {spread([one['nanoseconds'] for one in found])} ns, {median(one['processor'] for one in found):,.0f} of CPU"
        for kind, found in taken.items()
    )
    return Row(f"Entitlement check in process, {PERSONS:,} persons by turns", "–", ours, "–", "< 1 µs")


def looked(program: Inside, rounds: int, seconds: int, connections: int, cores: int) -> Row:
    say("  one row by its key, against pgbench")
    program.ask("fill")
    first, second = program.recorded("row")
    same = by_anyone(script(first, second))
    taken: list[Figures] = []

    def ours(_: int) -> float:
        taken.append(program.ask(f"look {connections} {seconds} {CITY_CONNECTIONS}"))
        return taken[-1]["rate"]

    pair = by_turns(
        "rows", ours, lambda _: pgbench(program.postgres, same, connections, seconds, cores), rounds
    )
    cost = median(one["processor"] for one in taken[1:]) / 1_000
    what = f"One row by its key, {connections} tasks over {CITY_CONNECTIONS} connections of the client ({cost:.1f} µs of CPU each) : pgbench, the same"
    return ratio_row(what, pair, "/s", "≥ 1.0")


def consumed(program: Inside, rounds: int, seconds: int, connections: int, cores: int) -> Row:
    say("  consumption, against pgbench")
    acts = Acts(program, rounds, seconds, connections, cores)
    return acts.against_pgbench("Unit consumed", recorded_by="take", run_by="consume")


def last_unit(program: Inside, rounds: int) -> Row:
    """It fails unless exactly one has the unit, each time."""
    say(f"  {TAKERS} takers of the last unit")
    rates = [program.ask(f"last {TAKERS} {TIMES}")["takes"] for _ in range(rounds)]
    what = f"{TAKERS} at once for the last unit, {TIMES * rounds} times: one had it"
    return Row(what, "–", f"{spread(rates)} /s", "–", "one")


def posted(program: Inside, rounds: int, seconds: int, connections: int, cores: int) -> Row:
    say("  entries, against pgbench")
    program.ask("accounts")
    acts = Acts(program, rounds, seconds, connections, cores)
    return acts.against_pgbench("Entry of 3 postings", recorded_by="entry", run_by="post")


@dataclass(frozen=True)
class Acts:
    """Acts of one kind that write, by many tasks at once."""

    program: Inside
    rounds: int
    seconds: int
    connections: int
    cores: int

    def against_pgbench(self, name: str, recorded_by: str, run_by: str) -> Row:
        """- recorded_by, run_by: the program's words for one such act, and for as many as it can."""
        program = self.program
        first, second = program.recorded(recorded_by)
        same = by_anyone(script(first, second))

        def limit(number: int) -> float:
            return pgbench(program.postgres, same, self.connections, self.seconds, self.cores, start=number * 1_000_000)

        pair = by_turns(
            run_by, lambda _: program.ask(f"{run_by} {self.connections} {self.seconds}")["rate"], limit, self.rounds
        )
        return ratio_row(f"{name} ({counted(first)}) : pgbench, the same", pair, "/s", "≥ 0.6")


def renewed(program: Inside, rounds: int) -> Row:
    """A month passes each time: all renew and are charged, by a gateway that answers at once."""
    program.ask(f"subscriptions {SUBSCRIPTIONS}")
    # Plans made for empty tables read all of them; autovacuum mends that within a minute.
    program.ask(f"renew 1 {SUBSCRIPTIONS // 10}")
    program.postgres.ask("ANALYZE")
    found: list[Figures] = []
    for number in range(2, rounds + 2):
        found.append(program.ask(f"renew {number} {SUBSCRIPTIONS}"))
        say(f"    {SUBSCRIPTIONS:,} renewals, round {number - 1}: {found[-1]['rate']:,.0f} per second")

    def of(name: str) -> float:
        return median(figures[name] for figures in found)

    ours = (
        f"{spread([figures['rate'] for figures in found])} /s; {of('microseconds'):,.0f} µs, {of('statements'):.0f} statements, "
        f"{of('wal') / 1000:.1f} kB of WAL each"
    )
    return Row(f"Renewals of {SUBSCRIPTIONS:,} subscriptions, charged by a gateway in memory", "–", ours, "–", "–")
