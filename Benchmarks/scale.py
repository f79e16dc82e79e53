"""Many hosts and many tenants: what a request costs and what the process holds must not grow with those it isn't about."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from city import api_client, free_port
from measure import Target, decoded, processor_seconds, resident, say, wrk
from report import Row, megabytes
from serving import JSON, Process, home, is_ready, serving

FEW, MANY = 10, 10_000
TENANTS = 1_000


def with_tenants(document: str, count: int, stanza: str) -> str:
    """The city's file with as many tenants in all. The new ones come after the others.

    - stanza: of one of them, with {id} and {host}.
    """
    known = len(re.findall(r"^  [a-z][a-z0-9-]*:\n    (?:module|state):", document, re.MULTILINE))
    more = "".join(stanza.format(id=f"x{number:05}", host=f"x{number:05}.example.com") for number in range(count - known))
    return re.sub(r"^routing:", lambda match: f"{more}\n{match[0]}", document, count=1, flags=re.MULTILINE)


ANNOUNCED = """  {id}:
    module: town
    state: announced
    name: {{ko: "{id}", en: "{id}"}}
    summary: {{ko: "{id}", en: "{id}"}}
    host: {host}
    entity: dreamseed-kr
    look: {{accent: "#1B79CD", mark: 새}}
"""

TOWN = """  {id}:
    module: town
    name: {{ko: "{id}", en: "{id}"}}
    summary: {{ko: "{id}", en: "{id}"}}
    host: {host}
    entity: dreamseed-kr
    look: {{accent: "#1B79CD", mark: 새}}
    settings:
      area: {{south: 35.0, north: 35.3, west: 128.9, east: 129.3}}
      answer_target: 10m
"""


@contextmanager
def city_of(count: int, stanza: str, seconds: float = 120) -> Iterator[Process]:
    """A city of its own with as many tenants."""
    with home() as folder:
        file = folder / "tenants.yaml"
        file.write_text(with_tenants(file.read_text(), count, stanza))
        with serving(folder, free_port(), is_ready, seconds=seconds) as process:
            yield process


def hosts(rounds: int, seconds: int, connections: int) -> Row:
    """One kept answer of one host, in cities of few and of many; by turns, both processes running."""
    say(f"  {FEW:,} hosts and {MANY:,} hosts")
    with city_of(FEW, ANNOUNCED) as few, city_of(MANY, ANNOUNCED) as many:
        costs: dict[int, list[float]] = {few.pid: [], many.pid: []}
        for number in range(rounds + 1):
            for process in (few, many):
                port = process.city.port
                target = Target(port, f"jeju.localhost:{port}", "/questions", JSON)
                before = processor_seconds(process.pid)
                rate = wrk(target, connections, seconds)
                if number > 0:
                    costs[process.pid].append((processor_seconds(process.pid) - before) / (rate * seconds) * 1e6)
        sizes = {process: resident(process.pid) for process in (few, many)}
        ratio = median(costs[many.pid]) / median(costs[few.pid])
        return Row(
            f"{MANY:,} hosts : {FEW} hosts, CPU time of a kept answer; memory",
            f"**{ratio:.2f}**",
            f"{median(costs[many.pid]):.1f} µs; {megabytes(sizes[many])}",
            f"{median(costs[few.pid]):.1f} µs; {megabytes(sizes[few])}",
            "flat",
        )


def tenants() -> Row:
    """Towns with schemas, roles and modules of their own, all of them open."""
    say(f"  {TENANTS:,} tenants: schemas, roles, migrations")
    with city_of(TENANTS, TOWN, seconds=600) as process:
        time.sleep(4)
        rest = resident(process.pid)
        with api_client(headers=JSON) as client:
            for number in range(0, TENANTS - 20, TENANTS // 50):
                decoded(client.get(process.city.url(f"x{number:05}", "/questions")), 200)
        return Row(
            f"Memory with {TENANTS:,} tenants, at rest; after reading in 50 of them", "–",
            f"{megabytes(rest)}; {megabytes(resident(process.pid))}", "–", "≤ 150 MB")
