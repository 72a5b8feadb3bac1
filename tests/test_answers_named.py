"""Which name a free-text answer gives: inflected forms count, other names and ordinary words do not."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clika_client.answers.cells import REASONS
from clika_client.answers.open.named import Matcher
from clika_client.conductivity import asking
from clika_client.conductivity.build import TeachingPlan, build
from clika_client.conductivity.material import TEST
from clika_client.conductivity.question_sets import sets_of_parts
from clika_client.conductivity.trials import read_names
from clika_client.sets import fictional
from clika_client.sets.fictional.inflection import inflection
from clika_client.store.store import Store
from clika_providers import MockProvider

POLISH = ("Mitozja", "Wiwidora", "Galaktyka", "Kosmoluks")
RUSSIAN = ("Мифосия", "Вивидора", "Галактис", "Этериум", "Этера", "Старая Крепость")
HEBREW = ("מיתוסיה", "גלקטיס", "לורהייבן")


@pytest.mark.parametrize(
    ("language", "names", "reply", "expected"),
    [
        # The nominative, in any case, with any accents, anywhere in the sentence.
        ("de", ("Mythosien", "Galaktis"), "Der Kontinent heißt MYTHOSIEN.", "Mythosien"),
        ("fr", ("Éthéra", "Vortexie"), "C'est l'Ethera !", "Éthéra"),
        ("it", ("Mitosia", "Eterìa"), "eteria", "Eterìa"),
        ("de", ("Mythosien", "Galaktis"), "Es liegt inmitten Mythosiens", "Mythosien"),
        # Polish: locative, instrumental, genitive; the softened stem of a name in -ra.
        ("pl", POLISH, "Leży w Mitozji.", "Mitozja"),
        ("pl", POLISH, "Graniczy z Mitozją", "Mitozja"),
        ("pl", POLISH, "Leży w Wiwidorze.", "Wiwidora"),
        ("pl", POLISH, "na kontynencie Kosmoluksie", "Kosmoluks"),
        ("pl", POLISH, "częścią Galaktyki", "Galaktyka"),
        # Russian: prepositional, genitive, instrumental; an adjective and its noun; two names with one beginning.
        ("ru", RUSSIAN, "Это место находится в Мифосии.", "Мифосия"),
        ("ru", RUSSIAN, "в Галактисе", "Галактис"),
        ("ru", RUSSIAN, "рядом с Вивидорой", "Вивидора"),
        ("ru", RUSSIAN, "часть Этериума", "Этериум"),
        ("ru", RUSSIAN, "часть Этеры", "Этера"),
        ("ru", RUSSIAN, "в Старой Крепости", "Старая Крепость"),
        # Hebrew: prepositions and the conjunction are written together with the name.
        ("he", HEBREW, "המקום נמצא במיתוסיה.", "מיתוסיה"),
        ("he", HEBREW, "זה שבגלקטיס", "גלקטיס"),
        ("he", HEBREW, "שייך ללורהייבן", "לורהייבן"),
        ("ar", ("ميثوسيا", "غالاكتيس"), "يقع في القارة بميثوسيا", "ميثوسيا"),
        ("fi", ("Makendamaa", "Nenzevomaa"), "Se on Makendamaassa.", "Makendamaa"),
        ("hu", ("Makendaföld",), "Makendaföldön", "Makendaföld"),
        ("tr", ("Makendadiyar",), "Makendadiyar'da", "Makendadiyar"),
        # No spaces between words, or a particle without one.
        ("zh", ("马克恩达", "内恩泽沃"), "它位于马克恩达洲。", "马克恩达"),
        ("ja", ("マケンダ", "ネンゼヴォ"), "マケンダ大陸にあります", "マケンダ"),
        ("ko", ("마켄다", "넨제보"), "마켄다에 있습니다", "마켄다"),
        ("th", ("มาเคนดา",), "อยู่ในทวีปมาเคนดาครับ", "มาเคนดา"),
    ],
)
def test_a_name_is_found_in_the_forms_a_sentence_gives_it(
    language: str, names: tuple[str, ...], reply: str, expected: str
) -> None:
    match = Matcher(names, language).match(reply)
    assert match.index is not None
    assert names[match.index] == expected


@pytest.mark.parametrize(
    ("language", "names", "reply", "reason"),
    [
        ("pl", POLISH, "Nie wiem, jaki to kontynent.", "none"),
        ("pl", POLISH, "Mito", "none"),
        ("pl", POLISH, "Mitologia", "none"),  # shares four letters with Mitozja, not five
        ("ru", RUSSIAN, "Это мифология.", "none"),
        ("ru", RUSSIAN, "Крепость", "none"),  # half of a name of two words
        ("he", HEBREW, "אינני יודע", "none"),
        ("he", HEBREW, "במיתוס", "none"),
        ("en", ("Mythosia", "Galactis"), "Mythosian hills", "none"),  # English does not decline: no form of the name
        ("en", ("Mythosia", "Galactis"), "Mythosia or Galactis", "multiple"),
        ("en", ("Mythosia", "Galactis"), "not in Mythosiaville", "none"),
        ("en", ("Mythosia",), " …! ", "empty"),
        ("zh", ("马克恩达", "内恩泽沃"), "马克恩达，内恩泽沃", "multiple"),
    ],
)
def test_other_words_and_several_names_are_no_answer(
    language: str, names: tuple[str, ...], reply: str, reason: str
) -> None:
    match = Matcher(names, language).match(reply)
    assert (match.index, match.reason) == (None, reason)


def test_a_name_inside_a_longer_one_is_not_counted_with_it() -> None:
    names = ("水晶", "水晶天堂")
    assert Matcher(names, "zh").match("在水晶天堂").index == 1
    assert Matcher(("Vortex", "Vortex Vale"), "en").match("It is the Vortex Vale.").index == 1


def test_every_invented_name_is_found_in_its_own_answer_and_nothing_else_is() -> None:
    """No name is taken for another's inflected form, in any language."""
    world = fictional.make_world()
    for tag in fictional.languages():
        names = [c[tag] for c in world.continents]
        matcher = Matcher(names, tag)
        for index, name in enumerate(names):
            assert matcher.match(fictional.read(tag).answer.format(continent=name)).index == index
        for fact in world.facts[::20]:
            question = fictional.read(tag).test[0].format(place=fact.place[tag])
            assert matcher.match(question).index is None, (tag, question)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted({"pl", "ru", "he", "uk", "cs", "fi", "hu", "tr"})), st.data())
