"""A small look-alike of the Hugging Face hub's HTTP API for sets and models: info, files, ranges, faults."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit


@dataclass
class Hub:
    """Data sets by name, each a history of folders: the last one is `main`."""

    repos: dict[str, list[Path]]
    gated: bool = False
    licence: str = "apache-2.0"
    cut: dict[str, int] = field(default_factory=dict)
    """File name → bytes after which the connection is closed, while it stands here."""
    cuts: int = 1_000
    """How many connections are cut at most."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """(method, path, Range header) of each request."""
    url: str = ""

    def __enter__(self) -> Hub:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub._answer(self)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def commit(self, repo: str, number: int = -1) -> str:
        """The commit of one state of a repository."""
        folder = self.repos[repo][number]
        return hashlib.sha1(str(folder).encode()).hexdigest()

    def downloads(self) -> list[str]:
        """Names of the files whose content was sent, in order."""
        return [path.rsplit("/", 1)[1] for method, path, _ in self.asked if method == "GET" and "/resolve/" in path]

    def _folder(self, repo: str, revision: str) -> tuple[Path, str] | None:
        for number, folder in enumerate(self.repos[repo]):
            sha = self.commit(repo, number)
            if revision == sha or (revision == "main" and folder == self.repos[repo][-1]):
                return folder, sha
        return None

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path)
        self.asked.append((request.command, path, request.headers.get("Range", "")))
        api = path.startswith("/api/")
        for begin in ("/api/datasets/", "/api/models/", "/datasets/", "/"):  # models have no prefix of their own
            if path.startswith(begin):
                rest = path.removeprefix(begin)
                break
        repo = "/".join(rest.split("/")[:2])
        tail = rest.removeprefix(repo).strip("/")
        if repo not in self.repos:
            return _fail(request, 404, "RepoNotFound")
        if self.gated:
            return _fail(request, 403, "GatedRepo")
        word, _, rest = tail.partition("/")
        revision, _, name = rest.partition("/") if tail else ("main", "", "")
        found = self._folder(repo, revision or "main")
        if found is None:
            return _fail(request, 404, "RevisionNotFound")
        folder, sha = found
        if api and word in ("", "revision"):
            files = [f for f in sorted(folder.rglob("*")) if f.is_file()]
            siblings = [{"rfilename": f.relative_to(folder).as_posix(), "size": f.stat().st_size} for f in files]
            told = {"id": repo, "sha": sha, "siblings": siblings, "tags": [f"license:{self.licence}"]}
            return _send(request, json.dumps(told).encode())
        if word == "resolve" and (folder / name).is_file():
            return self._file(request, folder / name, sha)
        return _fail(request, 404, "EntryNotFound")

    def _file(self, request: BaseHTTPRequestHandler, file: Path, sha: str) -> None:
        data = file.read_bytes()
        start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        request.send_response(206 if start else 200)
        request.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        request.send_header("X-Repo-Commit", sha)
        request.send_header("Accept-Ranges", "bytes")
        request.send_header("Content-Length", str(len(data) - start))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.end_headers()
        if request.command == "HEAD":
            return
        end = self.cut.get(file.name) if self.cuts else None
        self.cuts -= end is not None
        request.wfile.write(data[start:end])
        request.close_connection = True


def _send(request: BaseHTTPRequestHandler, body: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def _fail(request: BaseHTTPRequestHandler, status: int, code: str) -> None:
    request.send_response(status)
    request.send_header("X-Error-Code", code)
    request.send_header("X-Error-Message", code)
    request.send_header("Content-Length", "0")
    request.end_headers()
