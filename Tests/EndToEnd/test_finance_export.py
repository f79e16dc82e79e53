"""A month of the books leaves the city: hledger and bean-check accept it, and every format says the same to the minor unit."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from city import City, Mailbox, eventually
from people import enter, person, program
from test_console import FINANCE, HTML, JSON, OPERATOR, sign_in

Sums = dict[tuple[str, str], Decimal]


def this_month() -> str:
    """As the city's own calendar has it."""
    return datetime.now(ZoneInfo("Asia/Seoul")).strftime("%Y-%m")


def other_month(years: int) -> str:
    now = datetime.now(UTC)
    return f"{now.year + years}-{now.month:02}"


@pytest.fixture
def busy(city: City, mailbox: Mailbox, api) -> City:
    """A city in which points were earned."""
    asker, helper = (program(api(), city, mailbox, person(name)) for name in ("미나", "준"))
    for someone in (asker, helper):
        enter(someone, city, "jeju")
    question = asker.post(
        city.url("jeju", "/questions"), headers=JSON,
        json={
            "title": "한라산 주차장은 언제 비나요?", "body": "평일 아침에 가려고 해요.", "category": "traffic",
            "urgency": "normal", "hashtags": [], "place": {"name": "한라산", "latitude": 33.36, "longitude": 126.53},
        },
    )
    assert question.status_code == 201, question.text
    path = f"/questions/{question.json()['id']}/answers"
    answer = helper.post(city.url("jeju", path), json={"body": "여덟 시 전이면 자리가 있어요."}, headers=JSON)
    assert answer.status_code == 201, answer.text
    accepted = asker.post(city.url("jeju", f"/answers/{answer.json()['id']}/accept"), json={}, headers=JSON)
    assert accepted.status_code in (200, 201), accepted.text
    enter(helper, city, "")
    eventually("the points are there", lambda: "answer.accepted" in export(city, "csv").stdout)
    return city


def export(city: City, form: str, output: Path | str = "-", month: str | None = None) -> subprocess.CompletedProcess[str]:
    return city.run("finance", "export", "--month", month or this_month(), "--format", form, "--output", str(output))


