"""The served page: this machine alone, only with its token, and as new as the database."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from clika import write_probes
from heavy import later

import clika_client
from clika_client.report.page.serve import Served
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.score_sets import Options
from clika_providers import MockProvider

later("vl_convert", "report")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    clika_client.run(write_probes(tmp_path / "mine.jsonl", 8), MockProvider("A", name="first"), db=tmp_path / "c.db")
    with Served(tmp_path / "c.db", Wanted(), Options(bootstrap=0)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server: Served, path: str, host: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=600)
    connection.request("GET", path, headers={"Host": host} if host else {})
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, text


def test_only_the_token_opens_it_and_only_under_this_machines_name(served: Served) -> None:
    assert get(served, "/")[0] == 403
    assert get(served, "/?token=wrong")[0] == 403
    status, told = get(served, f"/?token={served.token}", host="evil.example:80")
    assert status == 403
    assert f"127.0.0.1:{served.server_address[1]} and localhost:{served.server_address[1]}" in told
    assert "token" not in told
    assert served.token not in told
    assert "token" in get(served, "/?token=wrong")[1]
    assert get(served, f"/other?token={served.token}")[0] == 404
    status, text = get(served, f"/?token={served.token}")
    assert status == 200
    assert "mock/first" in text
    assert served.server_address[0] == "127.0.0.1"


def test_what_has_come_since_is_on_the_next_page(served: Served, tmp_path: Path) -> None:
    before = get(served, f"/state?token={served.token}")[1]
    assert get(served, f"/state?token={served.token}")[1] == before
    clika_client.run(tmp_path / "mine.jsonl", MockProvider("B", name="second"), db=tmp_path / "c.db")
    assert get(served, f"/state?token={served.token}")[1] != before
    assert "mock/second" in get(served, f"/?token={served.token}")[1]


def test_a_page_in_the_browser_says_that_there_is_more(served: Served, tmp_path: Path) -> None:
    from servers.browser import chromium, window

    with chromium() as browser, window(browser, served.address) as opened:
        opened.page.wait_for_timeout(3500)
        clika_client.run(tmp_path / "mine.jsonl", MockProvider("B", name="second"), db=tmp_path / "c.db")
        opened.page.wait_for_selector("#live button")
        opened.page.click("#live button")
        opened.page.wait_for_selector("text=mock/second")
        assert [c for c in opened.complaints if "/state" not in c] == []
