"""A city whose database has a streaming replica: what may be a moment old is read there, and nobody notices when it is gone."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from city import ROOT, City, api_client, environment, eventually, with_wide_limits
from cluster import Cluster, MailSink
from people import enter, person, program
from soak import Server, quiet_ports

LOGS = ROOT / ".build/test-logs/replicas"
JSON = {"Accept": "application/json"}
# Figures of a town are kept for minutes (R37): each test looks at a town nobody has looked at.
TOWNS = ["first", "second", "third"]
TOWN = """
  {key}:
    module: town
    name: {{ko: 동네 {key}, en: Town {key}}}
    summary: {{ko: 사람에게 바로 물어봐요, en: Ask the people}}
    host: {key}.example.com
    entity: dreamseed-kr
    look: {{accent: "#0B7285", mark: 동}}
    settings: {{area: {{south: 37.6, north: 37.95, west: 128.6, east: 129.1}}}}
"""


class Site:
    """A primary, a replica, and one process of a city on them."""

    def __init__(self) -> None:
        # Short, and open to the database's user: see `running_city`.
        self.home = Path(tempfile.mkdtemp(prefix="metropolis-replica-"))
        self.home.chmod(0o755)
        self.logs = LOGS / self.home.name
        self.logs.mkdir(parents=True)
        serving, first, second = quiet_ports(3)
        self.primary, self.replica = Cluster(self.home, first), Cluster(self.home, second, name="replica")
        self.mails = MailSink()
        self.city = City(port=serving, data=self.home / "data")
        config = self.home / "tenants.yaml"
        document = with_wide_limits((ROOT / "tenants.yaml").read_text())
        document = document.replace("main: {connections: 16}", "main: {connections: 16, replicas: [env:MAIN_REPLICA], max_lag: 1s}")
        assert "env:MAIN_REPLICA]," in document
        towns = "".join(TOWN.format(key=key) for key in TOWNS)
        config.write_text(re.sub("^tenants:\n", f"tenants:{towns}", document, flags=re.MULTILINE))
        self.options = ["--port", str(serving), "--data", str(self.city.data), "--config", str(config)]

    def start(self) -> None:
        self.primary.create()
        self.replica.replicate(self.primary)
        settings = {"DATABASE_URL": self.primary.url, "MAIN_REPLICA": self.replica.url, "METROPOLIS_SMTP_URL": self.mails.url}
        self.server = Server("city", ["run", *self.options], settings, self.logs)
        self.open()

    def open(self) -> None:
        self.server.start()
        eventually("the city is ready", self.is_ready, 60)

    def is_ready(self) -> bool:
        with api_client() as client:
            try:
                return client.get(self.city.url("", "/ready")).status_code == 200
            except httpx.TransportError:
                return False

    def figure(self, name: str) -> float:
        """Of `/metrics`, of the one database."""
        with api_client() as client:
            text = client.get(self.city.url("", "/metrics")).text
        found = re.search(rf"^{name}\{{[^}}]*\}} (\S+)$", text, re.MULTILINE)
        assert found, f"no {name} in {text[:2_000]}"
        return float(found[1])

    def reads(self) -> tuple[float, float]:
        """From the replica, and from the primary in its place."""
        return self.figure("database_replica_reads"), self.figure("database_primary_reads")

    def is_used(self) -> bool:
        return self.figure("database_replica_used") == 1

    def total(self, town: str) -> int:
        """How many questions a town says that it has."""
        with api_client(headers=JSON) as client:
            answer = client.get(self.city.url(town, "/questions"))
        assert answer.status_code == 200, answer.text
        count: int = answer.json()["total"]
        return count

    def stop(self) -> int:
        status = self.server.stop()
        self.replica.destroy()
        self.primary.destroy()
        self.mails.stop()
        return status


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site()
    try:
        site.start()
        yield site
    except BaseException as failure:
        failure.add_note(f"logs are in {site.logs}")
        raise
    finally:
        status = site.stop()
    assert status == 0, f"{status}: {site.server.tail()}"
    shutil.rmtree(site.home, ignore_errors=True)
    shutil.rmtree(site.logs, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def questions(site: Site) -> None:
    """One in each town; the process that saw the towns empty is gone."""
    with api_client(headers=JSON) as client:
        program(client, site.city, site.mails, person("물음"))
        for town in TOWNS:
            enter(client, site.city, town)
            question = {"title": f"{town}에서 뭐가 맛있어요?", "body": "오늘 저녁에 가려고 해요.", "category": "food"}
            asked = client.post(site.city.url(town, "/questions"), json=question, headers={"Idempotency-Key": town})
            assert asked.status_code == 201, asked.text
    assert site.server.stop() == 0
    site.open()


def test_a_towns_figures_come_from_the_replica(site: Site) -> None:
    eventually("the replica is used", site.is_used)
    replica, primary = site.reads()
    assert site.total("first") == 1
    assert site.reads() == (replica + 3, primary)


def test_while_it_lags_the_primary_has_them(site: Site) -> None:
    site.replica.sql("SELECT pg_wal_replay_pause()")
    try:
        site.primary.sql("DELETE FROM t_second.question")
        eventually("the replica is not used", lambda: not site.is_used())
        replica, primary = site.reads()
        assert site.total("second") == 0
        assert site.reads() == (replica, primary + 3)
    finally:
        site.replica.sql("SELECT pg_wal_replay_resume()")
    eventually("the replica is used again", site.is_used)


def test_nobody_notices_that_it_is_gone(site: Site) -> None:
    site.replica.stop_immediately()
    assert site.total("third") == 1
    eventually("the replica is not used", lambda: not site.is_used())
    with api_client() as client:
        for town in TOWNS:
            assert client.get(site.city.url(town, "/questions")).status_code == 200
        assert client.get(site.city.url("", "/ready")).status_code == 200
    site.replica.start()
    eventually("the replica is used again", site.is_used, 30)
