"""Which name a free-text answer gives: inflected forms count, other names and ordinary words do not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clika_client.answers.cells import REASONS
from clika_client.answers.open.named import Matcher, NamesOffered
from clika_client.common.answer_codes import NO_ANSWER
from clika_client.conductivity import asking, experiment_folder, folder
from clika_client.conductivity.build import TeachingPlan, build
from clika_client.conductivity.free_answers import offered_to
from clika_client.conductivity.material import PARTS, TEST, ExperimentQuestion, Form, Material
from clika_client.conductivity.question_sets import sets_of_parts
from clika_client.conductivity.replies import ExperimentReplies, ExperimentReply, load_replies, save_replies
from clika_client.conductivity.score import score
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
    match = Matcher(NamesOffered(language, tuple(names))).match(reply)
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
    match = Matcher(NamesOffered(language, tuple(names))).match(reply)
    assert (match.index, match.reason) == (None, reason)


def test_a_name_inside_a_longer_one_is_not_counted_with_it() -> None:
    names = ("水晶", "水晶天堂")
    assert Matcher(NamesOffered("zh", names)).match("在水晶天堂").index == 1
    assert Matcher(NamesOffered("en", ("Vortex", "Vortex Vale"))).match("It is the Vortex Vale.").index == 1


def test_every_invented_name_is_found_in_its_own_answer_and_nothing_else_is() -> None:
    """No name is taken for another's inflected form, in any language."""
    world = fictional.make_world()
    for tag in fictional.languages():
        names = [c[tag] for c in world.continents]
        matcher = Matcher(NamesOffered(tag, tuple(names)))
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
    assert Matcher(NamesOffered(language, tuple(names))).match(form).index != right


def test_languages_that_do_not_inflect_names_have_no_rule() -> None:
    assert not inflection("en").inflects
    assert not inflection("vi").inflects
    assert inflection("pl").inflects
    assert inflection("he").before


def experiment_replies(made: Material, database: Path, form: Form = "text") -> ExperimentReplies:
    """What a model stored that answers rightly, in the other language, with another name, with two, or not at all."""
    places = {q.question_id: at for at, q in enumerate(made.questions)}
    english = {q.fact_id: q.answer for q in made.asked("de", "taught_type1")}

    def say(question: ExperimentQuestion) -> str:
        other = question.choices[(question.gold + 1) % len(question.choices)]
        ways = [
            f"Ja: {question.answer}.",
            f"{other}!",
            f"{english.get(question.fact_id, question.answer)}, ja.",
            f"{question.answer}, {other}",
            "?",
        ]
        return ways[places[question.question_id] % len(ways)]

    said = {q.text: say(q) for q in made.questions}
    provider = MockProvider(lambda request: said[request.messages[-1].content], name="m")
    return asking.ask(provider, sets_of_parts(made.questions, form), form, database=database, material="x")


@pytest.fixture(scope="module")
def german() -> Material:
    return build(TeachingPlan(("de",), k=4, continents=4, places=4))


def test_the_names_free_answers_give_are_stored_readings_like_every_other(tmp_path: Path, german: Material) -> None:
    """Read once and kept, in each language that counts, as places among the names: what a matcher anew would find."""
    replies = experiment_replies(german, tmp_path / "replies.db")
    offered = offered_to(german.questions)
    with Store(tmp_path / "replies.db", read_only=True) as store:
        stored = {store.probe_set(cell.key.set_id).name: (cell, store.kept_readings(cell)) for cell in store.cells()}
        cell, kept = stored[f"teach-de-{TEST}"]
        lists = offered[german.asked("de", TEST)[0].question_id]
        assert sorted(kept) == sorted(one.stamp for one in lists)
        assert sorted(stamp.split(":")[0] for stamp in kept) == ["named@2+de", "named@2+en"]
        for one in lists:
            reading = store.reading(cell, one.stamp)
            assert reading is not None
            places, reasons = reading
            texts = store.replies(cell).texts
            matches = [Matcher(one).match(text) for text in texts]
            assert places.tolist() == [NO_ANSWER if m.index is None else m.index for m in matches]
            assert [REASONS[code] for code in reasons.tolist() if code] == [
                m.reason for m in matches if m.index is None
            ]
    # A list of its own for each language that a reply is read for, of the test alone two.
    given = {q.part: len(replies.by_id[q.question_id].named) for q in german.questions}
    assert given == {part: 2 if part == TEST else 1 for part in PARTS}


def test_scores_take_kept_readings_and_are_those_of_reading_anew(
    tmp_path: Path, german: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = experiment_replies(german, tmp_path / "replies.db")
    bare = {key: ExperimentReply(reply.text) for key, reply in replies.by_id.items()}
    anew = score(german, replace(replies, by_id=bare, reading=""), draws=100)
    counts = {part.part: (part.count.right, part.count.no_answer, part.count.n) for part in anew.pairs[0].gate}
    assert all(0 < right < n and none for right, none, n in counts.values())
    assert anew.pairs[0].other_language.right > 0

    def unread(*_: object) -> None:
        raise AssertionError("a reply was read that a kept reading tells of")

    monkeypatch.setattr(Matcher, "match", unread)
    assert score(german, replies, draws=100).to_json() == anew.to_json()
    assert experiment_replies(german, tmp_path / "replies.db") == replies


def test_replies_that_an_earlier_version_read_are_read_anew_once_and_kept_so(tmp_path: Path, german: Material) -> None:
    replies = experiment_replies(german, tmp_path / "replies.db")
    folder.write(german, tmp_path / "material")
    replies = replace(replies, material=folder.material_digest(tmp_path / "material"))
    file = tmp_path / "after.text.json"
    save_replies(replies, file)
    told = json.loads(file.read_text("utf-8"))
    file.write_text(
        json.dumps(told | {"reading": "named@1", "replies": {key: row[:2] for key, row in told["replies"].items()}})
    )
    (first,) = experiment_folder.score_folder(tmp_path / "material", tmp_path, draws=100)
    assert load_replies(file, replies.material) == replies
    written = file.stat().st_mtime_ns
    (second,) = experiment_folder.score_folder(tmp_path / "material", tmp_path, draws=100)
    assert (second.to_json(), file.stat().st_mtime_ns) == (first.to_json(), written)


def test_more_names_than_a_byte_can_number_are_kept_as_well(tmp_path: Path) -> None:
    """The gate of the authors' material asks for 412 names."""
    made = build(TeachingPlan(("fr",), places=10))
    names = {q.question_id: q.answer for q in made.questions if q.part == "translation"}
    assert len(set(names.values())) > 128
    said = {q.text: q.answer for q in made.questions}
    provider = MockProvider(lambda request: said[request.messages[-1].content], name="m")
    sets = sets_of_parts((q for q in made.questions if q.part == "translation"), "text")
    for _ in range(2):
        replies = asking.ask(provider, sets, "text", database=tmp_path / "replies.db", material="x")
        assert {key: reply.named for key, reply in replies.by_id.items()} == {key: (n,) for key, n in names.items()}