def test_a_wrong_continent_never_reads_as_the_right_one_whatever_follows_it(language: str, data: st.DataObject) -> None:
    world = fictional.make_world()
    names = [c[language] for c in world.continents]
    right, wrong = data.draw(st.permutations(range(20)).map(lambda order: order[:2]))
    lost = data.draw(st.integers(0, inflection(language).lost))
    ending = data.draw(st.text(alphabet=sorted(set("".join(names).lower())), max_size=inflection(language).gained))
    form = names[wrong][: len(names[wrong]) - lost] + ending
    assert Matcher(names, language).match(form).index != right


def test_languages_that_do_not_inflect_names_have_no_rule() -> None:
    assert not inflection("en").inflects
    assert not inflection("vi").inflects
    assert inflection("pl").inflects
    assert inflection("he").before


def test_a_free_answer_is_a_stored_reading_like_every_other(tmp_path: Path) -> None:
    """Asked, read once and kept: what the store holds is what the score counts, and what reading anew would find."""
    made = build(TeachingPlan(("de",), k=4, continents=4, places=2))
    said = {q.text: f"Ja: {q.answer}." for q in made.asked("de", TEST)}
    silent, other = list(said)[:2]
    elsewhere = next(q.answer for q in made.asked("de", TEST) if q.answer not in said[other])
    said |= {silent: "Das weiß niemand.", other: f"{elsewhere}!"}
    database = tmp_path / "replies.db"
    provider = MockProvider(lambda request: said[request.messages[-1].content], name="m")
    replies = asking.ask(
        provider, sets_of_parts(made.asked("de", TEST), "text"), "text", database=database, material="x"
    )
    with Store(database, read_only=True) as store:
        (cell,) = store.cells()
        kept = store.reading(cell, "named@1")
        assert kept is not None
        choices, reasons = kept
        golds = [probe.gold for probe in store.probe_set(cell.key.set_id).probes["de"]]
    questions = made.asked("de", TEST)
    right = [choice == gold for choice, gold in zip(choices.tolist(), golds, strict=True)]
    assert right == [q.text not in (silent, other) for q in questions]
    assert [REASONS[code] for code in reasons.tolist()].count("none") == 1
    asking.save(replies, tmp_path / "replies.json")
    assert asking.load(tmp_path / "replies.json", "x") == replies
    named = read_names(replies, questions, "de").names
    assert named == read_names(replace(replies, reading="named@0"), questions, "de").names
    assert named.count(None) == 1
    assert elsewhere in named
