"""What a request asks the database, taken from the server's own log while the request is answered, and the same
statements as a script of pgbench. So "the same SQL" stays the same when the code changes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from city import eventually

ENTRY = re.compile(r"\d{4}-\d\d-\d\d [\d:.]+ \w+ \[(?P<pid>\d+)\] (?P<level>[A-Z0-9]+):  (?P<text>.*)")
STATEMENT = re.compile(r"(?:execute [^:]+|statement): (?P<sql>.*)", re.DOTALL)
PARAMETER = re.compile(r"\$(\d+) = (?:NULL|'((?:[^']|'')*)')")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Left as recorded when they differ: bytea, jsonb, arrays and times, none of which is unique in a table.
CONSTANT = re.compile(r"\\x|\{|\d{4}-\d\d-\d\d ")


@dataclass(frozen=True)
class Statement:
    """As the server ran it: its parameters are texts, or None for NULL."""

    pid: int
    sql: str
    parameters: tuple[str | None, ...] = ()


class Postgres:
    """The private server of a city, reached as its superuser over its Unix socket."""

    def __init__(self, data: Path) -> None:
        noted = data / "postgres.location"
        cluster = Path(noted.read_text().strip()) if noted.exists() else data / "postgres"
        # postmaster.pid: process, data directory, start, port, socket folder (PostgreSQL, storage-file-layout).
        _, _, _, port, folder, *_ = (cluster / "postmaster.pid").read_text().splitlines()
        self.log = data / "postgres.log"
        self.environment = os.environ | {
            "PGHOST": folder,
            "PGPORT": port,
            "PGUSER": "metropolis",
            "PGDATABASE": "metropolis",
            "PGPASSWORD": (data / "postgres.password").read_text().strip(),
        }

    @property
    def conninfo(self) -> str:
        """For libpq (PostgreSQL manual §34.1.1)."""
        names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname", "PGPASSWORD": "password"}
        return " ".join(f"{word}={self.environment[name]}" for name, word in names.items())

    def ask(self, sql: str) -> str:
        command = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]
        answer = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if answer.returncode != 0:
            raise RuntimeError(f"psql refuses {sql!r}: {answer.stderr.strip()}")
        return answer.stdout.strip()

    def record(self, schema: str, act: Callable[[], bool]) -> list[Statement]:
        """The statements that `act` makes the server run for a schema, in their order. The outbox's reader works beside
        it under the same role: what it runs is left out, unless it stands in a transaction with something else.

        - act: asks the city for something, and says whether it got it. It is called until it did.
        """
        role = f"metropolis.{schema}.login"
        try:
            self.ask(f"""ALTER ROLE "{role}" SET log_statement = 'all'""")
            self.ask(f"""ALTER ROLE "{role}" SET log_error_verbosity = 'default'""")
            self.end_sessions(role)
            # The first calls bring the connections back, and with them what is remembered of the last seconds.
            eventually(f"an answer that needs {schema}", act)
            act()
            time.sleep(0.3)
            before = self.log.stat().st_size
            if not act():
                raise RuntimeError(f"the recorded request on {schema} was refused")
            time.sleep(0.3)
            with self.log.open("rb") as log:
                log.seek(before)
                entries = log.read().decode()
        finally:
            for setting in ("log_statement", "log_error_verbosity"):
                self.ask(f'ALTER ROLE "{role}" RESET {setting}')
            self.end_sessions(role)
            eventually(f"an answer that needs {schema}", act)
        return without_relay(statements(entries), schema)

    def end_sessions(self, role: str) -> None:
        self.ask(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")


def statements(log: str) -> list[Statement]:
    """Reads the entries of `log_statement = all`, each of which may be followed by one with its parameters."""
    entries: list[tuple[int, str, str]] = []
    for line in log.splitlines():
        if match := ENTRY.fullmatch(line):
            entries.append((int(match["pid"]), match["level"], match["text"]))
        elif line.startswith("\t") and entries:
            pid, level, text = entries[-1]
            entries[-1] = (pid, level, f"{text}\n{line[1:]}")
    found: list[Statement] = []
    for pid, level, text in entries:
        if level == "LOG" and (match := STATEMENT.fullmatch(text)):
            found.append(Statement(pid, match["sql"]))
        elif level == "DETAIL" and text.startswith("parameters: "):
            last = max(index for index, statement in enumerate(found) if statement.pid == pid)
            values = {
                int(number): None if whole.endswith("NULL") and not value else value.replace("''", "'")
                for number, value, whole in ((m[1], m[2], m[0]) for m in PARAMETER.finditer(text))
            }
            parameters = tuple(values[number] for number in sorted(values))
            found[last] = Statement(pid, found[last].sql, parameters)
    return found


def is_begin(statement: Statement) -> bool:
    return statement.sql.upper().startswith(("BEGIN", "START"))


def is_end(statement: Statement) -> bool:
    return statement.sql.upper().startswith(("COMMIT", "ROLLBACK", "END"))


def without_relay(found: list[Statement], schema: str) -> list[Statement]:
    """Autocommit statements and whole transactions, those away that touch nothing of the schema but its outbox."""
    units: list[list[Statement]] = []
    opened: dict[int, list[Statement]] = {}
    for statement in found:
        if is_begin(statement):
            opened[statement.pid] = [statement]
            units.append(opened[statement.pid])
        elif statement.pid in opened:
            opened[statement.pid].append(statement)
            if is_end(statement):
                del opened[statement.pid]
        else:
            units.append([statement])
    return [statement for unit in units if tables(unit, schema) - {"outbox"} for statement in unit]


def tables(found: list[Statement], schema: str) -> set[str]:
    return {match[1] for statement in found for match in re.finditer(rf'"?{schema}"?\."?(\w+)"?', statement.sql)}


def transaction_of(found: list[Statement], table: str, schema: str) -> list[Statement]:
    """The transaction that inserts into a table, from BEGIN to COMMIT."""
    insert = re.compile(rf'INSERT INTO "?{schema}"?\."?{table}"?\s')
    row = next(statement for statement in found if insert.match(statement.sql))
    session = [statement for statement in found if statement.pid == row.pid]
    place = session.index(row)
    first = max(index for index in range(place) if is_begin(session[index]))
    last = min(index for index in range(place, len(session)) if is_end(session[index]))
    return session[first : last + 1]


@dataclass(frozen=True)
class Script:
    """A script of pgbench with the values of its variables, which pgbench binds as parameters (`-M prepared`)."""

    text: str
    variables: dict[str, str]

    def typed(self) -> Script:
        """The same with the types of arrays, which a parameter of unnest() needs."""
        text = self.text
        for name, value in self.variables.items():
            if kind := array_type(value):
                text = re.sub(rf":{name}\b(?!::)", f":{name}::{kind}", text)
        return Script(text, self.variables)

    def moved(self, schema: str, to: str) -> Script:
        """The same on tables of the same names in another schema."""
        return Script(re.sub(rf'"?{schema}"?\.', f"{to}.", self.text), self.variables)


def array_type(value: str) -> str | None:
    """The type of a recorded array by its looks; None for what is no array. The log holds no types, and unnest() needs one."""
    if not value.startswith("{") or is_json(value):
        return None
    elements = value[1:-1].split(",")
    if all(UUID.fullmatch(element) for element in elements):
        return "uuid[]"
    return "bigint[]" if all(re.fullmatch(r"-?\d+", element) for element in elements) else "text[]"


def is_json(value: str) -> bool:
    """Whether it is a document; an array of PostgreSQL's is none, but for the empty one, which no statement here writes as jsonb."""
    try:
        return isinstance(json.loads(value), dict) and value != "{}"
    except ValueError:
        return False


