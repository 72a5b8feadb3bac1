"""The page, opened as a reader does with the network off: filters, accessibility, and no text ever read as markup."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asked_models import HOSTILE, LANGUAGES, MIDDLING, MIXED, STRONG, WEAK, N
from clika import clika, write_probes
from heavy import later
from servers.browser import chromium, window
from servers.programs import axe

import clika_client
from clika_client.common.safe_text import shown
from clika_client.store.store import Store

later("vl_convert", "report")
later("jinja2", "report")


@pytest.fixture(scope="module")
def db(three_asked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copy(three_asked, tmp_path_factory.mktemp("page") / "c.db")


@pytest.fixture(scope="module")
def page_file(db: Path) -> Path:
    path = db.with_name("page.html")
    clika("report", path, "--db", db)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


def carried(html: str) -> dict[str, Any]:
    """What the page's script unpacks."""
    packed = re.search(r'id="data">([^<]*)<', html)
    assert packed is not None
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    return found


def test_it_opens_without_a_network_an_error_or_a_request(browser: Any, page_file: Path) -> None:
    with window(browser, page_file) as opened:
        assert opened.complaints == []
        assert opened.page.locator("svg .mark-symbol path").count() > 3 * len(LANGUAGES)
        assert opened.page.locator("table").count() > 8
        assert f"{N} of {N} questions" in opened.page.inner_text("#found")


def test_it_begins_with_what_the_comparison_concludes(page_file: Path, db: Path, browser: Any) -> None:
    concluded = clika_client.compare(STRONG, MIDDLING, db).summary[0]
    with window(browser, page_file) as opened:
        assert opened.page.inner_text("#verdict p >> nth=0") == concluded


def test_filters_find_what_is_right_in_one_language_and_lost_in_another(browser: Any, page_file: Path) -> None:
    with window(browser, page_file) as opened:
        page = opened.page
        page.select_option("select[name=row]", label=STRONG)
        page.select_option("select[name=right]", "en")
        page.select_option("select[name=wrong]", "sw")
        # The script has every fourth question wrong in Swahili and none in English.
        assert page.inner_text("#found").startswith(f"{N // 4} of")
        page.select_option("select[name=wrong]", "he")
        assert page.inner_text("#found").startswith("0 of")
        page.select_option("select[name=wrong]", "")
        page.select_option("select[name=right]", "")
        page.select_option("select[name=tag]", "relation=odd")
        assert page.inner_text("#found").startswith(f"{N // 2} of")
        page.select_option("select[name=tag]", "")
        page.fill("input[name=text]", "question number 23")
        assert page.inner_text("#found").startswith("1 of")
        assert opened.complaints == []


