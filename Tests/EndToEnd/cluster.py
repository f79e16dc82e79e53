"""What several nodes share in a test: a PostgreSQL of their own, and somebody who takes their mail."""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shutil
import socketserver
import subprocess
import threading
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from city import Mail, eventually

DATABASE, USER = "metropolis", "metropolis"


def binaries() -> Path:
    """The newest PostgreSQL that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert found, "no PostgreSQL in /usr/lib/postgresql: expected the package postgresql"
    return found[-1].parent


class Cluster:
    """A PostgreSQL on 127.0.0.1 that outlives the nodes, as a database on a machine of its own does."""

    def __init__(self, home: Path, port: int, connections: int = 100, name: str = "cluster") -> None:
        self.home, self.port, self.connections = home / name, port, connections
        self.password = secrets.token_urlsafe(18)
        self.kills = 0
        # PostgreSQL refuses root.
        self.user = "postgres" if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    def own(self, path: Path) -> None:
        """Gives it to the server's user."""
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(path, account.pw_uid, account.pw_gid)

    def create(self) -> None:
        self.home.mkdir(mode=0o700)
        secret = self.home.with_suffix(".password")
        secret.write_text(self.password)
        for path in (self.home, secret):
            self.own(path)
        self.run("initdb", "-D", self.home, "-U", USER, f"--pwfile={secret}", "--auth=scram-sha-256", "-E", "UTF8",
                 "--locale=C.UTF-8", "--no-instructions")
        settings = {
            "listen_addresses": "'127.0.0.1'", "port": self.port, "unix_socket_directories": "''",
            "max_connections": self.connections, "shared_buffers": "'64MB'", "max_wal_size": "'512MB'",
        }
        with (self.home / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        self.start()
        self.sql(f"CREATE DATABASE {DATABASE}", database="postgres")

    def replicate(self, primary: Cluster) -> None:
        """Becomes a streaming replica of another, with its roles and passwords."""
        self.password = primary.password
        self.home.mkdir(mode=0o700)
        self.own(self.home)
        source = f"host=127.0.0.1 port={primary.port} user={USER} password={primary.password}"
        self.run("pg_basebackup", "-D", self.home, "-R", "-X", "stream", "-c", "fast", "-d", source)
        with (self.home / "postgresql.conf").open("a") as file:
            file.write(f"port = {self.port}\n")
        self.start()

    def start(self) -> None:
        self.run("pg_ctl", "-D", self.home, "-l", self.home / "server.log", "-w", "-t", "60", "start")

    def stop_immediately(self) -> None:
        """Without a checkpoint and without a word to its clients: as a crash."""
        self.run("pg_ctl", "-D", self.home, "-m", "immediate", "-w", "stop")
        self.kills += 1

    def destroy(self) -> None:
        if (self.home / "postmaster.pid").exists():
            self.run("pg_ctl", "-D", self.home, "-m", "immediate", "-w", "stop", check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query gives, asked by the superuser."""
        found: list[dict[str, Any]] = json.loads(self.sql(f"SELECT coalesce(json_agg(r), '[]') FROM ({query}) AS r"))
        return found

    def sql(self, text: str, database: str = DATABASE) -> str:
        answer = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER,
             "-d", database, "-c", text],
            env=os.environ | {"PGPASSWORD": self.password}, capture_output=True, text=True, timeout=60)
        assert answer.returncode == 0, f"{answer.stderr}\n{text}"
        return answer.stdout

    def run(self, program: str, *arguments: object, check: bool = True) -> None:
        command = [str(binaries() / program), *map(str, arguments)]
        if self.user:
            command = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", "--reset-env", *command]
        # A file, not a pipe: the server that pg_ctl leaves behind would keep a pipe open.
        log = self.home.with_suffix(".log")
        with log.open("ab") as output:
            status = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=120)
        assert not check or status.returncode == 0, f"{program}: {log.read_text()[-2_000:]}"


class MailSink:
    """An SMTP server (RFC 5321) that keeps what it is given, and finds it as the city's development mailbox does."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, bytes]] = []
        sink = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 sink\r\n")
                recipient = ""
                while line := self.rfile.readline(1_000):
                    verb = line[:4].upper()
                    if verb == b"RCPT":
                        recipient = re.search(rb"<([^>]*)>", line)[1].decode()  # type: ignore[index]
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = []
                        while (part := self.rfile.readline(2_000)) != b".\r\n":
                            # Cut off: nothing was accepted, and who sent it sends it again (RFC 5321 §4.1.1.4).
                            if not part:
                                return
                            lines.append(part.removeprefix(b".") if part.startswith(b"..") else part)
                        sink.mails.append((recipient, b"".join(lines)))
                    self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                    if verb == b"QUIT":
                        return

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True

        self.server = Listener(("127.0.0.1", 0), Session)
        self.url = f"smtp://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, name="mail sink", daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def mail(self, to: str, seconds: float = 10) -> Mail:
        """The newest mail to an address; waits for it to arrive."""
        return eventually(f"a mail to {to}", lambda: self.newest(to), seconds)

    def newest(self, to: str) -> Mail | None:
        raw = next((raw for recipient, raw in reversed(self.mails) if recipient == to), None)
        if raw is None:
            return None
        message = message_from_bytes(raw, policy=policy.default)
        body = message.get_body(("plain",))
        text = body.get_content() if body else ""
        return Mail(str(message["Message-ID"]), to, str(message["Subject"]), text, re.findall(r"https?://\S+", text), "")
