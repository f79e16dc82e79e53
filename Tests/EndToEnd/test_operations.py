"""What an operator meets: probes, metrics, the API's description, commands beside a running city, clear refusals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from city import BINARY, LOG, ROOT, City, environment, eventually

SITES = ["", "id", "jeju", "univprep", "console"]


def test_probes_answer_by_address(city: City, api) -> None:
    client = api()
    for host in ("", "id", "jeju"):
        assert client.get(city.url(host, "/health")).json() == {"status": "ok"}
        assert client.get(city.url(host, "/ready")).json() == {"status": "ready"}


def test_metrics_count_requests_by_route(city: City, api) -> None:
    client = api()
    client.get(city.url("jeju", "/"))
    text = client.get(city.url("", "/metrics")).text
    assert re.search(r'http_requests_total\{site="jeju",route="[^"]*",method="GET",status="200"\} \d+', text)
    assert "http_request_duration_seconds_bucket" in text
    assert "database_connections" in text
    assert "process_resident_memory_bytes" in text


@pytest.mark.parametrize("host", SITES)
def test_the_api_is_described_in_openapi_31(city: City, api, host: str) -> None:
    document = api().get(city.url(host, "/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": city.url(host, "").rstrip("/")}]
    assert document["paths"], "a site without a described operation"
    OpenAPIV31SpecValidator(document).validate()


def test_an_unknown_host_is_refused_and_never_echoed_into_links(city: City, api) -> None:
    answer = api().get(city.url("", "/"), headers={"Host": f"evil.example:{city.port}", "Accept": "text/html"})
    assert answer.status_code == 421
    assert 'href="http://evil.example' not in answer.text
    forwarded = api().get(city.url("jeju", "/"), headers={"X-Forwarded-Host": "evil.example"})
    assert forwarded.status_code == 200 and "evil.example" not in forwarded.text


def test_a_second_city_on_the_port_says_so(city: City, tmp_path: Path) -> None:
    done = subprocess.run(
        [BINARY, "run", "--port", str(city.port), "--data", tmp_path / "data"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60,
    )
    assert done.returncode != 0
    assert f"port {city.port}" in done.stderr and "--port" in done.stderr


def test_check_names_every_mistake_with_its_line(city: City, tmp_path: Path) -> None:
    text = (ROOT / "tenants.yaml").read_text()
    broken = text.replace("module: town", "module: village", 1).replace("south: 35.0", "south: high").replace(
        "phase: pilot", "phase: huge"
    )
    file = tmp_path / "broken.yaml"
    file.write_text(broken)
    done = subprocess.run([BINARY, "check", file], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    for key in ("city.phase", "tenants.jeju.module", "tenants.busan.settings.area.south"):
        line = next(line for line in done.stderr.splitlines() if key in line)
        assert re.search(r"broken\.yaml:\d+: ", line) and "found" in line and "expected" in line
    good = subprocess.run([BINARY, "check"], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60)
    assert good.returncode == 0, good.stderr


def test_production_names_all_missing_settings_at_once(tmp_path: Path) -> None:
    file = tmp_path / "production.yaml"
    file.write_text((ROOT / "tenants.yaml").read_text().replace("environment: development", "environment: production"))
    done = subprocess.run(
        [BINARY, "run", "--config", file, "--data", tmp_path / "data"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60,
    )
    assert done.returncode != 0
    for name in ("DATABASE_URL", "METROPOLIS_MASTER_KEY", "METROPOLIS_SMTP_URL", "METROPOLIS_METRICS_TOKEN"):
        assert name in done.stderr


def test_commands_work_beside_the_running_city(city: City, api) -> None:
    applied = city.run("apply")
    assert applied.returncode == 0, applied.stderr
    loaded = city.run("content", "load")
    assert loaded.returncode == 0, loaded.stderr
    verified = city.run("audit", "verify")
    assert verified.returncode == 0 and "unbroken" in verified.stdout, verified.stderr
    assert api().get(city.url("jeju", "/")).status_code == 200


def test_a_database_that_is_away_is_a_503_and_comes_back(city: City, api) -> None:
    """A backend that dies hard makes PostgreSQL end all others and recover: the database is away for a moment."""
    client = api(timeout=40)
    postmaster = re.findall(r'"started the private PostgreSQL","pid":"(\d+)"', LOG.read_text())[-1]
    backends = subprocess.run(
        ["pgrep", "-P", postmaster, "-f", "postgres: .*(idle|checkpointer|background writer)"], capture_output=True, text=True
    ).stdout.split()
    os.kill(int(backends[-1]), signal.SIGKILL)
    statuses = {
        client.get(city.url("jeju", "/questions"), headers={"Accept": "application/json"}).status_code for _ in range(5)
    }
    assert statuses <= {200, 503}
    eventually("the city has its database back", lambda: client.get(city.url("", "/ready")).status_code == 200, 30)
    eventually("the town answers", lambda: client.get(city.url("jeju", "/questions")).status_code == 200, 60)
