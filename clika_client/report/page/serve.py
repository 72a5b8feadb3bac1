"""The page of a database, served on this machine alone behind a token, and made anew when replies have come."""

from __future__ import annotations

import hmac
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from clika_client.common.errors import ClikaError
from clika_client.report.page.write import page
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.score_sets import Options
from clika_client.store.store import Store

HOST = "127.0.0.1"


class Served(ThreadingHTTPServer):
    """A database at an address of this machine."""

    daemon_threads = True

    def __init__(self, db: Path, wanted: Wanted, options: Options, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.db, self.wanted, self.options = db, wanted, options
        self.token = secrets.token_urlsafe(18)
        self._made: tuple[str, str] | None = None
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """Where the page is, with its token."""
        return f"http://{HOST}:{self.server_address[1]}/?token={self.token}"

    def state(self) -> str:
        """Changes whenever a reply, a run or a cell has come."""
        with Store(self.db, read_only=True) as store, store.database.mapped_errors():
            sql = (
                "SELECT (SELECT value FROM generation), (SELECT count(*) FROM completions), (SELECT count(*) FROM"
                " cells), (SELECT group_concat(id || status) FROM kept_runs)"
            )
            return str(store.database.connection.execute(sql).fetchone())

    def text(self) -> str:
        """The page as it is now; made once per state."""
        with self._lock:
            state = self.state()
            if self._made is None or self._made[0] != state:
                with Store(self.db, read_only=True) as store:
                    live = f"/state?token={self.token}"
                    self._made = state, page(store, self.wanted, self.options, live=live)
            return self._made[1]


class _Handler(BaseHTTPRequestHandler):
    server: Served
    server_version = "clika"
    sys_version = ""

    def do_GET(self) -> None:  # the name is http.server's
        """The page, or its state; nothing for other names of this machine or without the token."""
        wanted = urlsplit(self.path)
        host, token = self.headers.get("Host", ""), parse_qs(wanted.query).get("token", [""])[0]
        port = self.server.server_address[1]
        served = (f"{HOST}:{port}", f"localhost:{port}")
        if host not in served:
            # Another name in Host is a page elsewhere that had its own name lead here: it learns nothing of the token.
            self._send(403, "text/plain", f"Only {' and '.join(served)} are served, from this machine alone.")
        elif not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._send(403, "text/plain", "The address lacks its token; copy it whole from the terminal.")
        elif wanted.path == "/":
            self._made("text/html", self.server.text)
        elif wanted.path == "/state":
            self._made("text/plain", self.server.state)
        else:
            self._send(404, "text/plain", "There is only one page here.")

    def _made(self, kind: str, make: object) -> None:
        try:
            self._send(200, kind, make())  # type: ignore[operator]
        except ClikaError as error:
            self._send(503, "text/plain", str(error))

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        headers = {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address holds the token."""
