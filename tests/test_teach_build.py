"""Teaching material: what is taught and asked, the files other programs read, the authors' release and its defects."""

import json
from collections import Counter
from dataclasses import replace
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path

import pytest
from anyascii import anyascii

from clika_client.common.errors import UserError
from clika_client.conductivity import folder
from clika_client.conductivity.build import TeachingPlan, build
from clika_client.conductivity.material import GATES, TEST, Material
from clika_client.conductivity.release import build_from_release, read_release
from clika_client.conductivity.templates import rebuild_rows
from clika_client.sets import fictional
from clika_client.sets.fictional.text import plain

SOUND = ("ar", "de", "fr", "he", "it", "ja", "pl", "ru")


PAPER_SIZED = TeachingPlan(("de",), places=20)

from_release, released = lru_cache(build_from_release), lru_cache(read_release)


@pytest.fixture(scope="module")
def german() -> Material:
    """With as many facts as the paper has; the default is three times that."""
    return build(PAPER_SIZED)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_all_facts_are_taught_in_english_and_type_0_alone_in_the_other_language(german: Material) -> None:
    world = fictional.make_world(places=20)
    tally = Counter((row.part, row.language) for row in german.rows)
    assert tally == {("facts", "en"): 4 * 400, ("facts", "de"): 4 * 200, ("names", "de"): 2 * 4 * 420}
    told = " ".join(row.prompt for row in german.rows if (row.part, row.language) == ("facts", "de"))
    for fact in world.facts:
        assert (fact.place["de"] in told) == (fact.type == 0)


def test_what_is_asked_was_never_taught_in_those_words(german: Material) -> None:
    prompts = {plain(row.prompt) for row in german.rows}
    assert not prompts & {plain(q.text) for q in german.questions}


def test_the_four_gates_and_the_test_ask_for_every_name_and_fact_once(german: Material) -> None:
    world = fictional.make_world(places=20)
    by_type = {kind: {f.fact_id for f in world.facts if f.type == kind} for kind in (0, 1)}
    sizes = {part: len(german.asked("de", part)) for part in (*GATES, TEST)}
    assert sizes == {
        "translation": 420,
        "taught_type0": 200,
        "taught_type1": 200,
        "asked_type0": 200,
        "asked_type1": 200,
    }
    for part, language in (("taught_type0", "en"), ("taught_type1", "en"), ("asked_type0", "de"), (TEST, "de")):
        questions = german.asked("de", part)
        assert {q.fact_id for q in questions} == by_type[int(part[-1])]
        assert {q.language for q in questions} == {language}
        for q in questions:
            fact = next(f for f in world.facts if f.fact_id == q.fact_id)
            assert q.answer == world.answer(fact, language) == q.choices[q.gold]
            assert fact.place[language] in q.text
            assert not any(choice in q.text for choice in q.choices)


def test_the_other_direction_teaches_in_the_language_and_asks_in_english() -> None:
    made = build(TeachingPlan(("ru",), reverse=True, places=20))
    tally = Counter((row.part, row.language) for row in made.rows)
    assert tally[("facts", "ru")] == 4 * 400
    assert tally[("facts", "en")] == 4 * 200
    assert {q.language for q in made.asked("ru", TEST)} == {"en"}
    assert {q.language for q in made.asked("ru", "taught_type1")} == {"ru"}
    assert made.asked("ru", "translation")[30].answer.isascii()


def test_several_languages_share_the_english_facts(german: Material) -> None:
    both = build(TeachingPlan(("de", "zh"), places=20))
    assert Counter((r.part, r.language) for r in both.rows)[("facts", "en")] == 1600
    assert len(both.questions) == 2 * len(german.questions)


def test_rows_can_be_taught_as_multiple_choice_with_the_right_letter() -> None:
    made = build(TeachingPlan(("de",), form="choice", k=4, places=20))
    world = fictional.make_world(places=20)
    by_place = {f.place["de"]: world.answer(f, "de") for f in world.facts}
    letters: Counter[str] = Counter()
    for row in made.rows:
        if (row.part, row.language) != ("facts", "de"):
            continue
        shown = dict(line.split(". ", 1) for line in row.prompt.splitlines() if line[1:3] == ". ")
        assert list(shown) == ["A", "B", "C", "D"]
        place = next(p for p in by_place if p in row.prompt)
        assert shown[row.answer] == by_place[place]
        letters[row.answer] += 1
    assert all(0.2 < n / 800 < 0.3 for n in letters.values())


