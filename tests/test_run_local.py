"""The main job on real llama.cpp: in process, and through a real OpenAI-compatible server with the same model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import gguf_factory
import pytest
from clika import clika, count, records, write_probes
from heavy import later
from servers.llama import llama_server, missing

later("llama_cpp", "local")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random-weight model: its answers mean nothing, and are the same every time."""
    return gguf_factory.make(tmp_path_factory.mktemp("models") / "tiny.gguf")


def test_a_local_model_is_asked_once_and_reported(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 10)
    arguments = ("run", probes, "-m", f"gguf/{tiny}", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    arguments += ("--ask", "logprobs")
    first = records(clika(*arguments))
    assert {(r["model"], r["ask"]) for r in first} == {("gguf/tiny.gguf", "logprobs")}
    assert all(r["answered"] == r["n"] == 10 for r in first)
    assert count(tmp_path / "c.db") == 20
    # What is stored needs no model: whoever asks it now is found out.
    monkeypatch.setattr("clika_providers.gguf.provider.GgufProvider.complete", None)
    again = clika(*arguments)
    assert records(again) == first
    assert "nothing to send" in again.stderr


def test_auto_asks_as_a_probe_advises_and_says_what_the_probe_showed(tmp_path: Path, tiny: Path) -> None:
    """A model with random weights holds its letters likely, and cannot follow the right option when it moves."""
    probes = write_probes(tmp_path / "mine.jsonl", 3)
    arguments = ("run", probes, "-m", f"gguf/{tiny}", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    done = clika(*arguments)
    assert {r["ask"] for r in records(done)} == {"likelihood"}
    (note,) = (line for line in done.stderr.splitlines() if "sums (en, de)" in line)
    assert note in clika(*arguments).stderr
    assert "sums (en, de)" in " ".join(
        json.loads(clika("score", "--db", tmp_path / "c.db", "--json").stdout)["scoring"]["notes"]
    )
    assert {r["ask"] for r in records(clika(*arguments, "--permute", "cyclic"))} == {"logprobs"}
    assert {r["ask"] for r in records(clika(*arguments, "--grammar"))} == {"text"}


def test_text_and_probabilities_are_two_rows(tmp_path: Path, tiny: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 4)
    common = ("run", probes, "-m", f"gguf/{tiny}", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    clika(*common, "--ask", "logprobs")
    text = records(clika(*common, "--ask", "text", "--max-tokens", 4))
    assert {r["ask"] for r in text} == {"text"}
    both = records(clika("score", "--db", tmp_path / "c.db", "--json", "--bootstrap", 0))
    assert {r["ask"] for r in both} == {"text", "logprobs"}


def test_generation_bound_to_the_labels_always_answers(tmp_path: Path, tiny: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 4)
    found = records(
        clika(
            "run", probes, "-m", f"gguf/{tiny}", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json",
            "--ask", "text", "--grammar",
        )
    )  # fmt: skip
    assert all(r["no_answer_rate"] == 0 for r in found)


@pytest.mark.skipif(missing() is not None and not os.environ.get("CLIKA_REQUIRE_SERVERS"), reason=str(missing()))
def test_the_same_model_behind_a_server_reads_both_ways(tmp_path: Path, tiny: Path) -> None:
    assert missing() is None
    probes = write_probes(tmp_path / "mine.jsonl", 6)
    with llama_server(tiny) as url:
        for read in ("text", "logprobs"):
            found = records(
                clika(
                    "run", probes, "-m", "llama-server/tiny", "--base-url", url, "--ask", read, "--db",
                    tmp_path / "c.db", "--bootstrap", 0, "--json", "--max-tokens", 4,
                )
            )  # fmt: skip
            assert all(r["coverage"] == 1 for r in found)
            assert {r["ask"] for r in found} == {read}
    assert count(tmp_path / "c.db") == 24


@pytest.mark.skipif(missing() is not None and not os.environ.get("CLIKA_REQUIRE_SERVERS"), reason=str(missing()))
def test_a_local_fallback_is_a_row_of_its_own(tmp_path: Path, tiny: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 6)
    done = clika(
        "run", probes, "-m", "llama-server/gone", "--base-url", "http://127.0.0.1:9/v1", "--fallback", f"gguf/{tiny}",
        "--db", tmp_path / "c.db", "--bootstrap", 0, "--json", "--timeout", 2, "--max-retries", 0, check=1,
    )  # fmt: skip
    found = {(r["model"], r["language"]): r for r in records(done)}
    assert found["gguf/tiny.gguf", "en"]["answered"] == 6
    assert ("llama-server/gone", "en") not in found  # it never answered: no row
    assert "row of its own" in done.stderr.replace("\n", " ")


def test_a_thought_that_does_not_end_is_missing_and_the_cure_is_named(tmp_path: Path) -> None:
    model = gguf_factory.make(tmp_path / "thinker.gguf", gguf_factory.Recipe(template=gguf_factory.ALWAYS_THINKING))
    probes = write_probes(tmp_path / "mine.jsonl", 1, ("en",))
    done = clika(
        "run", probes, "-m", f"gguf/{model}", "--ask", "text", "--db", tmp_path / "c.db", "--bootstrap", 0, check=1
    )
    assert "cut before an answer began" in done.stderr
    assert "--max-tokens" in done.stderr
    assert count(tmp_path / "c.db") == 0
    assert count(tmp_path / "c.db", "attempts") == 1


def test_prompts_that_are_too_long_are_one_line_that_names_the_cure(tmp_path: Path, tiny: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 12)
    done = clika(
        "run", probes, "-m", f"gguf/{tiny}", "--ask", "logprobs", "--n-ctx", 20, "--db", tmp_path / "c.db", check=1
    )
    (line,) = [line for line in done.stderr.splitlines() if "the context holds 20" in line]
    assert "24 x the prompt and its answer need up to " in line
    assert "raise --n-ctx" in line
    assert "Where a line above names a cure, follow it" in " ".join(done.stderr.split())


def test_a_renamed_file_is_found_under_both_names(tmp_path: Path, tiny: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 3)
    renamed = tmp_path / "renamed.gguf"
    renamed.write_bytes(tiny.read_bytes())
    common = ("--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    first = records(clika("run", probes, "-m", f"gguf/{tiny}", "--ask", "logprobs", *common))
    clika("run", probes, "-m", f"gguf/{renamed}", "--ask", "logprobs", *common)
    for name in ("gguf/renamed.gguf", f"gguf/{renamed}"):
        done = clika("score", "-m", name, *common)
        assert records(done) == first
        said = " ".join(json.loads(done.stdout)["scoring"]["notes"])
        assert f"{name} is the same model as gguf/tiny.gguf, under which its answers are kept." in said
    assert (
        "holds no answers for model 'gguf/other.gguf'"
        in clika("score", "-m", "gguf/other.gguf", *common, check=2).stderr
    )
