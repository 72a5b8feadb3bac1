"""Writes the frozen data of atlas from its sources, the curated tables and the wording: the same bytes every time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from clika_client.common.files import replacing
from clika_client.sets.atlas import about, cldr, curated, items, row, sources, tiers, wording
from clika_client.sets.atlas.balance import share_out
from clika_client.sets.atlas.candidates import Candidate, ExcludedFact, Known
from clika_client.sets.atlas.comparisons import comparisons
from clika_client.sets.atlas.controls import controls
from clika_client.sets.atlas.curated import CONTINENTS, Curated
from clika_client.sets.atlas.draw import Filled, hashed
from clika_client.sets.atlas.frozen import Names
from clika_client.sets.atlas.items import NameOf, Sieve
from clika_client.sets.atlas.relations import OF_CITIES, STATED
from clika_client.sets.atlas.row import MOST, AtlasItem, K
from clika_client.sets.fictional.text import similarity

VERSION = "2"
"""Of the set's making. The full version ends with a hash of everything asked, so that no change goes unnoticed."""
SEED = "atlas 2"
"""Part of every draw; changing it makes another set."""
RESERVED = 5
"""Items of each relation that are set aside for examples in prompts."""
NEAR = 0.75
"""Names that share this much with the English one (1 - edit distance / longer length) are near it."""


def build(out_dir: Path | str = curated.DATA, *, facts: sources.Facts | None = None) -> list[Path]:
    """Write facts.tsv, names/*.tsv, items.tsv, excluded.tsv and manifest.json under `out_dir`; return their paths.

    `facts` are read from the pinned packages unless given; names always come from babel. Raises UserError when a
    package that is needed is not as pinned.
    """
    sources.check_pinned(("babel",) if facts is not None else tuple(sources.PINNED))
    tables = curated.read()
    facts = sources.facts(tables) if facts is None else facts
    wordings = {tag: wording.read(tag) for tag in wording.languages()}

    @cache
    def name(language: str, key: str) -> str | None:
        return wordings[language].spelling.get(key) or cldr.entity_name(language, key)

    rows, dropped = _rows(Known(tables, facts), Sieve(tuple(wordings.values()), name))
    shown = sorted({key for one in rows for key in (one.subject, *one.choices, *one.more) if key} - _literals(rows))
    files = {
        "facts.tsv": _tsv("fact\tvalue", facts.items()),
        "items.tsv": "\n".join([row.HEADER, *map(row.to_line, rows)]) + "\n",
        "excluded.tsv": _tsv("item_id\treason", sorted((d.item_id, d.reason) for d in dropped)),
    }
    names: dict[str, Names] = {}
    for tag, one in wordings.items():
        names[tag] = Names({key: name(tag, key) or "" for key in shown})
        named = ((key, names[tag][key], likeness(name, one, key)) for key in shown)
        files[f"names/{tag}.tsv"] = _tsv("entity\tname\tlike_english", named)
    asked = [text for one in wordings.values() for text in (one.language, *one.questions.values())]
    manifest = {
        "version": version_of([*files.values(), *asked]),
        "sources": {package: f"{version} ({sources.AS_OF[package]})" for package, version in sources.PINNED.items()},
        "licence": "Unicode-3.0 AND CC-BY-4.0",
        "source": "Unicode CLDR 47 (© 2004-2025 Unicode, Inc.), GeoNames, holidays, phonenumbers, tz database",
        "items": len(rows),
        "languages": list(wordings),
        "home": {tag: " ".join(_homes(tag, facts, tables)) for tag in wordings},
        "about": about.texts(rows, tables, names, sum(_put_right(one, names[tag]) for tag, one in wordings.items())),
    }
    files["manifest.json"] = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    return _write(Path(out_dir), files)


def _put_right(one: wording.Wording, names: Names) -> int:
    """How many of the names shown are spelt otherwise than in CLDR."""
    return sum(key in names and cldr.entity_name(one.language, key) != text for key, text in one.spelling.items())


def _literals(rows: Iterable[AtlasItem]) -> set[str]:
    keys = {key for one in rows for key in (one.subject, *one.choices, *one.more)}
    return {key for key in keys if key and row.literal(key) is not None}


def version_of(texts: Iterable[str]) -> str:
    """The version of atlas with these files and questions; 8 hex digits of it are a hash over all of them.

    So a changed item, name or question is another version, whether or not anyone thought of raising the number.
    """
    made = hashlib.blake2b(digest_size=4)
    for text in texts:
        made.update(text.encode() + b"\0")
    return f"{VERSION}+cldr{cldr.versions()[1]}.{made.hexdigest()}"


def likeness(name: NameOf, wording: wording.Wording, key: str) -> str:
    """How near a name is to the English one: `same` (but for accents), `near`, `far`, `none` in another script."""
    if wording.script != "Latn":
        return "none"
    shared = similarity(name(wording.language, key) or "", name("en", key) or "")
    return "same" if shared == 1 else "near" if shared >= NEAR else "far"


def _homes(tag: str, facts: sources.Facts, tables: Curated) -> Iterator[str]:
    """Countries where a language is official somewhere, or spoken by a fifth."""
    for code in sorted(tables.countries):
        kinds = ("official", "de-facto-official", "official-regional", "widely-spoken")
        if any(tag in facts.get(f"{kind}:{code}", "").split() for kind in kinds):
            yield code


