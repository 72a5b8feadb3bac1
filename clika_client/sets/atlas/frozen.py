"""Loads atlas from its frozen data: names, items and wording become Probes, without CLDR at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from clika_client.common.errors import UserError
from clika_client.sets.atlas.curated import DATA
from clika_client.sets.atlas.row import Row, from_line, sides
from clika_client.sets.atlas.wording import RELATIONS, Wording
from clika_client.sets.atlas.wording import read as read_wording
from clika_client.sets.probes import Item, Probe, ProbeSet


def languages() -> tuple[str, ...]:
    """Tags of the frozen languages: the ten of the paper first, then alphabetically."""
    return tuple(_manifest()["languages"])


def load(languages: Sequence[str] | None = None, *, relations: Sequence[str] | None = None) -> ProbeSet:
    """The set in these languages (all by default), with these relations (all by default).

    Raises UserError for a language or relation that atlas does not have.
    """
    manifest = _manifest()
    wanted = tuple(languages) if languages is not None else tuple(manifest["languages"])
    _check("language", wanted, manifest["languages"])
    _check("relation", relations or (), RELATIONS)
    rows = [row for row in _rows() if relations is None or row.relation in relations]
    return ProbeSet(
        name=manifest["name"],
        version=manifest["version"],
        items=tuple(
            Item(
                row.item_id,
                {"relation": row.relation, "region": row.region, "subregion": row.subregion},
                row.cluster,
            )
            for row in rows
        ),
        probes={tag: tuple(_probes(rows, tag)) for tag in wanted},
        licence=manifest["licence"],
        source=f"Unicode CLDR {manifest['cldr']}, © 2004-2025 Unicode, Inc.",
    )


def _check(what: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    for one in wanted:
        if one not in known:
            raise UserError(f"atlas has no {what} {one!r}; it has: {', '.join(known)}")


def _manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "manifest.json").read_text("utf-8"))
    return found


def _rows() -> list[Row]:
    return [from_line(line) for line in (DATA / "items.tsv").read_text("utf-8").splitlines()[1:]]


def _names(tag: str) -> dict[str, str]:
    lines = (DATA / "names" / f"{tag}.tsv").read_text("utf-8").splitlines()[1:]
    return {key: name for key, _, name in (line.partition("\t") for line in lines)}


def _probes(rows: Sequence[Row], tag: str) -> Iterator[Probe]:
    """The items in one language. Probes share two tag mappings: they are read, never changed."""
    wording = read_wording(tag)
    names = {tag: _names(tag)}
    for other in ("en", wording.partner):
        names.setdefault(other, names[tag] if other == tag else _names(other))
    english = names["en"]
    tags = {same: {"script": wording.script, "name_as_in_english": same} for same in ("yes", "no")}
    frames = {relation: _frame(wording, relation) for relation in RELATIONS}
    for row in rows:
        before, after, asked, shown = frames[row.relation]
        name, choice = names[asked][row.subject], names[shown]
        same = "yes" if names[tag][row.subject] == english[row.subject] else "no"
        yield Probe(
            row.item_id,
            tag,
            f"{before}{name}{after}",
            tuple([choice[key] for key in row.choices]),
            row.gold,
            tags[same],
        )


def _frame(wording: Wording, relation: str) -> tuple[str, str, str, str]:
    before, _, after = wording.questions[relation].partition("{name}")
    return before, after, *sides(relation, wording)
