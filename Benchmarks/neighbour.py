"""What a tenant's reads suffer from the heavy work of its neighbour on the same server: `metropolis-bench` measures, in one
process, reads at a fixed rate alone and beside eight tasks that run reports without a pause.

By itself: `PYTHONPATH=Tests/EndToEnd python3 Benchmarks/neighbour.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from inside import Inside, inside
from measure import say
from report import Row, table

# How the reports come to the server, and what that shows.
WAYS = {
    "unbounded": "eight at once, as an ordinary pool lets them",
    "capped": "through one connection",
    "heavy": "through the heavy pool: one connection, lowest priority",
}
AIM = 1.5


def rows(program: Inside, rounds: int, seconds: int) -> list[Row]:
    """p99 of the victim's reads, all rounds together: beside the reports, against alone."""
    say("  reads beside a neighbour's reports")
    figures = program.ask(f"neighbours {rounds} {seconds}")
    return [
        Row(
            f"Reads' p99 beside 8 tasks of a neighbour's reports, {words} : alone",
            f"**{figures[f'{way} ratio']:.2f}**",
            f"{figures[f'{way} p99']:.1f} ms, p50 {figures[f'{way} p50']:.2f} ms; "
            f"{figures[f'{way} reports']:.1f} reports/s",
            f"{figures['alone p99']:.1f} ms, p50 {figures['alone p50']:.2f} ms",
            f"≤ {AIM}" if way == "heavy" else "–",
        )
        for way, words in WAYS.items()
    ]


if __name__ == "__main__":
    # The server's user has to reach its folder.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o711)
        with inside(Path(name), 4) as bench:
            print(table(rows(bench, rounds=5, seconds=5)))
