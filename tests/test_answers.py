"""What each reply chooses, by the `standard` and the `first-letter` reading."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from clika_client.answers import read as answers
from clika_client.answers.read import Answer, read_answer
from clika_client.answers.rules.words import ENVIRONMENT, extension_digest, tables, words
from clika_client.common.errors import UserError

DATA = Path(__file__).parent / "data"
LABELS = ("A", "B", "C", "D")
CITIES = ("London", "Paris", "Berlin", "Madrid")


def cases(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def said(case: dict[str, object], language: str | None = None) -> int | str | None:
    """The choice read, or the reason; None where the case accepts any reason."""
    answer = read_answer(case["text"], case["labels"], case["options"], language)  # type: ignore[arg-type]
    if answer.choice is None and case["expect"] is None:
        return None
    return answer.reason if answer.choice is None else answer.choice


def test_the_specified_cases_are_all_right() -> None:
    specified = cases("answer_cases_shared.jsonl")
    assert len(specified) == 45
    assert [(c["id"], said(c)) for c in specified] == [(c["id"], c["expect"]) for c in specified]


NOT_READ = {"r772"}
"""Hungarian `A Nílus a leghosszabb, de a legbővizűbb az Amazonas`: only who knows the question can tell which of two
superlatives answers it. Read as several options, not as a wrong one."""


@pytest.mark.parametrize("tell_language", [False, True], ids=["language unknown", "language told"])
def test_replies_that_version_1_misread_are_right(tell_language: bool) -> None:
    wrong = {}
    for case in cases("answer_cases_2.jsonl"):
        found = said(case, case["language"] if tell_language else None)  # type: ignore[arg-type]
        if found != case["expect"]:
            wrong[case["id"]] = found
    assert wrong == dict.fromkeys(NOT_READ, "multiple")


@pytest.mark.parametrize("tell_language", [False, True], ids=["language unknown", "language told"])
def test_each_pattern_is_read_in_every_language_it_was_written_in(tell_language: bool) -> None:
    wrong = []
    for case in cases("answer_cases_kinds.jsonl"):
        found = said(case, case["language"] if tell_language else None)  # type: ignore[arg-type]
        if found != case["expect"]:
            wrong.append((case, found))
    assert wrong == []


EXAMPLE = "Choose one.\nQuestion:2+3=?\nA. 1\nB. 2\nC. 3\nD. 5\nAnswer:D. 5"


@pytest.mark.parametrize("known", [EXAMPLE, ""], ids=["prompt known", "prompt unknown"])
@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Question:2 +", "unreadable"),
        ("Question:2+3=?\nA. 1", "unreadable"),
        (EXAMPLE.removeprefix("Choose one.\n"), "unreadable"),
        (EXAMPLE.removeprefix("Choose one.\n") + "\nQuestion: Where?\nAnswer: B", 1),
        ("D. 5", 3),
        ("Answer:D. 5", 3),
    ],
)
def test_what_a_reply_repeats_of_the_prompts_example_is_no_answer(text: str, read: int | str, known: str) -> None:
    answer = read_answer(text, LABELS, CITIES, example=known)
    assert read in (answer.choice, answer.reason)


def test_an_example_is_told_from_an_answer_only_where_the_prompt_is_known() -> None:
    example = "Question: Which city lies on the Spree?\nA. Rome\nB. Berlin\nAnswer: B"
    echo = "Question: Which city lies on the Spree?\nA. Rome\nB. Berlin\nAnswer: B"
    assert read_answer(echo, LABELS, CITIES).choice == 1
    assert read_answer(echo, LABELS, CITIES, example=example).choice is None


def test_the_beginning_of_one_option_counts_only_in_the_reading_that_says_so() -> None:
    places = ("Qinghai", "Gansu", "Guangdong", "Shaanxi")
    beginnings = answers.READINGS["beginnings"].function
    assert read_answer("Qingh", LABELS, places) == Answer(None, "unreadable", "beginning")
    assert beginnings("Qingh", LABELS, places).choice == 0
    assert beginnings("G", LABELS, places).choice is None
    assert beginnings("Gu", LABELS, places).choice == 2
    assert beginnings("B.", LABELS, places).choice == 1


@pytest.mark.parametrize("tell_language", [False, True], ids=["language unknown", "language told"])
def test_the_projects_own_cases_are_all_right(tell_language: bool) -> None:
    own = cases("answer_cases.jsonl")
    wrong = []
    for case in own:
        language = case.get("language") if tell_language else None
        found = said(case, language)  # type: ignore[arg-type]
        if found != case["expect"]:
            wrong.append((case, found))
    assert wrong == []


def test_the_own_cases_cover_every_language_of_the_built_in_set() -> None:
    atlas = {path.stem for path in Path(answers.__file__).parents[1].glob("data/atlas/names/*.tsv")}
    assert len(atlas) >= 40
    counted = Counter(case.get("language") for case in cases("answer_cases.jsonl"))
    few = {tag for tag in atlas if counted[tag] < 3}
    assert few == set(), "three cases of each in tests/data/answer_cases.jsonl"


def test_every_language_of_the_built_in_set_has_words_of_each_kind() -> None:
    atlas = {path.stem for path in Path(answers.__file__).parents[1].glob("data/atlas/names/*.tsv")}
    needed = {"answer", "option", "correct", "wrong", "and", "or", "not", "none", "unknown", "refusal", "all"}
    assert {tag: needed - set(tables().get(tag, {})) for tag in atlas if needed - set(tables().get(tag, {}))} == {}


@pytest.mark.parametrize("text", ["Die Antwort", "Ein", "Alle Optionen", "Based on the", "Cairo", "A city in France"])
def test_words_that_begin_with_a_label_are_not_labels(text: str) -> None:
    assert read_answer(text, ("A", "B", "C", "D", "E"), ("u", "v", "x", "y", "z")).choice is None


def test_a_letter_is_judged_against_the_labels_shown() -> None:
    cities = ("Лондон", "Париж", "Берлин", "Мадрид")
    assert read_answer("Ответ: В", LABELS, cities).choice == 1
    assert read_answer("Ответ: В", ("А", "Б", "В", "Г"), cities).choice == 2


def test_an_options_text_beside_a_label_outranks_it_unless_it_is_the_start_of_the_labels_own_text() -> None:
    assert read_answer("B) London", LABELS, CITIES).choice == 0
    years = ("1896", "18", "1900", "1796")
    assert read_answer("A. 18", LABELS, years).choice == 0


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("empty", " \n\u200b"),
        ("refusal", "I cannot answer this question."),
        ("truncated", "<think>The answer is B"),
        ("multiple", "A and B"),
        ("none", "None of the above"),
        ("unreadable", "lorem ipsum"),
    ],
)
def test_every_reason_is_told(reason: str, text: str) -> None:
    answer = read_answer(text, LABELS, CITIES)
    assert (answer.choice, answer.reason) == (None, reason)


def test_a_missing_text_is_empty() -> None:
    assert read_answer(None, LABELS, CITIES).reason == "empty"


def test_labels_and_options_must_be_equally_many() -> None:
    with pytest.raises(ValueError, match="3 labels for 4 options"):
        read_answer("A", LABELS[:3], CITIES)


def test_the_finish_reason_explains_a_reply_without_a_choice_and_leaves_a_choice_alone() -> None:
    assert read_answer("Let us consider the", LABELS, CITIES, finish="length").reason == "truncated"
    assert read_answer("", LABELS, CITIES, finish="length").reason == "truncated"
    assert read_answer("", LABELS, CITIES, finish="content_filter").reason == "refusal"
    assert read_answer("B", LABELS, CITIES, finish="length").choice == 1
    assert read_answer("", LABELS, CITIES, finish="stop").reason == "empty"


def test_the_first_letter_reading_is_the_papers() -> None:
    read = answers.READINGS["first-letter"].function
    two = ("A", "B")
    assert read("  B. anything", LABELS, CITIES, None).choice == 1
    assert read("Based on", LABELS, CITIES, None).choice == 1
    assert read("b", LABELS, CITIES, None).choice is None
    assert read("А.", LABELS, CITIES, None).choice is None
    assert read("C", two, ("x", "y"), None) == Answer(None, "unreadable", "first-letter")
    assert read(" ", two, ("x", "y"), None).reason == "empty"


def test_readings_have_names_and_versions_and_an_unknown_name_is_told() -> None:
    assert {name: answers.reading(name).name for name in answers.READINGS} == {n: n for n in answers.READINGS}
    assert all(answers.reading(name).version for name in answers.READINGS)
    with pytest.raises(UserError, match=r"'strict'.*first-letter, standard"):
        answers.reading("strict")


@pytest.fixture
def fresh_words() -> object:
    forget_words()
    yield
    forget_words()


def forget_words() -> None:
    for cached in (tables, words, extension_digest):
        cached.cache_clear()
    answers.forget()


@pytest.mark.usefixtures("fresh_words")
def test_a_user_can_add_a_language_with_a_file_and_the_version_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_answer("Respondo estas B", LABELS, CITIES).choice is None
    own = tmp_path / "eo.toml"
    own.write_text('[eo]\nanswer = ["respondo"]\nis = ["estas"]\nunknown = ["mi ne scias"]\n', "utf-8")
    before = answers.reading("standard").version
    forget_words()
    monkeypatch.setenv(ENVIRONMENT, str(own))
    assert read_answer("Respondo estas B", LABELS, CITIES).choice == 1
    assert read_answer("Mi ne scias.", LABELS, CITIES).reason == "none"
    assert answers.reading("standard").version.startswith(before + "+")
    assert answers.reading("first-letter").version == answers.READINGS["first-letter"].version


@pytest.mark.usefixtures("fresh_words")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[eo\n", "not valid TOML"),
        ('[eo]\nanser = ["x"]\n', "unknown key 'anser'"),
        ("[eo]\nanswer = [1]\n", "list of non-empty strings"),
        ("eo = 3\n", "must be a table"),
    ],
)
def test_a_bad_word_file_is_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str
) -> None:
    own = tmp_path / "own.toml"
    own.write_text(content, "utf-8")
    monkeypatch.setenv(ENVIRONMENT, str(own))
    with pytest.raises(UserError, match=rf"own\.toml.*{message}"):
        read_answer("lorem", LABELS, CITIES)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("B" + " " * 300_000, 1),
        ("B\n" + "x" * 300_000, 1),
        ("<think>" + "maybe A or C. " * 20_000 + "</think>B", 1),
        ("*" * 100_000 + "B", None),
        ("(" * 100_000, None),
        ("[" * 100_000, None),
        ("{" * 100_000, None),
        ("_" * 100_000 + "a", None),
        ("~~" * 50_000, None),
        ("\n" * 100_000 + "B", 1),
        ("A, B and C or " * 8_000, None),
        ("not A. " * 15_000, None),
        ('{"answer": ' * 9_000, None),
        ("\\boxed{" * 15_000, None),
        ("ก" * 100_000, None),
        ("A" * 100_000, None),
        ("'A" * 50_000, None),
        (":" * 100_000 + "B", None),
        ("Paris " * 20_000, 1),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_four_times_as_long_a_reply_takes_about_four_times_as_long(text: str, choice: int | None) -> None:
    """Quadratic reading would take sixteen times; what is read in a blink is not judged."""

    def seconds(reply: str) -> float:
        started = time.process_time()
        read_answer(reply, LABELS, CITIES)
        return time.process_time() - started

    part, whole = (min(seconds(reply) for _ in range(2)) for reply in (text[: len(text) // 4], text))
    assert whole < 10 * max(part, 0.05)
    if choice is not None:
        assert read_answer(text, LABELS, CITIES).choice == choice
