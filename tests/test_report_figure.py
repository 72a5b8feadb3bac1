"""Heat maps of scores: every format opens, names are escaped, nothing half-written stays behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from clika import clika, write_probes
from heavy import later
from servers.loopback import Answer, Loopback, chat

from clika_client.report.figure import _chart, panels
from clika_client.scoring.score import score_store
from clika_client.store.store import Store

later("altair", "report")
later("vl_convert", "report")

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figure")
    probes = write_probes(folder / "mine.jsonl")
    with Loopback(lambda seen: Answer(body=chat("B"))) as server:
        clika(
            "run", probes, "-m", f"openai/{EVIL}", "--base-url", server.url, "--db", folder / "c.db", "--bootstrap", 0,
            OPENAI_API_KEY="none", CLIKA_HOME=str(folder),
        )  # fmt: skip
    return folder / "c.db"


@pytest.mark.parametrize(("suffix", "magic"), [(".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_pictures_are_what_their_suffix_says(tmp_path: Path, scored: Path, suffix: str, magic: bytes) -> None:
    picture = tmp_path / f"figure{suffix}"
    clika("score", "--db", scored, "--bootstrap", 100, "--figure", picture)
    assert picture.read_bytes().startswith(magic)
    assert [p.name for p in tmp_path.iterdir() if "figure" in p.name] == [picture.name]


def test_the_drawing_holds_the_figures_and_escapes_names(tmp_path: Path, scored: Path) -> None:
    clika("score", "--db", scored, "--bootstrap", 0, "--figure", tmp_path / "figure.svg")
    svg = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    words = [node.text or "" for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text")]
    # The model always says B: gold is B for items 1 and 5 of 6, so accuracy is 1/3 and RA is 1/9.
    assert words.count("0.11") == 2
    assert any(EVIL in word for word in words)
    assert EVIL not in svg


def _values(part: Any) -> list[list[dict[str, Any]]]:
    """Every list of data of a specification, which stand by name or in place."""
    if isinstance(part, list):
        return [found for each in part for found in _values(each)]
    if not isinstance(part, dict):
        return []
    here = [part["values"]] if "values" in part else list(part.get("datasets", {}).values())
    return here + [found for value in part.values() for found in _values(value)]


def test_the_drawing_is_made_of_the_panels_squares_and_nothing_else(scored: Path) -> None:
    with Store(scored) as store:
        scores = score_store(store, bootstrap=0)
    expected = [square for _, squares in panels(scores) for square in squares]
    drawn = [row for rows in _values(_chart(scores).to_dict()) for row in rows]
    assert {str(sorted(row.items())) for row in drawn} == {str(sorted(square.items())) for square in expected}
    assert expected


def test_the_page_opens_in_a_browser_without_a_network(tmp_path: Path, scored: Path) -> None:
    page = tmp_path / "figure.html"
    clika("score", "--db", scored, "--bootstrap", 0, "--figure", page)
    text = page.read_text(encoding="utf-8")
    assert "cdn." not in text
    assert EVIL not in text
    assert EVIL.replace("<", "\\u003c") in text
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no browser here to open the page with")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}", "--timeout=5000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    drawn = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout
    assert 'class="mark-group role-axis"' in drawn
    assert "openai/&lt;script&gt;" in drawn


def test_another_suffix_is_refused_with_the_ones_there_are(tmp_path: Path, scored: Path) -> None:
    done = clika("score", "--db", scored, "--bootstrap", 0, "--figure", tmp_path / "figure.gif", check=2)
    assert ".svg" in done.stderr