def _rows(known: Known, sieve: Sieve) -> tuple[list[AtlasItem], list[ExcludedFact]]:
    """All items in their final order, and all facts left out."""
    kept: dict[str, list[Filled]] = {}
    dropped: list[ExcludedFact] = []
    tier: dict[str, str] = {}
    held: dict[str, list[Filled]] = {}
    for state in STATED:
        screened = items.screen(state(known), sieve)
        fit: list[Candidate] = []
        for one in _capped(screened, known.curated):
            (dropped if isinstance(one, ExcludedFact) else fit).append(one)  # type: ignore[arg-type]
        seed = _seed(fit[0].relation, known.curated)
        shared = share_out(fit, sieve, known.curated.never_together, seed, RESERVED)
        kept[fit[0].relation] = shared.asked
        held[fit[0].relation] = shared.examples
        dropped += shared.dropped
    cities = {one.candidate.subject for one in kept["utc-offset"]} | {
        one.candidate.subject for one in kept["city-country"]
    }

    def fit_to_compare(key: str) -> bool:
        return sieve.unfit(key) is None and (key.startswith("territory:") or key in cities)

    for compared in comparisons(known, fit_to_compare, SEED):
        if sieve.distinct(compared.candidate.relation, (compared.candidate.answer, *compared.wrong)):
            kept.setdefault(compared.candidate.relation, []).append(
                Filled(compared.candidate, compared.wrong[:3], compared.wrong[3:])
            )
            tier[compared.candidate.item_id] = compared.tier
    for filled in controls(kept["city-country"], sieve, known.curated, _seed("controls", known.curated)):
        kept[filled[0].candidate.relation] = filled
    rows: list[AtlasItem] = []
    for relation in wording.RELATIONS:
        asked, examples = (kept[relation], held[relation]) if relation in held else _reserved(kept[relation])
        candidates = [one.candidate for one in (*asked, *examples)]
        if relation not in wording.NAMELESS:
            tier |= tiers.tiers(candidates, _base(relation, known.curated), known.facts)
        for part, reserved in ((asked, False), (examples, True)):
            rows += _placed(sorted(part, key=lambda one: one.candidate.item_id), tier, known, reserved=reserved)
    return rows, dropped


def _seed(relation: str, tables: Curated) -> str:
    """The seed of a relation's draw."""
    number = tables.draws.get(relation, 0)
    return f"{SEED} {number}" if number else SEED


def _capped(screened: Iterable[Candidate | ExcludedFact], tables: Curated) -> list[Candidate | ExcludedFact]:
    """At most `city_cap` cities of a country, the preferred ones first, then the order of the alphabet."""
    known = list(screened)
    cities: dict[str, list[str]] = {}
    for one in known:
        if isinstance(one, Candidate) and one.relation in OF_CITIES:
            cities.setdefault(one.country, []).append(one.subject.partition(":")[2])
    taken: set[str] = set()
    for country, zones in cities.items():
        wanted = tables.city_preference.get(country, ())
        order = sorted(zones, key=lambda zone: (wanted.index(zone) if zone in wanted else len(wanted), zone))
        taken.update(order[: tables.city_cap])
    return [
        ExcludedFact(one.item_id, f"{tables.city_cap} cities of the country are taken")
        if isinstance(one, Candidate) and one.relation in OF_CITIES and one.subject.partition(":")[2] not in taken
        else one
        for one in known
    ]


def _base(relation: str, tables: Curated) -> str:
    return tiers.base(relation, tables.measured, tables.unmeasured)


def _reserved(filled: Sequence[Filled]) -> tuple[list[Filled], list[Filled]]:
    """(asked, reserved for examples), drawn by hash."""
    drawn = sorted(filled, key=lambda one: hashed(SEED, "reserved", one.candidate.item_id))[:RESERVED]
    return [one for one in filled if one not in drawn], drawn


def _placed(filled: Sequence[Filled], tier: Mapping[str, str], known: Known, *, reserved: bool) -> list[AtlasItem]:
    """Rows of one relation: the right answer at each position equally often."""
    ids = [one.candidate.item_id for one in filled]
    four = items.positions(ids, K, lambda item_id: hashed(SEED, "gold", item_id))
    ten = items.positions(ids, MOST, lambda item_id: hashed(SEED, "gold of ten", item_id))
    return [
        _row(one, tier[one.candidate.item_id], four[one.candidate.item_id], ten[one.candidate.item_id], known, reserved)
        for one in filled
    ]


def _row(one: Filled, tier: str, at: int, of_most: int, known: Known, reserved: bool) -> AtlasItem:
    candidate = one.candidate
    # Drawn nearest first; shown in the order of a hash, which tells nothing.
    wrong = sorted(one.wrong, key=lambda key: hashed(SEED, "shown", candidate.item_id, key))
    kind, _, code = candidate.subject.partition(":")
    made = AtlasItem(
        item_id=candidate.item_id,
        relation=candidate.relation,
        subject=candidate.subject,
        choices=(*wrong[:at], candidate.answer, *wrong[at:]),
        gold=at,
        more=one.more,
        gold_of_most=of_most,
        region=CONTINENTS.get(candidate.place.continent, ""),
        subregion=candidate.place.subregion,
        country=candidate.country,
        cluster=candidate.cluster,
        tier=tier,
        hops=2 if candidate.relation.startswith("city-") and candidate.relation != "city-country" else 1,
        capital="",
        reserved=reserved,
    )
    if kind != "zone":
        return made
    return replace(made, capital="yes" if known.facts.get(f"capital:{candidate.country}") == code else "no")


def _tsv(header: str, rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join([header, *("\t".join(cells) for cells in rows)]) + "\n"


def _write(out_dir: Path, files: Mapping[str, str]) -> list[Path]:
    """Each file appears whole or not at all."""
    (out_dir / "names").mkdir(parents=True, exist_ok=True)
    written = []
    for relative, text in files.items():
        path = out_dir / relative
        with replacing(path) as part:
            part.write_bytes(text.encode())
        written.append(path)
    return written
