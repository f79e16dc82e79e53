"""The table: its rows, what machine and versions they are of, and its place in the README."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from city import ROOT
from measure import HERE, Pair, run
from recorded import Statement

README = HERE / "README.md"
MARKS = ("<!-- figures: written by bin/bench --write -->", "<!-- end of figures -->")
CORES = os.cpu_count() or 1


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    ratio: str
    ours: str
    limit: str
    aim: str = "–"


def ratio_row(what: str, pair: Pair, unit: str, aim: str = "–", note: str = "") -> Row:
    return Row(
        what,
        f"**{pair.ratio:.2f}** ({min(pair.ratios):.2f}–{max(pair.ratios):.2f})",
        f"{median(pair.ours):,.0f} {unit}{note}",
        f"{median(pair.limit):,.0f} {unit}",
        aim,
    )


def counted(found: list[Statement]) -> str:
    return f"{len(found)} statement{'' if len(found) == 1 else 's'}"


def spread(figures: list[float]) -> str:
    """The median, and the smallest and the largest."""
    return f"{median(figures):,.0f} ({min(figures):,.0f}–{max(figures):,.0f})"


def microseconds(costs: list[float]) -> str:
    """What one costs the city in CPU time. It holds on a busy machine, where rates don't."""
    return f"; {median(costs) * 1e6:,.0f} µs of CPU" if costs else ""


def megabytes(count: int) -> str:
    return f"{count / 1_000_000:.0f} MB"


def table(rows: list[Row]) -> str:
    head = ["| what | ratio (rounds) | Metropolis | limit | aim |", "|---|---|---|---|---|"]
    return "\n".join(head + [f"| {row.what} | {row.ratio} | {row.ours} | {row.limit} | {row.aim} |" for row in rows])


def machine() -> str:
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    assert memory
    return (
        f"{processor[1] if processor else os.uname().machine}, {CORES} cores, {int(memory[1]) / 1024 / 1024:.0f} GiB, "
        f"{system[1] if system else 'Linux'}"
    )


def versions() -> str:
    swift = re.search(r"Swift version ([\d.]+)", run(["swift", "--version"]))
    postgres = re.search(r"PostgreSQL\) ([\d.]+)", run(["pgbench", "--version"]))
    hummingbird = re.search(r'/hummingbird", exact: "([\d.]+)"', (ROOT / "Package.swift").read_text())
    load = subprocess.run(["wrk", "--version"], capture_output=True, text=True)
    load_version = re.search(r"wrk (?:debian/)?([\d.]+)", load.stdout + load.stderr)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    named = {"Swift": swift, "PostgreSQL": postgres, "Hummingbird": hummingbird, "wrk": load_version}
    parts = [f"{name} {match[1]}" for name, match in named.items() if match]
    if commit.returncode == 0:
        parts.append(f"commit {commit.stdout.strip()}")
    return ", ".join(parts)


def write(report: str) -> None:
    """Puts the report between the marks of the README. A fresh build's row stays when this run has none."""
    text = README.read_text()
    start, end = (text.index(mark) for mark in MARKS)
    known = re.search(r"^\| Fresh build .*$", text[start:end], re.MULTILINE)
    if known and "| Fresh build " not in report:
        report = f"{report}\n{known[0]}"
    README.write_text(f"{text[:start]}{MARKS[0]}\n\n{report}\n\n{text[end:]}")