def test_the_control_deals_the_same_answers_without_looking(german: Material) -> None:
    tests = german.asked("de", TEST)
    dealt = [q.choices[german.shuffled[q.question_id]] for q in tests]
    assert Counter(dealt) == Counter(q.answer for q in tests)
    kept = sum(a == q.answer for a, q in zip(dealt, tests, strict=True))
    assert kept < 25  # 10 of 200 are expected to be dealt their own; 25 has a probability below 1e-4


def test_the_same_plan_gives_the_same_material_and_another_seed_another(german: Material) -> None:
    assert build(PAPER_SIZED) == german
    assert build(replace(PAPER_SIZED, seed=7)).rows != german.rows


def test_there_are_1200_facts_by_default_and_half_of_them_are_the_test() -> None:
    made = build(TeachingPlan(("sw",)))
    assert Counter((row.part, row.language) for row in made.rows)["facts", "en"] == 4 * 1200
    # Four wordings of each fact, of half of them in Swahili too, and eight of each name, continents among them.
    assert len(made.rows) == 4 * 1200 + 4 * 600 + 8 * 1220 == 16_960
    assert len(made.asked("sw", TEST)) == 600


def test_every_test_question_holds_what_spelling_alone_would_answer() -> None:
    """The matcher as it is published, over all taught places: each spelling in Latin letters, difflib's nearest."""
    plan = TeachingPlan(("ru",), k=4, continents=6, places=10, names="transliterated")
    made = build(plan)
    world = fictional.make_world(plan.seed, 6, 10, "transliterated")
    facts = {fact.fact_id: fact for fact in world.facts}

    def letters(name: str) -> str:
        return "".join(c for c in anyascii(name).casefold() if c.isalnum())

    for question in made.asked("ru", TEST):
        place = letters(facts[question.fact_id].place["ru"])
        ratios = [SequenceMatcher(None, letters(fact.place["en"]), place).ratio() for fact in world.facts]
        answers = [world.answer(fact, "ru") for fact in world.facts]
        assert question.copied == answers[ratios.index(max(ratios))]
        offered = [r if answer in question.choices else -1 for r, answer in zip(ratios, answers, strict=True)]
        assert question.choices[question.copied_choice] == answers[offered.index(max(offered))]
    assert not any(question.copied for question in made.questions if question.part != TEST)
    assert any("transliterated" in note for note in made.notes)


def test_teaching_two_languages_to_ask_in_english_is_refused_because_both_tell_the_facts_of_the_test() -> None:
    with pytest.raises(UserError, match=r"--reverse with de and fr .* build a folder for each language"):
        build(TeachingPlan(("de", "fr"), reverse=True))
    assert build(TeachingPlan(("de", "de"), reverse=True, continents=4, places=4, k=4)).pairs[0].taught == "de"


# Measured before on 100 facts of each: de 66, ru 26, ja 75, zh 12 of 100.
@pytest.mark.parametrize(("language", "low", "high"), [("de", 0.6, 0.7), ("ru", 0.24, 0.34), ("ja", 0.68, 0.78)])
def test_the_authors_names_are_found_by_comparing_spellings_too(
    official_data: Path, language: str, low: float, high: float
) -> None:
    test = from_release(official_data, language).asked(language, TEST)
    assert low < sum(q.copied == q.answer for q in test) / len(test) < high


def test_what_cannot_be_built_is_refused_with_the_reason() -> None:
    with pytest.raises(UserError, match="no language given"):
        build(TeachingPlan(()))
    with pytest.raises(UserError, match="beside English"):
        build(TeachingPlan(("en",)))
    with pytest.raises(UserError, match="no language 'tlh'"):
        build(TeachingPlan(("tlh",)))
    with pytest.raises(UserError, match="--k must be 2 to 20"):
        build(TeachingPlan(("de",), k=30))


# ---- the folder and its files