def test_one_question_is_shown_in_every_language_with_every_reply(browser: Any, page_file: Path) -> None:
    with window(browser, page_file) as opened:
        page = opened.page
        page.fill("input[name=text]", "q1")
        page.locator(".item summary").first.click()
        page.wait_for_selector(".item .answers")
        item = page.locator(".item").first
        assert item.locator("section h4").all_inner_texts() == list(LANGUAGES)
        assert item.locator("li.gold").count() == len(LANGUAGES)
        assert item.locator('[lang="he"]').first.get_attribute("dir") == "rtl"
        said = item.locator(".said").all_inner_texts()
        assert shown(HOSTILE) in said
        # A Hebrew reply runs from right to left whatever it begins with, and its Latin words stand isolated in it.
        mixed = item.locator(".said").nth(said.index(MIXED))
        assert mixed.evaluate("node => getComputedStyle(node).direction") == "rtl"
        assert mixed.get_attribute("lang") == "he"
        inside = "[...node.querySelectorAll('bdi')].map(b => [b.textContent, getComputedStyle(b).direction])"
        assert mixed.evaluate(f"node => {inside}") == [["B) Paris", "ltr"], ["option B)", "ltr"]]
        places = "node => [...node.querySelectorAll('bdi')].map(b => b.getBoundingClientRect().left)"
        first, second = mixed.evaluate(places)
        assert first > second
        letters = item.locator('.said[lang="he"]').filter(has_text=re.compile("^[A-D]$"))
        assert letters.first.evaluate("node => getComputedStyle(node).direction") == "ltr"
        assert page.evaluate("document.querySelectorAll('#items script, #items img, #items a').length") == 0
        assert page.evaluate("document.scripts.length") == 2
        assert opened.complaints == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_nothing_serious_stands_in_the_way_of_a_screen_reader(
    browser: Any, page_file: Path, scheme: str, width: int
) -> None:
    """Everything is opened, of the questions the first three: all are made by one function, and each takes a second."""
    checker = axe().read_text(encoding="utf-8")
    with window(browser, page_file, width=width, scheme=scheme) as opened:
        opened.page.locator(".item summary").first.click()
        opened.page.evaluate("document.querySelectorAll('details:not(.item)').forEach(d => { d.open = true; })")
        opened.page.evaluate("[...document.querySelectorAll('.item')].slice(0, 3).forEach(d => { d.open = true; })")
        opened.page.locator(".item").nth(2).locator(".answers").first.wait_for()
        opened.page.evaluate(checker)
        found = opened.page.evaluate("axe.run({resultTypes: ['violations']})")
        bad = [
            (violation["id"], violation["impact"], violation["nodes"][0]["html"][:200])
            for violation in found["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert bad == []


def test_matrices_of_many_rows_are_drawn_when_they_are_opened(
    browser: Any, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clika_client.report.page import write
    from clika_client.report.page.taught import read_taught
    from clika_client.scoring.score import score_store

    monkeypatch.setattr(write, "MATRICES", 1)
    xrr = {"value": 0.4, "low": 0.3, "high": 0.5}
    record = {
        **{
            "model": HOSTILE,
            "taught_in": "en",
            "asked_in": "sw",
            "form": "text",
            "status": "scored",
            "failed_gates": [],
        },
        **{"xrr": xrr, "raw": xrr, "conditional": xrr, "above_chance": None},
    }
    (tmp_path / "xrr.json").write_text(json.dumps({"scores": [{"languages": [record]}]}), encoding="utf-8")
    with Store(db) as store:
        taught = read_taught([tmp_path / "xrr.json"])
        write.save_page(store, tmp_path / "p.html", taught=taught)
        pairs = score_store(store).rows[1].pairs
    with window(browser, tmp_path / "p.html") as opened:
        later = opened.page.locator("details.pairs")
        assert later.count() == 2
        assert later.first.locator("table").count() == 0
        later.first.locator("summary").click()
        later.first.locator("tbody tr").nth(2).wait_for()
        row = later.first.locator("tbody tr").nth(2).locator("td").all_inner_texts()
        label = later.first.locator("summary").inner_text()
        assert label in (STRONG, MIDDLING, WEAK)
        assert row[2] == "–"
        assert len(row) == len(pairs)
        assert ".40 [.30, .50]" in opened.page.inner_text("#taught")
        assert opened.page.locator("#taught .on-wide svg .mark-symbol path").count() == 1
        assert shown(HOSTILE) in opened.page.inner_text("#taught")
        assert opened.complaints == []


def test_a_file_that_holds_no_conductivity_is_told(tmp_path: Path, db: Path) -> None:
    (tmp_path / "x.json").write_text('{"scores": [1]}', encoding="utf-8")
    said = clika("report", tmp_path / "p.html", "--xrr", tmp_path / "x.json", "--db", db, check=2).stderr
    assert "clika teach score" in said
    assert not (tmp_path / "p.html").exists()


def test_a_phone_does_not_scroll_sideways(browser: Any, page_file: Path) -> None:
    with window(browser, page_file, width=390) as opened:
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
        edges = "[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect()).filter(r => r.width)"
        right = opened.page.evaluate(f"{edges}.map(r => r.right)")
        assert len(right) == 3  # levels, languages, comparison: the drawings for a phone alone
        assert max(right) <= 390


def test_answers_that_are_all_a_habit_to_words_without_end_make_a_whole_page(browser: Any, tmp_path: Path) -> None:
    long = "W" * 900
    rows = [
        {"item_id": f"q{i}", "language": tag, "question": long, "choices": [long, "b", "c", "d"], "gold": i % 4}
        for i in range(24) for tag in ("en", "ar")
    ]  # fmt: skip
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    clika_client.run(tmp_path / "mine.jsonl", ["mock/pick:0", "mock/pick:1"], db=tmp_path / "c.db")
    clika("report", tmp_path / "p.html", "--db", tmp_path / "c.db")
    with window(browser, tmp_path / "p.html", width=390) as opened:
        opened.page.locator(".item summary").first.click()
        opened.page.wait_for_selector(".item[open] .answers")
        assert opened.complaints == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert "None can be ranked" in opened.page.inner_text("#t0")


def test_it_is_used_by_keyboard_and_changes_its_theme(browser: Any, page_file: Path) -> None:
    with window(browser, page_file, scheme="light") as opened:
        page = opened.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        ground = "getComputedStyle(document.body).backgroundColor"
        before = page.evaluate(ground)
        page.focus("#theme")
        page.keyboard.press("Enter")
        assert page.evaluate(ground) != before
        page.focus(".item summary")
        page.keyboard.press("Enter")
        page.wait_for_selector(".item[open] .answers")


def test_every_step_of_the_heat_map_can_be_read() -> None:
    from clika_client.report.colours import STEPS, contrast, step_of, steps

    def parsed(css: str) -> tuple[int, int, int]:
        return int(css[1:3], 16), int(css[3:5], 16), int(css[5:7], 16)

    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    for theme in ("light", "dark"):
        assert all(contrast(parsed(back), parsed(ink)) >= 4.5 for back, ink in steps(theme))
    assert [step_of(value) for value in (-0.3, 0, 0.5, 1, 1.2)] == [0, 0, STEPS // 2, STEPS - 1, STEPS - 1]


def test_the_heat_map_shows_the_scores_of_the_api(db: Path) -> None:
    from clika_client.report.colours import step_of
    from clika_client.report.page.facts import spell
    from clika_client.report.page.heat import heat_lines
    from clika_client.report.table_layout import tables

    scores = clika_client.score(db)
    (table,) = tables(scores)
    for row, line in zip(table.rows, heat_lines(table, "accuracy"), strict=True):
        cells = re.findall(r"<td[^>]*>[^<]*</td>", line)
        assert len(cells) == len(table.languages)
        for cell, tag in zip(cells, table.languages, strict=True):
            record = row.cells[tag]
            assert f">{spell(record.accuracy)}<" in cell
            assert 'class="flag"' in cell if record.flags else f'class="h{step_of(record.accuracy)}"' in cell
    assert heat_lines(table, "rankc") == []  # nobody gave probabilities


def test_what_a_model_took_is_the_sum_of_its_replies(db: Path) -> None:
    from contextlib import closing

    from clika_client.report.page.used import used

    with closing(sqlite3.connect(db)) as connection:
        sql = "SELECT m.spec, count(*), sum(c.input_tokens + c.output_tokens), min(c.created_at), max(c.created_at)"
        told = connection.execute(f"{sql} FROM completions c JOIN models m ON m.id = c.model_id GROUP BY 1").fetchall()
    with Store(db, read_only=True) as store:
        of = {spec: [cell for cell in store.cells() if cell.key.model == spec] for spec, *_ in told}
        for chosen in (of, {spec: of[spec] for spec in list(of)[:1]}):
            found = used(store, [[*cells, *cells] for cells in chosen.values()])  # a reply is counted once
            assert [(u.replies, u.tokens, u.first, u.last) for u in found] == [
                (count, tokens or 0, first, last) for spec, count, tokens, first, last in told if spec in chosen
            ]


def test_few_replies_are_looked_up_and_many_are_read_in_passing(db: Path) -> None:
    from clika_cache.completions import columns_of

    with Store(db, read_only=True) as store:
        everything = dict(store.database.connection.execute("SELECT key, text FROM completions"))
        for many in (1, len(everything)):
            keys = list(everything)[:many]
            found = dict(columns_of(store.database, ("text",), keys))
            assert {key: found[key] for key in keys} == {key: everything[key] for key in keys}
        assert len(dict(columns_of(store.database, ("text",), keys[:1]))) == 1
        assert store.texts(keys[:3]) == {key: everything[key] for key in keys[:3]}


def test_names_of_models_and_sets_are_text(tmp_path: Path) -> None:
    from clika_providers import MockProvider

    evil = "</script><script>alert(1)</script>"
    probes = write_probes(tmp_path / "mine.jsonl", 8)
    clika_client.run(probes, MockProvider("A", name=evil), db=tmp_path / "c.db")
    clika("report", tmp_path / "p.html", "--db", tmp_path / "c.db")
    html = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert evil not in html
    assert "&lt;script&gt;alert(1)" in html


def test_what_does_not_fit_is_left_out_and_said(db: Path) -> None:
    from clika_client.report.page.explorer import explorer
    from clika_client.report.table_layout import tables
    from clika_client.scoring.chosen import Wanted, choose
    from clika_client.scoring.load import load
    from clika_client.scoring.score import score_store

    with Store(db, read_only=True) as store:
        chosen, loaded = choose(store, Wanted()), load(store)
        found = tables(score_store(store, bootstrap=0))
        whole = explorer(store, chosen, loaded, found)
        some = explorer(store, chosen, loaded, found, budget=6_000)
    assert not whole.capped
    assert some.capped
    kept, asked = some.shown["mine"]
    assert 0 < kept < asked == N
    # Questions that all have right everywhere tell least, and go first.
    ids = {item["id"] for item in carried(f'id="data">{some.packed}<')["sets"][0]["items"]}
    assert ids < {f"q{i}" for i in range(N) if i % 2 == 0 or i % 3 == 0}


def test_an_answer_read_from_probabilities_needs_no_text(tmp_path: Path) -> None:
    from clika_client.asking.settings import Asking
    from clika_providers import MockProvider

    probes = write_probes(tmp_path / "mine.jsonl", 8)
    clika_client.run(probes, MockProvider("B"), db=tmp_path / "c.db", asking=Asking(ask="logprobs"))
    clika("report", tmp_path / "p.html", "--db", tmp_path / "c.db")
    held = carried((tmp_path / "p.html").read_text(encoding="utf-8"))["sets"][0]
    assert held["codes"][0]["en"] == [1] * 8
    assert held["replies"][0]["en"] == [None] * 8


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, db: Path) -> None:
    assert "cannot write" in clika("report", tmp_path / "none" / "p.html", "--db", db, check=2).stderr
