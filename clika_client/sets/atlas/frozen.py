"""Loads atlas from its frozen data: names, items and wording become Probes, without its sources at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from clika_client.common.errors import UserError
from clika_client.sets.atlas.curated import DATA
from clika_client.sets.atlas.row import MOST, AtlasItem, K, from_line, literal, sides
from clika_client.sets.atlas.wording import CONTROLS, FACTS, Wording
from clika_client.sets.atlas.wording import read as read_wording
from clika_client.sets.probes import EXAMPLE_TAG, LABELLED, Item, Probe, ProbeSet

RELATIONS_OF = {"atlas": FACTS, "atlas-names": CONTROLS}
"""The two sets that the frozen items make up: what is asked, and the controls."""


def languages() -> tuple[str, ...]:
    """Tags of the frozen languages: the ten of the paper first, then alphabetically."""
    return tuple(_manifest()["languages"])


def load(
    languages: Sequence[str] | None = None,
    *,
    name: str = "atlas",
    relations: Sequence[str] | None = None,
    k: int = K,
) -> ProbeSet:
    """`atlas`, or its controls `atlas-names`, in these languages and relations (all by default).

    With `k` = 10 each item offers ten choices, or as many as its relation has. Raises UserError for a language,
    relation or `k` that atlas does not have. Five items of each relation are not asked: they are its examples.
    """
    known = _manifest()["languages"]
    wanted = tuple(languages) if languages is not None else tuple(known)
    _check("language", wanted, known)
    _check("relation", relations or (), RELATIONS_OF[name])
    if not K <= k <= MOST:
        raise UserError(f"atlas offers {K} to {MOST} choices, not {k}")
    return _load(name, wanted, frozenset(relations or RELATIONS_OF[name]), k)


@lru_cache(maxsize=4)
def _load(name: str, wanted: Sequence[str], relations: Set[str], k: int) -> ProbeSet:
    """A set is a value that nobody changes: whoever asks again is given the same one."""
    manifest = _manifest()
    known = [row for row in rows() if row.relation in relations]
    about = {f"about:{heading}": text for heading, text in manifest["about"][name].items()}
    examples = _part(f"{name}-examples", [row for row in known if row.reserved], wanted, k)
    return replace(
        _part(name, [row for row in known if not row.reserved], wanted, k),
        meta={LABELLED: "yes", **about},
        examples=replace(examples, meta={EXAMPLE_TAG: "relation"}),
    )


def _part(name: str, some: Sequence[AtlasItem], languages: Sequence[str], k: int) -> ProbeSet:
    """Some of the items as a set."""
    manifest = _manifest()
    return ProbeSet(
        name=name,
        version=manifest["version"] + ("" if k == K else f".k{k}"),
        items=tuple(Item(row.item_id, _item_tags(row), row.cluster) for row in some),
        probes={tag: tuple(_probes(some, tag, k)) for tag in languages},
        licence=manifest["licence"],
        source=manifest["source"],
    )


def _item_tags(row: AtlasItem) -> Mapping[str, str]:
    tags = {"relation": row.relation, "region": row.region, "subregion": row.subregion, "tier": row.tier}
    tags |= {"hops": str(row.hops), "capital": row.capital, "reserved": "yes" if row.reserved else ""}
    return {name: value for name, value in tags.items() if value}


def _check(what: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    for one in wanted:
        if one not in known:
            raise UserError(f"atlas has no {what} {one!r}; it has: {', '.join(known)}")


@cache
def _manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "manifest.json").read_text("utf-8"))
    return found


@cache
def rows() -> tuple[AtlasItem, ...]:
    """Every frozen item, of both sets."""
    return tuple(from_line(line) for line in (DATA / "items.tsv").read_text("utf-8").splitlines()[1:])


class Names(dict[str, str]):
    """Entity key → name; what is written alike everywhere needs no entry."""

    def __missing__(self, key: str) -> str:
        text = literal(key)
        assert text is not None, key
        self[key] = text
        return text


@cache
def names(tag: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """(entity → name, entity → likeness to the English name) of a language."""
    lines = (DATA / "names" / f"{tag}.tsv").read_text("utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return Names({key: name for key, name, _ in rows}), {key: like for key, _, like in rows}


def _probes(rows: Sequence[AtlasItem], tag: str, k: int) -> Iterator[Probe]:
    """The items in one language. Probes share a few tag mappings: they are read, never changed."""
    wording = read_wording(tag)
    here, like = names(tag)
    partner = names(wording.partner)[0] if rows and rows[-1].relation in CONTROLS else here
    home = frozenset(_manifest()["home"][tag].split())
    frames = {relation: _frame(wording, relation) for relation in {row.relation for row in rows}}
    shared: dict[tuple[str, ...], Mapping[str, str]] = {}
    for row in rows:
        before, after, asked, shown = frames[row.relation]
        subject = (here if asked == tag else partner)[row.subject] if row.subject else ""
        choices, gold = row.offered(k)
        choice = here if shown == tag else partner
        grades = (
            like.get(row.subject, ""),
            like.get(row.choices[row.gold], ""),
            "" if not row.country else "yes" if row.country in home else "no",
            wording.partner if row.relation.startswith("translate-") else "",
        )
        if grades not in shared:
            shared[grades] = _tags(wording.script, grades)
        yield Probe(
            row.item_id, tag, f"{before}{subject}{after}", tuple([choice[key] for key in choices]), gold, shared[grades]
        )


def _tags(script: str, grades: tuple[str, ...]) -> Mapping[str, str]:
    named = ("subject_like_english", "answer_like_english", "home", "partner")
    return {"script": script} | {name: value for name, value in zip(named, grades, strict=True) if value}


def _frame(wording: Wording, relation: str) -> tuple[str, str, str, str]:
    before, _, after = wording.questions[relation].partition("{name}")
    return before, after, *sides(relation, wording)