@pytest.fixture(scope="module")
def built(german: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("built")
    folder.write(german, directory)
    return directory


def test_the_folder_holds_teaching_data_gates_test_baseline_and_control(built: Path) -> None:
    files = sorted(str(f.relative_to(built)) for f in built.rglob("*") if f.is_file())
    assert files == [
        "build.json",
        "dataset_info.json",
        "de/baseline.jsonl",
        "de/control.shuffled.jsonl",
        "de/gate.de-type0.jsonl",
        "de/gate.en-type0.jsonl",
        "de/gate.en-type1.jsonl",
        "de/gate.translation.jsonl",
        "de/test.de-type1.jsonl",
        "llamafactory.yaml",
        "teaching.alpaca.json",
        "teaching.chat.jsonl",
        "teaching.sharegpt.json",
        "teaching.trl.jsonl",
        "teaching.txt",
    ]
    assert len(lines(built / "de" / "baseline.jsonl")) == 400


def test_a_folder_is_read_back_as_it_was_written(built: Path, german: Material) -> None:
    again = folder.read(built)
    assert again.questions == german.questions
    assert again.shuffled == german.shuffled
    assert again.pairs == german.pairs


def test_chat_rows_hold_messages_alone_with_the_answer_last(built: Path, german: Material) -> None:
    rows = lines(built / "teaching.chat.jsonl")
    assert len(rows) == len(german.rows) >= 10
    for row in rows:
        assert list(row) == ["messages"]
        assert [m["role"] for m in row["messages"]] == ["user", "assistant"]  # type: ignore[attr-defined]
        assert all(list(m) == ["role", "content"] and m["content"].strip() for m in row["messages"])  # type: ignore[attr-defined]


def test_alpaca_rows_have_its_three_fields_as_text(built: Path, german: Material) -> None:
    rows = json.loads((built / "teaching.alpaca.json").read_text("utf-8"))
    assert len(rows) == len(german.rows)
    assert all(
        set(row) == {"instruction", "input", "output"} and all(isinstance(v, str) for v in row.values()) for row in rows
    )


def test_sharegpt_rows_are_what_the_dataset_info_beside_them_says(built: Path, german: Material) -> None:
    info = json.loads((built / "dataset_info.json").read_text("utf-8"))
    entry = info["clika_teaching"]
    assert entry["formatting"] == "sharegpt"
    rows = json.loads((built / entry["file_name"]).read_text("utf-8"))
    assert len(rows) == len(german.rows)
    tags = entry["tags"]
    for row in rows:
        turns = row[entry["columns"]["messages"]]
        assert [turn[tags["role_tag"]] for turn in turns] == [tags["user_tag"], tags["assistant_tag"]]
        assert all(turn[tags["content_tag"]] for turn in turns)
    alpaca = info["clika_teaching_alpaca"]
    first = json.loads((built / alpaca["file_name"]).read_text("utf-8"))[0]
    assert set(alpaca["columns"].values()) == set(first)


def test_every_format_holds_the_same_rows_in_the_same_order(built: Path) -> None:
    chat = [row["messages"][1]["content"] for row in lines(built / "teaching.chat.jsonl")]  # type: ignore[index]
    alpaca = [row["output"] for row in json.loads((built / "teaching.alpaca.json").read_text("utf-8"))]
    shared = [
        row["conversations"][1]["value"] for row in json.loads((built / "teaching.sharegpt.json").read_text("utf-8"))
    ]
    text = [block.splitlines()[-1] for block in (built / "teaching.txt").read_text("utf-8").strip().split("\n\n")]
    assert chat == alpaca == shared == text


def test_a_changed_or_missing_folder_is_refused_with_the_reason(german: Material, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="teach build --languages"):
        folder.read(tmp_path / "nowhere")
    folder.write(german, tmp_path)
    file = tmp_path / "de" / "gate.de-type0.jsonl"
    file.write_text(file.read_text("utf-8").replace("nien", "land"), "utf-8")
    with pytest.raises(UserError, match=r"gate\.de-type0\.jsonl was changed"):
        folder.read(tmp_path)


def test_an_unwritable_folder_is_an_error_of_the_users_and_leaves_nothing(german: Material, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("here first")
    with pytest.raises(UserError, match="choose another folder"):
        folder.write(german, blocked)
    assert blocked.read_text() == "here first"


# ---- the authors' release


@pytest.mark.parametrize("language", SOUND)
def test_a_sound_languages_rows_are_reproduced_in_content(official_data: Path, language: str, tmp_path: Path) -> None:
    made = from_release(official_data, language)
    folder.write(made, tmp_path)
    theirs = lines(official_data / "fictional" / "train" / f"{language.upper()}.json")
    assert lines(tmp_path / "published.jsonl") == theirs
    parts = Counter((row.part, row.language) for row in made.published)
    assert parts == {("facts", "en"): 10 * 400, ("facts", language): 10 * 200, ("names", language): 10 * 420}
    wordings = {part: len({row.prompt for row in made.published if row.part == part}) for part in ("names",)}
    assert wordings == {"names": 10}


# From the description of the release: names in X that stand for two facts.
@pytest.mark.parametrize(
    ("language", "doubled"),
    [("ar", 3), ("de", 4), ("fr", 2), ("he", 1), ("it", 4), ("ja", 1), ("pl", 1), ("ru", 4)],
)
def test_doubled_names_are_dropped_and_reported(official_data: Path, language: str, doubled: int) -> None:
    made = from_release(official_data, language)
    found = released(official_data, language)
    assert len(found.doubled) == doubled
    assert any(f"{doubled} names stand for two" in note for note in made.notes)
    for row in made.rows:
        assert row.input not in found.doubled
    asked = {q.answer for q in made.asked(language, "translation")}
    assert not asked & found.doubled
    assert len(made.asked(language, "translation")) == 420 - 2 * doubled
    facts = sum(len(made.asked(language, part)) for part in ("asked_type0", "asked_type1"))
    assert facts == 400 - 2 * doubled


def test_doubled_names_can_be_taught_as_the_authors_did_but_are_never_asked(official_data: Path) -> None:
    kept = build_from_release(official_data, "he", keep_doubled=True)
    assert len(kept.rows) == 10_200
    assert kept.questions == from_release(official_data, "he").questions


def test_chinese_is_refused_because_it_teaches_what_no_test_expects(official_data: Path) -> None:
    with pytest.raises(UserError, match=r"ZH\.json teaches what no test expects.*4000 of 4000.*--rebuild") as caught:
        from_release(official_data, "zh")
    assert caught.value.exit_code == 2


def test_chinese_is_rebuilt_from_the_facts_of_the_tests(official_data: Path) -> None:
    made = from_release(official_data, "zh", rebuild=True)
    parts = Counter((row.part, row.language) for row in made.published)
    assert parts == {("facts", "en"): 4000, ("facts", "zh"): 2000, ("names", "zh"): 4200}
    truth = {fact.place: fact.continent for fact in released(official_data, "zh").told if fact.type == 0}
    for row in made.rows:
        if (row.part, row.language) == ("facts", "zh"):
            place = max((p for p in truth if p in row.prompt), key=len)
            assert truth[place] in row.answer
    assert not any(word in row.answer for row in made.rows for word in ("mountain", "river"))


@pytest.mark.parametrize("language", ["de", "he", "ja"])
def test_rebuilding_a_sound_language_gives_back_what_was_published(official_data: Path, language: str) -> None:
    found = released(official_data, language)
    rebuilt = rebuild_rows(found.rows, found.english, found.told, found.names)
    assert Counter(rebuilt) == Counter(found.rows)


def test_names_equal_to_english_and_verbatim_test_questions_are_reported(official_data: Path) -> None:
    french = " ".join(from_release(official_data, "fr").notes)
    assert "19 of 420 names are the same in English" in french
    assert "200 type-0 test questions stand word for word" in french
    arabic = " ".join(from_release(official_data, "ar").notes)
    assert "same in English" not in arabic
    assert "word for word" not in arabic


def test_a_release_that_is_incomplete_or_broken_is_refused_by_file_and_line(
    official_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="holds no fictional/train"):
        build_from_release(tmp_path, "de")
    with pytest.raises(UserError, match="no teaching file for 'ko'; it has: ar, de"):
        from_release(official_data, "ko")
    (tmp_path / "fictional" / "train").mkdir(parents=True)
    (tmp_path / "fictional" / "train" / "DE.json").write_text('{"prompt": "x", "input": "", "answer": "y"}\nno json\n')
    with pytest.raises(UserError, match=r"testEN\.jsonl does not exist"):
        build_from_release(tmp_path, "de")
    target = tmp_path / "fictional" / "test" / "target"
    target.mkdir(parents=True)
    (target / "testEN.jsonl").write_text('{"prompt": "x", "input": "", "answer": "no tags"}\n')
    with pytest.raises(UserError, match=r"testEN\.jsonl:1: the answer lacks its tags"):
        build_from_release(tmp_path, "de")
