"""Runs of an older atlas keep their own questions: they are scored as that atlas, apart from the present one."""

from __future__ import annotations

from pathlib import Path

import pytest

from clika_client import api
from clika_client.asking.settings import Asking
from clika_client.scoring.chosen import Wanted
from clika_client.scoring.load import load
from clika_client.scoring.score import Options
from clika_client.sets import atlas
from clika_client.sets.demo import GGUF
from clika_client.sets.probes import Item, Probe, ProbeSet, build
from clika_client.store.store import Store
from clika_providers import ProviderOptions

QUICK = Options(bootstrap=0)


def first_atlas() -> ProbeSet:
    """Six items of atlas 1, with the wrong choices and the tags that they had."""
    asked = {
        "Europe/Paris": ("Paris", "Paris", ("Greece", "France", "Serbia", "Iceland"), 1),
        "Europe/Rome": ("Rome", "Rome", ("Italy", "Norway", "Malta", "Austria"), 0),
        "Europe/Madrid": ("Madrid", "Madrid", ("Latvia", "Poland", "Spain", "Ireland"), 2),
        "Europe/Berlin": ("Berlin", "Berlin", ("Croatia", "Sweden", "Finland", "Germany"), 3),
        "Africa/Nairobi": ("Nairobi", "Nairobi", ("Kenya", "Ghana", "Chad", "Togo"), 0),
        "Asia/Tokyo": ("Tokyo", "Tokio", ("Nepal", "Qatar", "Japan", "Laos"), 2),
    }
    items = [
        Item(f"city-country:{zone}", {"relation": "city-country", "region": "-", "subregion": "-"}) for zone in asked
    ]
    probes = []
    for zone, (english, german, choices, gold) in asked.items():
        texts = {"en": f"City: {english}. Which country is this city in?"}
        texts["de"] = f"Stadt: {german}. In welchem Land liegt diese Stadt?"
        probes += [
            Probe(f"city-country:{zone}", tag, text, choices, gold, {"script": "Latn", "name_as_in_english": "yes"})
            for tag, text in texts.items()
        ]
    return build("atlas", items, probes, version="1+cldr47", licence="Unicode-3.0", source="Unicode CLDR 47")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with a run of atlas 1."""
    pytest.importorskip("llama_cpp", reason="needs llama-cpp-python: pip install 'clika-client[local]'")
    ask([first_atlas()], tmp_path / "clika.db")
    return tmp_path / "clika.db"


def ask(sets: list[ProbeSet], db: Path) -> api.RunReport:
    return api.run(
        sets,
        [f"gguf/{GGUF.name}"],
        db=db,
        languages=["en", "de"],
        asking=Asking(ask="logprobs"),
        provider=ProviderOptions(models_dir=GGUF.parent),
        scoring=QUICK,
    )


def versions(db: Path, which: str | None) -> dict[str, int]:
    """Version of the set that each row of scores is computed from → its items."""
    with Store(db, read_only=True) as store:
        loaded = load(store, Wanted(set_version=which))
    return {loaded.sets[block.key.set_id].version: loaded.sets[block.key.set_id].n for block in loaded.blocks}


def figures(db: Path, which: str) -> list[tuple[object, ...]]:
    records = api.score(db, wanted=Wanted(set_version=which), scoring=QUICK).to_records()
    return [
        tuple(record[name] for name in ("language", "n", "accuracy", "ra", "en_co", "agreement")) for record in records
    ]


def test_a_run_of_atlas_1_is_scored_from_its_own_questions(database: Path) -> None:
    assert versions(database, None) == {"1+cldr47": 6}
    rows = api.score(database, scoring=QUICK).to_records()
    assert {(row["set"], row["language"], row["n"]) for row in rows} == {("atlas", "en", 6), ("atlas", "de", 6)}


def test_both_versions_in_one_database_are_rows_of_their_own(database: Path) -> None:
    before = figures(database, "all")
    now = atlas.load(["en", "de"], relations=["official-language"])
    ask([now], database)
    assert versions(database, "all") == {"1+cldr47": 6, now.version: now.n}
    assert versions(database, None) == {now.version: now.n}  # the newest, which the report says
    assert figures(database, "1") == before
    assert len(figures(database, "all")) == 4
