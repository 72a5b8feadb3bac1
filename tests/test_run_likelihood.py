"""`--ask likelihood`: a measurement of its own, its normalisations read from the same stored figures."""

from __future__ import annotations

import asyncio
import json
import math
import re
import sqlite3
from pathlib import Path
from typing import Any

import gguf_factory
import numpy as np
import pytest
from clika import clika, count, records, write_probes
from heavy import later

from clika_client.answers.cells import mean_over_orders
from clika_client.answers.likelihood import NORMALISATIONS, figures
from clika_client.asking.ask_mode import probe_letters
from clika_client.asking.idle_options import refuse_idle
from clika_client.asking.settings import Asking
from clika_client.common.errors import UserError
from clika_client.prompts.catalogue import builtin_styles, get_style
from clika_client.prompts.likelihood import render_options
from clika_client.prompts.shots import chosen
from clika_client.sets.catalogue import resolve
from clika_client.sets.probes import Item, Probe, build
from clika_providers import BaseProvider, Completion, MockProvider, ProviderOptions, Request
from clika_providers.gguf.files import ModelFile
from clika_providers.gguf.runner import ModelSession

later("llama_cpp", "local")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = gguf_factory.Recipe(template=None, seed=5)
    return gguf_factory.make(tmp_path_factory.mktemp("models") / "base.gguf", recipe)