def accepts(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def hledger(path: Path) -> None:
    accepts(["hledger", "-f", path, "check", "--strict", "ordereddates"])


def bean_check(path: Path) -> None:
    accepts(["bean-check", path])


def sums_of_csv(text: str) -> Sums:
    sums: Sums = defaultdict(Decimal)
    entries: Sums = defaultdict(Decimal)
    for row in csv.DictReader(io.StringIO(text, newline="")):
        amount = Decimal(row["debit"] or 0) - Decimal(row["credit"] or 0)
        assert (row["debit"] == "") != (row["credit"] == ""), row
        sums[row["control_account"], row["currency"]] += amount
        entries[row["entry"], row["currency"]] += amount
    assert sums and all(total == 0 for total in entries.values()), "an entry that does not balance"
    return dict(sums)


def sums_of_workbook(content: bytes) -> tuple[Sums, Sums, str]:
    """By the sheets of postings, by the sheet of sums, and what that says of the month."""
    workbook = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    postings: Sums = defaultdict(Decimal)
    for currency in workbook.sheetnames[1:]:
        rows = workbook[currency].iter_rows(values_only=True)
        place = {name: index for index, name in enumerate(next(rows))}
        for row in rows:
            debit, credit = (row[place[name]] for name in ("debit", "credit"))
            assert all(isinstance(one, int | float) for one in (debit, credit) if one is not None)
            amount = Decimal(str(debit or 0)) - Decimal(str(credit or 0))
            postings[row[place["control_account"]], currency.split()[0]] += amount
    moved: Sums = {}
    notice = ""
    for name, currency, _, opening, debit, credit, closing in list(workbook["Summary"].iter_rows(values_only=True))[1:]:
        if name == "Total":
            assert Decimal(str(opening)) == Decimal(str(closing)) == 0 and debit == credit
        elif currency:
            figures = [Decimal(str(figure)) for figure in (opening, debit, credit, closing)]
            assert figures[0] + figures[1] - figures[2] == figures[3], name
            if figures[1] or figures[2]:
                moved[name, currency] = figures[1] - figures[2]
        elif name:
            notice = name
    return dict(postings), moved, notice


def sums_of_hledger(path: Path) -> Sums:
    """What moved in the month as hledger itself reckons, with the exact names it has read."""
    report = subprocess.run(
        ["hledger", "-f", path, "register", "-O", "csv", "not:desc:opening balances", "not:desc:closing balances"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout
    sums: Sums = defaultdict(Decimal)
    for row in csv.DictReader(io.StringIO(report)):
        amount, currency = row["amount"].split()
        sums[row["account"], currency] += Decimal(amount)
    return dict(sums)


def test_both_tools_accept_a_month(busy: City, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for form, name, check in (("hledger", "one.journal", hledger), ("beancount", "one.beancount", bean_check)):
        done = export(busy, form, tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert "provisional" in done.stdout and "balanced" in done.stdout
        check(tmp_path / name)
        text = (tmp_path / name).read_text()
        assert "; provisional: " in text and "Liabilities:Points:Earned" in text

    folder = tmp_path / "books"
    folder.mkdir()
    assert export(busy, "beancount", folder).returncode == 0
    stem = f"ledger-{this_month()}-provisional"
    assert {one.name for one in folder.iterdir()} == {f"{stem}-body.journal", f"{stem}.journal", f"{stem}.beancount"}
    hledger(folder / f"{stem}.journal")
    bean_check(folder / f"{stem}.beancount")
    if shutil.which("ledger"):
        accepts(["ledger", "-f", folder / f"{stem}.journal", "balance"])

    # The check is one: a figure changed by one minor unit is found.
    body = folder / f"{stem}-body.journal"
    text = body.read_text()
    last = text.rstrip().rsplit("  ", 1)[1]
    body.write_text(text.rstrip()[: -len(last)] + last.replace(last.split()[0], str(int(last.split()[0]) - 1)) + "\n")
    broken = subprocess.run(["hledger", "-f", folder / f"{stem}.journal", "check"], capture_output=True, timeout=60)
    assert broken.returncode != 0
    assert subprocess.run(["bean-check", folder / f"{stem}.beancount"], capture_output=True, timeout=60).returncode != 0


def test_all_formats_agree_by_command_and_api(busy: City, api, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    client = sign_in(api(), busy, FINANCE)
    month = this_month()
    files: dict[str, bytes] = {}
    for form, suffix in (("hledger", "journal"), ("beancount", "beancount"), ("csv", "csv"), ("xlsx", "xlsx")):
        answer = client.get(busy.url("console", f"/finance/{month}/export?format={form}"), headers=HTML, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"] == f'attachment; filename="ledger-{month}-provisional.{suffix}"'
        assert answer.headers["ledger-month-state"] == "provisional"
        assert int(answer.headers["content-length"]) == len(answer.content)
        files[form] = answer.content
        (tmp_path / f"api.{suffix}").write_bytes(answer.content)
    hledger(tmp_path / "api.journal")
    bean_check(tmp_path / "api.beancount")

    sums = sums_of_csv(files["csv"].decode())
    postings, moved, notice = sums_of_workbook(files["xlsx"])
    assert sums == postings
    assert sums == moved
    assert notice == f"{month} provisional"
    assert sums == sums_of_hledger(tmp_path / "api.journal")

    checked = busy.run("finance", "check", "--month", month)
    assert checked.returncode == 0 and "balanced" in checked.stdout and "sha-256 " in checked.stdout, checked.stderr


def test_months_past_and_ahead(busy: City, tmp_path: Path) -> None:
    past, ahead = tmp_path / "past.journal", tmp_path / "ahead.beancount"
    assert export(busy, "hledger", past, other_month(-1)).returncode == 0
    hledger(past)
    assert "; open: " in past.read_text()
    # What is ahead begins with the balances of today.
    assert export(busy, "beancount", ahead, other_month(1)).returncode == 0
    bean_check(ahead)
    assert "opening balances" in ahead.read_text() and "; provisional: " in ahead.read_text()


def test_only_finance_of_the_city_exports(city: City, api) -> None:
    path = city.url("console", f"/finance/{this_month()}/export?format=csv")
    assert api().get(path, headers=JSON).status_code == 401
    assert sign_in(api(), city, OPERATOR).get(path, headers=JSON).status_code == 403


def test_bad_requests_get_one_clear_answer(city: City, api, tmp_path: Path) -> None:
    for arguments, words in (
        (("--month", "2026-13", "--format", "csv"), ("2026-13", "YYYY-MM")),
        (("--month", this_month(), "--format", "pdf"), ("pdf", "hledger, beancount, csv, xlsx")),
        (("--month", this_month(), "--format", "csv", "--output", str(tmp_path / "none/out.csv")), ("none/out.csv", "--output")),
    ):
        done = city.run("finance", "export", *arguments)
        assert done.returncode != 0 and not done.stdout, arguments
        assert all(word in done.stderr for word in words), done.stderr
    assert list(tmp_path.iterdir()) == []

    client = sign_in(api(), city, FINANCE)
    for path, field in (("/finance/2026-13/export?format=csv", "month"), (f"/finance/{this_month()}/export", "format")):
        answer = client.get(city.url("console", path), headers=JSON)
        assert answer.status_code == 422 and field in answer.text, answer.text
