"""A month of a million postings leaves the ledger, against COPY of the same rows."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from statistics import median

from city import BINARY, ROOT, City, environment
from measure import HERE, Pair, by_turns, run, say
from recorded import Postgres

MONTH, EMPTY = "2025-10", "2024-02"
POSTINGS = 1_000_000

# The columns each format reads, from the same tables in the same order.
COLUMNS = {
    "hledger": "e.booked_on, e.id, p.line, a.code, p.amount, p.currency, e.description",
    "csv": "e.booked_on, e.occurred_at, e.id, p.line, e.key, e.description, a.code, p.amount, p.currency, "
    "e.details ->> 'invoice', e.details ->> 'payment', e.details ->> 'tenant', e.reverses",
}


class Exports:
    """A city's ledger with a month to export."""

    def __init__(self, city: City, folder: Path) -> None:
        self.city = city
        self.folder = folder
        self.postgres = Postgres(city.data)

    def fill(self) -> None:
        say(f"  {POSTINGS:,} postings, by SQL")
        run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(HERE / "postings.sql")], self.postgres.environment)
        count = self.postgres.ask(
            "SELECT count(*) FROM billing.ledger_posting AS p JOIN billing.ledger_entry AS e ON e.id = p.entry "
            f"WHERE date_trunc('month', e.booked_on) = '{MONTH}-01'"
        )
        if int(count) != POSTINGS:
            raise RuntimeError(f"the month has {count} postings, expected {POSTINGS}")

    def export(self, form: str, month: str = MONTH) -> tuple[float, int]:
        """Seconds of the whole command, and its peak memory in bytes."""
        output = self.folder / f"export.{form}"
        command = [
            str(BINARY), "finance", "export", "--month", month, "--format", form, "--output", str(output), "--data",
            str(self.city.data), "--config", str(self.folder / "tenants.yaml"),
        ]
        start = time.monotonic()
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        if status != 0:
            assert process.stderr
            raise RuntimeError(f"finance export: {process.stderr.read().decode()}")
        process.returncode = 0
        return seconds, used.ru_maxrss * 1024

    def copy(self, form: str) -> float:
        """Seconds that psql needs to write the same rows with COPY."""
        sql = (
            f"COPY (SELECT {COLUMNS[form]} FROM billing.ledger_entry AS e JOIN billing.ledger_posting AS p ON p.entry = e.id "
            "JOIN billing.ledger_account AS a ON a.id = p.account "
            f"WHERE e.booked_on >= '{MONTH}-01' AND e.booked_on < date '{MONTH}-01' + interval '1 month' "
            "ORDER BY e.booked_on, e.id, p.line) TO STDOUT"
        )
        start = time.monotonic()
        run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", str(self.folder / "copy"), "-c", sql], self.postgres.environment)
        return time.monotonic() - start

    def measured(self, form: str, rounds: int) -> tuple[Pair, int, int]:
        """Postings per second of both, and the command's peak memory: with nothing to export, and with the month."""
        say(f"  export of {POSTINGS:,} postings as {form}, against COPY")
        _, idle = self.export(form, EMPTY)
        peaks: list[int] = []

        def ours(_: int) -> float:
            seconds, peak = self.export(form)
            peaks.append(peak)
            return POSTINGS / seconds

        pair = by_turns(f"export {form}", ours, lambda _: POSTINGS / self.copy(form), rounds)
        return pair, idle, int(median(peaks))