def test_likelihoods_and_letters_are_two_rows_and_normalisations_cost_nothing(tmp_path: Path, base: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 6)
    common = ("run", probes, "-m", f"gguf/{base}", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    clika(*common, "--ask", "logprobs")
    found = records(clika(*common, "--ask", "likelihood"))
    assert {(r["ask"], r["reading"]) for r in found} == {("likelihood", "sum")}
    assert all(r["answered"] == r["n"] == 6 for r in found)
    assert any(r["rankc"] is not None for r in found)
    assert count(tmp_path / "c.db") == 24
    score = ("score", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    assert {(r["ask"], r["reading"]) for r in records(clika(*score))} == {
        ("logprobs", "probabilities"),
        ("likelihood", "sum"),
    }
    every = records(clika(*score, "--reading", ",".join(NORMALISATIONS)))
    assert {r["reading"] for r in every if r["ask"] == "likelihood"} == set(NORMALISATIONS)
    assert len({(r["ask"], r["reading"], r["language"]) for r in every}) == len(every)


def test_a_run_says_how_many_tokens_of_its_prompts_were_evaluated(tmp_path: Path, base: Path) -> None:
    probes, db = write_probes(tmp_path / "mine.jsonl", 4), tmp_path / "c.db"
    done = clika("run", probes, "-m", f"gguf/{base}", "--ask", "likelihood", "--db", db, "--bootstrap", 0, "--json")
    said = re.findall(r"(\d+)% of the ([\d,]+) tokens in the prompts were evaluated", " ".join(done.stderr.split()))
    ((share, whole),) = said
    with sqlite3.connect(db) as connection:
        given, spared = connection.execute("SELECT sum(input_tokens), sum(cached_tokens) FROM completions").fetchone()
    connection.close()
    assert int(whole.replace(",", "")) == given
    assert 0 < spared < given
    assert int(share) == round(100 * (given - spared) / given)


def test_normalisations_are_those_of_the_definition() -> None:
    held = figures((-2.0, -6.0, -3.0), (1, 4, 1), (-1.0, -9.0, -3.0), ("Bonn", "Köln", "Ulm"))
    scores = {name: measure(held).tolist() for name, measure in NORMALISATIONS.items()}
    assert scores == {
        "sum": [-2.0, -6.0, -3.0],
        "per-token": [-2.0, -1.5, -3.0],
        "per-byte": [-2.0 / 4, -6.0 / 5, -1.0],
        "pmi": [-1.0, 3.0, 0.0],
    }
    assert np.isnan(NORMALISATIONS["pmi"](figures((-1.0, -2.0), (1, 1), None, ("a", "b")))).all()


@pytest.mark.parametrize("style", [style.name for style in builtin_styles()])
@pytest.mark.parametrize("language", ["en", "zh", "th", "ar"])
def test_no_prompt_for_likelihoods_shows_an_option_or_asks_for_a_letter(style: str, language: str) -> None:
    atlas = resolve("atlas")
    probe = next(p for p in atlas.probes[language] if p.item_id.startswith("city-country"))
    asked = render_options(probe, get_style(style), atlas)
    (message,) = asked.messages
    assert probe.question in message.content
    assert not any(choice in message.content for choice in probe.choices)
    assert len(message.content.splitlines()) == 2
    assert message.content.splitlines()[1] == asked.neutral[0].content
    assert [option.strip() for option in asked.options] == list(probe.choices)
    assert all(option.startswith(" ") != message.content.endswith("：") for option in asked.options)


def test_a_sentence_with_a_gap_is_continued_to_its_end() -> None:
    fields = {"before": "The capital of France is ", "after": ", in Europe."}
    probe = Probe("1", "en", "The capital of France is ____, in Europe.", ("Paris", "Rome"), 0, fields=fields)
    facts = build("facts", [Item("1")], [probe])
    asked = render_options(probe, get_style("plain"), facts)
    assert asked.messages[0].content == "The capital of France is"
    assert asked.options == (" Paris, in Europe.", " Rome, in Europe.")


class InProcess(MockProvider):
    """Computes here; what it is called does not tell."""

    runs_here = True


@pytest.mark.parametrize(
    ("option", "asking", "extra"),
    [
        ("--grammar", Asking("logprobs", grammar=True), ()),
        ("--temperature", Asking("logprobs", temperature=0.7), ()),
        ("--repeats", Asking("logprobs", repeats=3), ()),
        ("--thinking", Asking("logprobs", thinking=True), ()),
        ("--extra", Asking("logprobs"), (("top_k", 1),)),
        ("--permute", Asking("likelihood", permute=True), ()),
        ("--max-tokens", Asking("likelihood", max_tokens=4), ()),
        ("--extra", Asking("text"), (("top_k", 1),)),
        ("--repeats", Asking("text", repeats=2), ()),
    ],
)
def test_options_that_would_do_nothing_are_refused_by_name(
    option: str, asking: Asking, extra: tuple[tuple[str, int], ...]
) -> None:
    with pytest.raises(UserError, match=option):
        refuse_idle(InProcess(), asking, ProviderOptions(extra_body=extra))


def test_likelihoods_are_refused_where_a_server_cannot_give_them() -> None:
    with pytest.raises(UserError, match="gguf/FILE"):
        refuse_idle(MockProvider(), Asking("likelihood"), ProviderOptions())


def test_what_is_refused_leaves_no_run_and_no_row(tmp_path: Path, base: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 3)
    db = tmp_path / "c.db"
    for named, *options in (
        ("--repeats", "--ask", "logprobs", "--repeats", 3),
        ("foo", "--ask", "text", "--extra", "foo=5", "--temperature", 1),
        ("--gpu-layers", "--ask", "text", "--gpu-layers", 9),
    ):
        assert named in clika("run", probes, "-m", f"gguf/{base}", "--db", db, *options, check=2).stderr
    assert count(db, "runs") == count(db, "cells") == 0


def test_text_held_to_the_labels_is_the_likeliest_label(tmp_path: Path, base: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 12)
    common = ("run", probes, "-m", f"gguf/{base}", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    probable = records(clika(*common, "--ask", "logprobs"))
    held = records(clika(*common, "--ask", "text", "--grammar"))
    assert [r["accuracy"] for r in held] == [r["accuracy"] for r in probable]
    assert [r["top_choice_share"] for r in held] == [r["top_choice_share"] for r in probable]


def test_several_orders_count_by_the_mean_probability_of_each_option() -> None:
    """A model that gives its first place .6 and knows, a little, that option 2 is right."""
    orders = []
    for rotation in range(4):
        mass = np.full(4, 0.1)
        mass[rotation] += 0.5  # what stands first
        mass[2] += 0.1
        orders.append(np.log(mass / mass.sum() * 0.3)[None])  # the labels hold .3 of all probability
    assert [int(one.argmax()) for one in orders] == [0, 1, 2, 3]
    mean = np.exp(mean_over_orders(orders))[0]
    assert mean.argmax() == 2
    assert mean.sum() == pytest.approx(1)
    assert mean[2] == pytest.approx((0.1 + 0.1 + 0.5 / 4), abs=1e-9)


@pytest.mark.parametrize(
    ("mass", "follows", "advice"),
    [(0.9, True, "logprobs"), (0.9, False, "likelihood"), (0.3, True, "likelihood")],
)
def test_letters_are_advised_where_they_are_likely_and_follow_the_right_option(
    mass: float, follows: bool, advice: str
) -> None:
    class Scripted(BaseProvider):
        """Puts `mass` on the labels, most of it on the one before the right sum, or on the first."""

        spec, identity, concurrency = "scripted/model", {"provider": "scripted", "model": "model"}, 1

        async def complete(self, request: Request) -> Completion:
            a, b = map(int, re.findall(r"(\d+) \+ (\d+)", request.messages[-1].content)[0])
            right = re.findall(rf"(\w)\. {a + b}$", request.messages[-1].content, re.MULTILINE)[0]
            chosen = right if follows else "A"
            shares = [0.7 * mass if label == chosen else 0.1 * mass for label in request.labels]
            return Completion(chosen, "stop", tuple(math.log(share) for share in shares))

    found = asyncio.run(probe_letters(Scripted(), languages=["en", "he"]))
    assert found.label_mass == pytest.approx(mass)
    assert found.right == (1.0 if follows else 0.25)
    assert found.ask == advice
    assert f"--ask {advice}" in found.sentence()


def test_a_prompt_is_shown_as_the_model_is_given_it_token_by_token(tmp_path: Path, base: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 2)
    show = ("prompt", probes, "-m", f"gguf/{base}", "--json")
    (plain,) = json.loads(clika(*show).stdout)["prompts"]
    assert plain["model"]["text"] == "<s>" + plain["messages"][0]["content"]
    assert "".join(piece for _, piece in plain["model"]["tokens"]) == plain["model"]["text"]
    (bare,) = json.loads(clika(*show, "--ask", "likelihood").stdout)["prompts"]
    assert bare["model"]["text"].startswith("<s>Question:")
    assert len(bare["model"]["options"]) == len(plain["labels"])
    assert "gguf/FILE" in clika("prompt", probes, "-m", "openai/some-model", check=2).stderr


def test_answers_show_each_option_with_its_share_and_the_letters_mass(tmp_path: Path, base: Path) -> None:
    probes, db = write_probes(tmp_path / "mine.jsonl", 3), tmp_path / "c.db"
    for ask in ("logprobs", "likelihood"):
        clika("run", probes, "-m", f"gguf/{base}", "-l", "en", "--ask", ask, "--db", db, "--bootstrap", 0)
    rows = json.loads(clika("answers", "--db", db, "--json").stdout)["scored_answers"]
    assert [row["ask"] for row in rows] == ["logprobs"] * 3 + ["likelihood"] * 3
    for row in rows:
        shares = [option["share"] for option in row["options"]]
        assert sum(shares) == pytest.approx(1)
        assert row["margin"] == pytest.approx(sorted(shares)[-1] - sorted(shares)[-2])
        assert row["options"][row["choice"]]["share"] == max(shares)
        assert (row["label_mass"] is None) == (row["ask"] == "likelihood")
    said = clika("answers", "--db", db).stdout
    assert said.count("likelihood by sum") == 3
    assert "en choice 0-1" in said


def test_models_check_tells_everything_of_a_local_model_as_json(base: Path) -> None:
    told = json.loads(clika("models", "check", f"gguf/{base}", "--json").stdout)
    local = told["local"]
    assert told["likelihood"] == "computed here"
    assert (local["kind"], local["chat_template"], local["quantization"]) == ("base", None, "F32")
    assert local["letters"]["advice"] in ("logprobs", "likelihood")
    assert 0 <= local["letters"]["label_mass"] <= 1
    assert len(local["weights_sha256"]) == 64
    assert f"letters: {local['letters']['sentence']}" in clika("models", "check", f"gguf/{base}").stdout


def test_table_and_json_say_what_a_local_model_is(tmp_path: Path, base: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 3)
    asked = ("run", probes, "-m", f"gguf/{base}", "--ask", "likelihood", "--db", tmp_path / "c.db", "--bootstrap", 0)
    said = " ".join(clika(*asked).stdout.split())
    assert "F32, no chat template: a base model, given plain text" in said
    held = json.loads(clika(*asked, "--json").stdout)
    (facts,) = held["models"].values()
    assert facts["quantization"] == "F32"
    assert all(0 <= record["brier"] <= 2 for record in held["records"])


def test_merging_says_when_answers_of_two_builds_meet(tmp_path: Path, base: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 2)
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    for db in (here, there):
        clika("run", probes, "-m", f"gguf/{base}", "-l", "en", "--ask", "likelihood", "--db", db, "--bootstrap", 0)
    assert "kinds of builds" not in clika("cache", "merge", there, "--db", here).stderr
    with sqlite3.connect(there) as connection:
        connection.execute('UPDATE models SET identity = replace(identity, \'"build":"\', \'"build":"NEW \')')
    said = " ".join(clika("cache", "merge", there, "--db", here).stderr.split())
    assert "two kinds of builds (kernels" in said
    assert "rows of their own" in said


def test_models_take_turns_in_memory(tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = gguf_factory.make(tmp_path / "other.gguf", gguf_factory.Recipe(template=None, seed=6))
    loaded: list[str] = []
    most = []
    start, end = ModelSession.__init__, ModelSession.close

    def opening(self: ModelSession, model: ModelFile, *rest: Any) -> None:
        start(self, model, *rest)
        loaded.append(model.path.name)
        most.append(len(loaded))

    def closing(self: ModelSession) -> None:
        loaded.remove(self.engine.model_file.path.name)
        end(self)

    monkeypatch.setattr(ModelSession, "__init__", opening)
    monkeypatch.setattr(ModelSession, "close", closing)
    probes = write_probes(tmp_path / "mine.jsonl", 2)
    models = ("-m", f"gguf/{base}", "-m", f"gguf/{other}")
    clika("run", probes, *models, "-l", "en", "--ask", "auto", "--db", tmp_path / "c.db", "--bootstrap", 0)
    assert len(most) >= 2
    assert max(most) == 1
    assert loaded == []


def test_examples_are_the_answers_themselves_of_the_same_items_in_every_language() -> None:
    atlas, plain = resolve("atlas"), get_style("plain")
    shown = {}
    for language in ("en", "de", "zh"):
        probe = next(p for p in atlas.probes[language] if p.item_id.startswith("city-country"))
        tags = next(item.tags for item in atlas.items if item.item_id == probe.item_id)
        asked = render_options(probe, get_style("plain", 2), atlas, tags=tags)
        bare = render_options(probe, plain, atlas)
        assert asked.options == bare.options
        *examples, question = asked.messages[0].content.split("\n\n")
        assert question == bare.messages[0].content
        reserved = chosen(atlas.examples, language, tags["relation"], 2) if atlas.examples else []
        assert [one.splitlines()[0] for one in examples] == [
            render_options(one, plain, atlas).messages[0].content.splitlines()[0] for one in reserved
        ]
        assert all(one.endswith(r.choices[r.gold]) for one, r in zip(examples, reserved, strict=True))
        shown[language] = [one.item_id for one in reserved]
    assert shown["en"] == shown["de"] == shown["zh"]


def test_examples_are_part_of_a_prompts_identity(tmp_path: Path, base: Path) -> None:
    asked = ("run", "atlas", "-m", f"gguf/{base}", "-l", "en", "--limit", 3, "--ask", "likelihood")
    db = tmp_path / "c.db"
    for shots in (0, 1):
        clika(*asked, "--shots", shots, "--db", db, "--bootstrap", 0)
    found = records(clika("score", "--db", db, "--bootstrap", 0, "--json"))
    assert {r["prompt"] for r in found} == {"plain", "plain 1-shot"}
    assert count(db) == 6
