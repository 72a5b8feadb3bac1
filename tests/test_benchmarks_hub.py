"""`clika sets fetch` against a look-alike of the hub, with the real `huggingface_hub`: pinned, resumed, explained."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import benchmark_factory as factory
import pytest
from clika import clika
from heavy import later
from servers.hub import Hub

from clika_client.sets.benchmarks import kept

later("huggingface_hub", "hub")
REPO = "facebook/belebele"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub with two commits of Belebele; the second has one question more."""
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder, n in zip(folders, (6, 8), strict=True):
        factory.belebele(folder, n)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return Hub({REPO: folders[:1]})


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """huggingface_hub waits a second before each of its tries."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def fetch(hub: Hub, *arguments: object, check: int | None = 0):  # type: ignore[no-untyped-def]
    return clika("sets", "fetch", "belebele", *arguments, check=check, HF_ENDPOINT=hub.url)


def test_a_benchmark_is_fetched_at_one_commit_and_can_be_asked(hub: Hub) -> None:
    with hub:
        done = fetch(hub)
    commit = hub.commit(REPO)
    assert done.stdout == "belebele: 6 items, 4 choices, chance .250, 4 languages (en, ary, de, sw)\n"
    assert f"Belebele from {REPO} at {commit[:10]}: 4 files, 0.0 MB; licence CC BY-SA 4.0" in done.stderr
    assert "4 of 4 files" in done.stderr
    assert kept.added()["belebele"].revision == commit
    assert kept.read("belebele").n == 6
    assert f"(revision {commit})" in clika("sets", "show", "belebele").stdout
    # The size is said before the first file is asked for, which a dry run shows.
    assert "README.md" not in hub.downloads()


def test_a_dry_run_downloads_nothing(hub: Hub) -> None:
    with hub:
        offer = json.loads(fetch(hub, "--dry-run", "--json").stdout)
    assert offer["bytes"] == sum(f.stat().st_size for f in (hub.repos[REPO][0] / "data").iterdir())
    assert offer["revision"] == hub.commit(REPO)
    assert not hub.downloads()
    assert kept.added() == {}


def test_some_languages_are_some_files(hub: Hub) -> None:
    with hub:
        assert "2 languages (en, de)" in fetch(hub, "-l", "de,en").stdout
        assert sorted(hub.downloads()) == ["deu_Latn.jsonl", "eng_Latn.jsonl"]
        missing = fetch(hub, "-l", "de,fr", check=2).stderr
    assert f"{REPO} has no fr; it has: ary, de, en, sw" in missing


def test_the_commit_stays_until_another_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    with hub:
        fetch(hub)
        first = hub.commit(REPO)
        hub.repos[REPO].append(tmp_path / "second")
        fetch(hub)
        assert (kept.added()["belebele"].revision, kept.added()["belebele"].items) == (first, 6)
        assert len(hub.downloads()) == 4, "what is here is not downloaded again"
        fetch(hub, "--revision", "main")
        assert (kept.added()["belebele"].revision, kept.added()["belebele"].items) == (hub.commit(REPO), 8)


@pytest.mark.usefixtures("no_pause")
def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub: Hub) -> None:
    """The library writes ten megabytes at a time, so the file is made larger than that."""
    file = hub.repos[REPO][0] / "data/deu_Latn.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    factory.jsonl(file, [{**rows[0], "ds": "x" * 13_000_000}, *rows[1:]])
    hub.cut[file.name], hub.cuts = 12_000_000, 1
    with hub:
        fetch(hub)
    ranges = [asked for method, path, asked in hub.asked if method == "GET" and path.endswith(file.name)]
    assert ranges == ["", f"bytes={10 * 2**20}-"]
    assert kept.read("belebele").probes["de"][5].question == "deu_Latn question 5?"


@pytest.mark.usefixtures("no_pause")
def test_a_command_that_failed_is_run_again_for_the_files_that_are_missing(hub: Hub) -> None:
    hub.cut["deu_Latn.jsonl"] = 500
    with hub:
        broken = fetch(hub, check=2)
        assert "run the same command again" in broken.stderr
        assert kept.added() == {}
        hub.cut.clear()
        hub.asked.clear()
        fetch(hub)
    assert sorted(hub.downloads()) == ["deu_Latn.jsonl", "eng_Latn.jsonl", "swh_Latn.jsonl"]
    assert kept.read("belebele").probes["de"][5].question == "deu_Latn question 5?"


def test_a_hub_that_cannot_be_reached_is_one_sentence_with_the_way_by_hand(hub: Hub) -> None:
    with hub:
        pass  # the port is free again, and nobody listens there
    said = fetch(hub, check=2).stderr
    assert f"{REPO}: the hub at {hub.url} cannot be reached" in said
    assert f"hf download {REPO} --repo-type dataset --local-dir FOLDER, then: clika sets add belebele FOLDER" in said
    assert said.count("\n") == 1
    offline = clika("sets", "fetch", "belebele", check=2, HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="1").stderr
    assert "cannot be reached" in offline


def test_terms_missing_repositories_and_revisions_are_explained(hub: Hub) -> None:
    with hub:
        assert "has no such revision" in fetch(hub, "--revision", "0" * 40, check=2).stderr
        hub.gated = True
        gated = fetch(hub, check=2).stderr
        assert "accept its terms" in gated
        hub.gated = False
        hub.repos = {}
        assert "it may have moved" in fetch(hub, check=2).stderr


def test_a_token_never_reaches_what_is_printed(hub: Hub) -> None:
    token = "hf_" + "planted" * 5
    with hub:
        hub.gated = True
        done = clika("sets", "fetch", "belebele", check=2, HF_ENDPOINT=hub.url, HF_TOKEN=token)
    assert token not in done.stdout + done.stderr


def test_what_is_not_on_the_hub_says_where_it_is() -> None:
    said = clika("sets", "fetch", "bmlama17", check=2).stderr
    assert "git clone https://github.com/Betswish/Cross-Lingual-Consistency, then: clika sets add bmlama17" in said
    assert "did you mean 'belebele'" in clika("sets", "fetch", "belebel", check=2).stderr


@pytest.mark.skipif("CLIKA_REAL_HUB" not in os.environ, reason="CLIKA_REAL_HUB is not set: downloads from the real hub")
def test_the_real_hub_has_belebele_in_this_layout() -> None:
    done = clika("sets", "fetch", "belebele", "-l", "en,sw", CLIKA_TESTS_UNGUARDED="1")
    assert "belebele: 900 items, 4 choices, chance .250, 2 languages (en, sw)" in done.stdout
