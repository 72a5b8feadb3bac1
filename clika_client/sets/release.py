"""Reads the CLiKA authors' release (x_csqa, x_copa, x_geo, x_name) from the user's own checkout.

Nothing of it is shipped: questions and the wording of the published prompts are taken from the checkout.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.sets.ambiguity import ADAPTED, AMBIGUOUS, ambiguity
from clika_client.sets.jsonl import read_jsonl
from clika_client.sets.place_names import answer_in_question, same_name
from clika_client.sets.probes import Item, Probe, ProbeSet, build
from clika_client.sets.release_layout import FOLDERS, question_files
from clika_client.sets.release_prompts import published_wording

REFERENCES: Mapping[str, float] = {"x_csqa": 0.746, "x_copa": 0.964, "x_geo": 0.970, "x_name": 0.922}
"""Accuracy that counts as RA = 1: ChatGPT in English (paper, section on performance)."""
CHOICES: Mapping[str, int] = {"x_csqa": 5, "x_copa": 2, "x_geo": 4, "x_name": 4}
RELEASE_SETS = tuple(FOLDERS)
_LICENCE = "none stated"
_SOURCE = "Gao et al., NAACL 2024 (arXiv 2404.04659), the authors' release"
Row = dict[str, Any]


def read_release(path: Path, name: str) -> ProbeSet:
    """One set of the release in all languages that the checkout holds; the same items as the paper, none dropped.

    Unclean items carry tags: `ambiguous` and `adapted` on the Probe, `answer_in_question` on the Item. Raises
    UserError, naming file and line, for a checkout that is not the release.
    """
    if name not in FOLDERS:
        raise UserError(f"the CLiKA release has no set {name!r}; its sets: {', '.join(RELEASE_SETS)}")
    files = question_files(path, name)
    probes: list[Probe] = []
    rows: dict[str, list[Row]] = {}
    for language, file in files.items():
        rows[language] = []
        for number, row in read_jsonl(file):
            probes.append(_checked(file, number, name, language, row))
            rows[language].append(row)
    if name == "x_copa":
        probes = _mark_flipped(probes)
    items = _items(name, next(iter(rows)), probes, rows)
    folder = next(iter(files.values())).parent.parent
    wording = published_wording(folder, name, {tag: [p for p in probes if p.language == tag] for tag in files})
    return build(
        name,
        items,
        (_with_sentence(probe, wording.sentences) for probe in probes),
        where=str(folder),
        reference=REFERENCES[name],
        licence=_LICENCE,
        source=_SOURCE,
        meta=wording.meta,
    )


def _checked(file: Path, number: int, name: str, language: str, row: Row) -> Probe:
    try:
        probe = _PARSERS[name](language, row)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"{file}, line {number}: not a row of {name} ({error!r}); get the release again") from None
    k = CHOICES[name]
    if len(probe.choices) != k or not 0 <= probe.gold < k:
        raise UserError(f"{file}, line {number}: {name} has {k} choices and a label among them; get the release again")
    found = ambiguity(probe.choices, probe.gold)
    return probe if found is None else replace(probe, tags={**probe.tags, AMBIGUOUS: found})


def _csqa(language: str, row: Row) -> Probe:
    question = row["question"]
    choices = question["choices"]
    gold = choices["label"].index(row["answerKey"])
    return Probe(str(row["id"]), language, _text(question["stem"]), _texts(choices["text"]), gold)


def _copa(language: str, row: Row) -> Probe:
    asks = row["question"]
    premise = _text(row["premise"])
    connector = _connectors()[language][asks]
    space = "" if language in ("zh", "ja") else " "
    return Probe(
        str(row["id"]),
        language,
        f"{premise.strip()}{space}{connector}",
        _texts([row["choice1"], row["choice2"]]),
        int(row["label"]),
        {ADAPTED: "culture"} if row.get("changed") else {},
        {"premise": premise, "asks": asks},
    )


def _entity(language: str, row: Row) -> Probe:
    return Probe(str(row["id"]), language, _text(row["questions"]), _texts(row["answers"]), int(row["label"]))


_PARSERS = {"x_csqa": _csqa, "x_copa": _copa, "x_geo": _entity, "x_name": _entity}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, got {value!r}")
    return value


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError(f"a list was expected, got {values!r}")
    return tuple(_text(value) for value in values)


@cache
def _connectors() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads(resources.files("clika_client.sets").joinpath("connectors.toml").read_text("utf-8"))


def _mark_flipped(probes: list[Probe]) -> list[Probe]:
    """Tag the versions that ask for the effect where most languages ask for the cause, or the reverse."""
    asked: dict[str, Counter[str]] = {}
    for probe in probes:
        asked.setdefault(probe.item_id, Counter())[probe.fields["asks"]] += 1
    usual = {item_id: votes.most_common(1)[0][0] for item_id, votes in asked.items()}
    return [
        p if p.fields["asks"] == usual[p.item_id] else replace(p, tags={**p.tags, ADAPTED: "flipped"}) for p in probes
    ]


def _with_sentence(probe: Probe, sentences: Mapping[str, str]) -> Probe:
    """COPA's published prompts ask with a sentence of their own, kept beside the premise."""
    if "asks" not in probe.fields:
        return probe
    return replace(probe, fields={**probe.fields, "connector": sentences[probe.fields["asks"]]})


_COUNTRY = re.compile(r" of (?P<country>.+?) is ")
"""Every question of x_geo asks which division of a country a place is in."""


def _countries(english: Sequence[Probe]) -> list[str | None]:
    """The country each question is about: who knows one of its places is likely to know the others."""
    found = (_COUNTRY.search(probe.question) for probe in english)
    return [None if match is None else match["country"] for match in found]


def _items(name: str, first: str, probes: list[Probe], rows: Mapping[str, list[Row]]) -> list[Item]:
    """The items in the first language's order, with what is known of each beyond its texts."""
    versions = [probe for probe in probes if probe.language == first]
    english = [probe for probe in probes if probe.language == "en"]
    people = same_name([p.question for p in english]) if name == "x_name" and len(english) == len(versions) else None
    leaks = answer_in_question(english) if name == "x_geo" else frozenset()
    countries = _countries(english) if name == "x_geo" and len(english) == len(versions) else None
    clusters = people if people is not None else countries
    items = []
    for i, (probe, row) in enumerate(zip(versions, rows[first], strict=True)):
        tags = {}
        if "original_lang" in row:
            tags["original_lang"] = str(row["original_lang"])
        if probe.item_id in leaks:
            tags["answer_in_question"] = "yes"
        items.append(Item(probe.item_id, tags, None if clusters is None else clusters[i]))
    return items
