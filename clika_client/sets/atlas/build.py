"""Writes the frozen data of atlas from CLDR, the curated tables and the wording: the same bytes every time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from clika_client.sets.atlas import cldr, curated, items, relations, row, wording
from clika_client.sets.atlas.curated import CONTINENTS, Curated, Place
from clika_client.sets.atlas.items import Sieve
from clika_client.sets.atlas.relations import Candidate, Dropped
from clika_client.sets.atlas.row import K, Row

Filled = tuple[Candidate, tuple[str, ...]]
"""A fact with its wrong choices."""

VERSION = "1"
"""Of the set's making: raise it when facts, filters or wording change."""

CONTROL = ("translate-out", "translate-in")
CONTROL_OF_A_KIND = 30
"""So many countries and so many cities stand in the control task, each in both directions."""
CONTROL_NEVER = {"territory:CN", "territory:GB", "territory:OM", "zone:Asia/Amman"}
"""China and Britain, whose names the questions bring to mind by naming their languages; Oman and Amman, whose names are
letters within a word of the Romanian and the Portuguese question."""


def build(out_dir: Path | str = curated.DATA) -> list[Path]:
    """Write names/*.tsv, items.tsv, excluded.tsv and manifest.json under `out_dir`; return their paths.

    Raises UserError when the pinned babel is not installed.
    """
    babel, release = cldr.versions()
    tables = curated.read()
    wordings = {tag: wording.read(tag) for tag in wording.languages()}

    @cache
    def name(language: str, key: str) -> str | None:
        return wordings[language].spelling.get(key) or cldr.entity_name(language, key)

    rows, dropped = _rows(tables, Sieve(tuple(wordings.values()), name))
    shown = sorted({key for one in rows for key in (one.subject, *one.choices)})
    manifest = {
        "name": "atlas",
        "version": f"{VERSION}+cldr{release}",
        "cldr": release,
        "babel": babel,
        "licence": "Unicode-3.0",
        "items": len(rows),
        "languages": list(wordings),
        "absent": {},
    }
    files = {
        "items.tsv": "\n".join([row.HEADER, *map(row.to_line, rows)]) + "\n",
        "excluded.tsv": _tsv("item_id\treason", sorted((d.item_id, d.reason) for d in dropped)),
        "manifest.json": json.dumps(manifest, indent=1, ensure_ascii=False) + "\n",
    }
    for tag in wordings:
        files[f"names/{tag}.tsv"] = _tsv("entity\tname", ((key, name(tag, key) or "") for key in shown))
    return _write(Path(out_dir), files)


def _rows(tables: Curated, sieve: Sieve) -> tuple[list[Row], list[Dropped]]:
    """All items in their final order, and all facts left out."""
    kept, dropped = _filled(_capped(items.screen(relations.facts(tables), sieve), tables), sieve, tables)
    control = _control(kept, sieve, tables)
    kept += control
    rows: list[Row] = []
    for relation in wording.RELATIONS:
        rows += items.place([pair for pair in kept if pair[0].relation == relation], CONTINENTS)
    return rows, dropped


def _capped(screened: Iterable[Candidate | Dropped], tables: Curated) -> list[Candidate | Dropped]:
    """At most `city_cap` cities of a country, the preferred ones first, then CLDR's order."""
    known = list(screened)
    cities: dict[str, list[str]] = {}
    for one in known:
        if isinstance(one, Candidate) and one.relation == "city-country":
            cities.setdefault(one.cluster, []).append(one.subject.partition(":")[2])
    taken: set[str] = set()
    for country, zones in cities.items():
        wanted = tables.city_preference.get(country, ())
        order = sorted(zones, key=lambda zone: (wanted.index(zone) if zone in wanted else len(wanted), zone))
        taken.update(f"city-country:{zone}" for zone in order[: tables.city_cap])
    return [
        Dropped(one.item_id, f"{tables.city_cap} cities of the country are taken")
        if isinstance(one, Candidate) and one.relation == "city-country" and one.item_id not in taken
        else one
        for one in known
    ]


def _filled(
    screened: Iterable[Candidate | Dropped], sieve: Sieve, tables: Curated
) -> tuple[list[Filled], list[Dropped]]:
    """Candidates with their wrong choices, and what was dropped before or here."""
    kept: list[Filled] = []
    dropped: list[Dropped] = []
    for one in screened:
        if isinstance(one, Dropped):
            dropped.append(one)
        elif (wrong := items.draw(one, sieve, tables.never_together)) is None:
            dropped.append(Dropped(one.item_id, f"fewer than {K - 1} fit wrong choices"))
        else:
            kept.append((one, wrong))
    return kept, dropped


def _control(kept: Iterable[Filled], sieve: Sieve, tables: Curated) -> list[Filled]:
    """The control task asks for names that the city-country items use: the ones a wrong answer may be due to."""
    places: dict[str, tuple[Place, str]] = {}
    for candidate, _wrong in kept:
        if candidate.relation == "city-country":
            places[candidate.subject] = places[candidate.answer] = (candidate.place, candidate.cluster)
    named = sorted(places.keys() - CONTROL_NEVER)
    fit, _ = _filled(
        items.screen(relations.translations(((key, *places[key]) for key in named), CONTROL), sieve), sieve, tables
    )
    both = [key for key in named if sum(candidate.subject == key for candidate, _ in fit) == len(CONTROL)]
    chosen = {
        key
        for kind in ("territory:", "zone:")
        for key in items.first((key for key in both if key.startswith(kind)), "control", CONTROL_OF_A_KIND)
    }
    return [pair for pair in fit if pair[0].subject in chosen]


def _tsv(header: str, rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join([header, *("\t".join(cells) for cells in rows)]) + "\n"


def _write(out_dir: Path, files: Mapping[str, str]) -> list[Path]:
    """Each file appears whole or not at all."""
    (out_dir / "names").mkdir(parents=True, exist_ok=True)
    written = []
    for relative, text in files.items():
        path = out_dir / relative
        partial = path.with_name(path.name + ".part")
        partial.write_bytes(text.encode())
        os.replace(partial, path)
        written.append(path)
    return written
