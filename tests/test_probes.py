"""Probe sets: what a set promises to all that comes after, and that a broken one is never built."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clika_client.common import languages
from clika_client.common.errors import UserError
from clika_client.sets.packed import from_blocks, set_digest, to_blocks
from clika_client.sets.probes import Item, Probe, ProbeSet, build


def a_set(n: int = 5, tags: tuple[str, ...] = ("en", "de", "he")) -> ProbeSet:
    items = [Item(f"q{i}", {"region": "EU"} if i % 2 else {}, f"c{i // 2}") for i in range(n)]
    probes = [
        Probe(f"q{i}", tag, f"{tag} {i}?", ("a", "b", "c"), i % 3, {"odd": "yes"} if (i, tag) == (0, "he") else {})
        for tag in tags
        for i in range(n)
    ]
    return build("mine", items, probes, reference=0.9, meta={"x": "y"})


def test_versions_of_an_item_stand_at_its_position_whatever_order_they_came_in() -> None:
    items = [Item("b"), Item("a")]
    probes = [
        Probe(i, tag, f"{i}{tag}", ("x", "y"), 0) for i, tag in [("a", "en"), ("b", "de"), ("b", "en"), ("a", "de")]
    ]
    found = build("mine", items, probes)
    assert {tag: [p.question for p in row] for tag, row in found.probes.items()} == {
        "en": ["ben", "aen"],
        "de": ["bde", "ade"],
    }
    assert (found.n, found.k, found.chance, found.languages) == (2, 2, 0.5, ("en", "de"))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ([Probe("1", "en", "?", ("x", "y"), 0)] * 2, "occurs twice in language 'en'"),
        ([], "the set is empty"),
        ([Probe("2", "en", "?", ("x", "y"), 0)], "1 of 1 items are missing in language 'en': '1'"),
        (
            [Probe("1", "en", "?", ("x", "y"), 0), Probe("1", "de", "?", ("x", "y", "z"), 0)],
            "'1' in 'de' has 3 choices, but 2 in another language",
        ),
        ([Probe("1", "en", "?", ("x", "y"), 2)], "has gold 2; it must be 0 to 1"),
        (
            [Probe("1", "en", "?", ("x", "y"), 0), Probe("1", "de", "?", ("x", "y"), 1)],
            "same order in every language",
        ),
    ],
)
def test_a_set_that_cannot_be_compared_across_languages_is_refused(changed: list[Probe], says: str) -> None:
    with pytest.raises(UserError) as error:
        build("mine", [Item("1")], changed, where="mine.jsonl")
    assert says in str(error.value)
    assert str(error.value).startswith("mine.jsonl")


def test_its_text_gives_the_same_set_back() -> None:
    found = a_set()
    assert from_blocks(to_blocks(found)) == found
    assert set_digest(from_blocks(to_blocks(found))) == set_digest(found)


def test_the_digest_changes_with_every_part_of_the_content() -> None:
    found = a_set()
    first = found.probes["en"][0]
    others = [
        replace(found, name="yours"),
        replace(found, version="2"),
        replace(found, reference=None),
        replace(found, meta={}),
        replace(found, items=(replace(found.items[0], cluster=None), *found.items[1:])),
        *(
            replace(found, probes={**found.probes, "en": (changed, *found.probes["en"][1:])})
            for changed in (
                replace(first, question="?"),
                replace(first, choices=("a", "b", "d")),
                replace(first, gold=1),
                replace(first, tags={"a": "b"}),
                replace(first, fields={"a": "b"}),
            )
        ),
        found.select(["en", "de"]),
        found.select(limit=4),
    ]
    assert len({set_digest(found), *(set_digest(other) for other in others)}) == len(others) + 1


@given(n=st.integers(1, 30), limit=st.integers(1, 40), seed=st.integers(0, 5))
def test_a_limit_takes_the_same_items_in_every_language_in_the_sets_order(n: int, limit: int, seed: int) -> None:
    found = a_set(n)
    part = found.select(limit=limit, seed=seed)
    ids = [item.item_id for item in part.items]
    assert len(ids) == min(n, limit)
    assert ids == [item.item_id for item in found.items if item.item_id in set(ids)]
    assert all([p.item_id for p in part.probes[tag]] == ids for tag in found.languages)
    assert part == found.select(limit=limit, seed=seed)


def test_languages_come_in_the_order_asked_for_and_unknown_ones_are_refused() -> None:
    assert a_set().select(["he", "en"]).languages == ("he", "en")
    with pytest.raises(UserError, match="has no language 'fr'; it has: en, de, he"):
        a_set().select(["fr"])
    with pytest.raises(UserError, match="--limit must be at least 1"):
        a_set().select(limit=0)


# ---- languages


@pytest.mark.parametrize(
    ("given_", "tag"),
    [
        ("EN", "en"),
        ("zh_CN", "zh-CN"),
        ("ZH-hant-tw", "zh-Hant-TW"),
        ("deu", "de"),
        ("ger", "de"),
        ("pt-br", "pt-BR"),
        ("es-419", "es-419"),
        ("iw", "he"),
        ("sl-rozaj", "sl-rozaj"),
        (" fil ", "fil"),
        ("en-x-Plain", "en-x-plain"),
    ],
)
def test_a_language_is_spelled_as_bcp_47_has_it(given_: str, tag: str) -> None:
    assert languages.canonical(given_) == tag
    assert languages.canonical(tag) == tag


@pytest.mark.parametrize("given_", ["", "Germanic", "x", "de DE", "12", "de--DE", "../de", "de\n-DE", "ｅｎ"])
def test_what_is_no_language_tag_is_refused_with_the_cure(given_: str) -> None:
    with pytest.raises(UserError, match="is not a language tag"):
        languages.canonical(given_)


@pytest.mark.parametrize(
    ("given_", "tag"),
    [
        ("eng_Latn", "en"),
        ("swh_Latn", "sw"),
        ("swh", "sw"),
        ("arb_Arab", "ar"),
        ("arb_Latn", "ar-Latn"),
        ("npi_Deva", "ne"),
        ("npi_Latn", "ne-Latn"),
        ("kor_Hang", "ko"),
        ("jpn_Jpan", "ja"),
        ("zho_Hans", "zh"),
        ("zho_Hant", "zh-Hant"),
        ("srp_Cyrl", "sr"),
        ("pbt_Arab", "ps"),
        ("als_Latn", "sq"),
        ("gaz_Latn", "om"),
        ("jap", "ja"),
        ("AR-XY", "ar"),
        ("ES_LA", "es-419"),
        ("por_latn_braz", "pt-BR"),
        ("srp_cyrl_torl", "sr-x-torl"),
        ("farsi", "fa"),
        ("simplified_mandarin", "zh"),
        ("North Macedonian", "mk"),
        ("hebrew", "he"),
        ("no", "no"),
        ("nob", "nb"),
        ("ary_Arab", "ary"),
    ],
)
def test_the_codes_and_names_of_benchmarks_become_one_tag(given_: str, tag: str) -> None:
    assert languages.canonical(given_) == tag
    assert languages.canonical(tag) == tag


@pytest.mark.parametrize(
    ("tag", "script", "direction"),
    [
        ("he", "Hebr", "rtl"),
        ("fa", "Arab", "rtl"),
        ("ur-PK", "Arab", "rtl"),
        ("pa-Arab", "Arab", "rtl"),
        ("az-Cyrl-AZ", "Cyrl", "ltr"),
        ("zh", "Hans", "ltr"),
        ("zh-TW", "Hant", "ltr"),
        ("zh-Hant-HK", "Hant", "ltr"),
        ("am", "Ethi", "ltr"),
        ("tlh", None, "ltr"),
    ],
)
def test_script_and_direction_follow_from_the_tag(tag: str, script: str | None, direction: str) -> None:
    assert (languages.script(tag), languages.direction(tag)) == (script, direction)


def test_names_scripts_and_directions_agree_with_cldr() -> None:
    core = pytest.importorskip("babel.core", reason="babel is not installed")
    english = core.Locale("en").languages
    likely = core.get_global("likely_subtags")
    checked = 0
    for tag in sorted(t for t in english if languages.script(t) is not None and "_" not in t):
        subtags = likely.get(tag, "").split("_")
        assert len(subtags) == 3, tag
        assert (languages.name(tag), languages.script(tag)) == (english[tag], subtags[1])
        if core.localedata.exists(tag):
            order = core.Locale.parse(tag).character_order
            assert languages.direction(tag) == ("rtl" if order == "right-to-left" else "ltr")
        checked += 1
    assert checked >= 80