def script(found: list[Statement], other: list[Statement] | None = None) -> Script:
    """The statements of a request, one script.

    - other: the statements of another request of the same kind. Ids and texts in which the two differ are made anew for
      each run of the script, from `serial`, which grows and is no other client's: unique, and in order as UUIDv7 are.
    """
    if other is not None and [one.sql for one in found] != [one.sql for one in other]:
        raise RuntimeError("two requests of one kind ran different statements")
    lines: list[str] = []
    variables: dict[str, str] = {}
    ids: dict[str, int] = {}
    for number, statement in enumerate(found):
        values: dict[int, str] = {}
        for place, value in enumerate(statement.parameters):
            name = f"s{number}p{place}"
            twin = value if other is None else other[number].parameters[place]
            if value is None:
                values[place + 1] = "NULL"
            elif value != twin and UUID.fullmatch(value):
                identity = ids.setdefault(value, len(ids))
                values[place + 1] = f"lpad(to_hex(:id{identity}::bigint), 32, '0')::uuid"
            else:
                variables[name] = value
                is_fresh = value != twin and not CONSTANT.match(value)
                values[place + 1] = f"(:{name}::text || :serial::text)" if is_fresh else f":{name}"
        sql = statement.sql
        for place in sorted(values, reverse=True):
            sql = sql.replace(f"${place}", values[place])
        lines.append(" ".join(sql.split()).removesuffix(";") + ";")
    if other is not None:
        head = ["\\set n :n + 1", "\\set serial :client_id * 100000000 + :n"]
        head += [f"\\set id{identity} :serial * {len(ids)} + {identity}" for identity in ids.values()]
        lines = head + lines
    return Script("\n".join(lines) + "\n", variables)
