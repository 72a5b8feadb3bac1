"""Open answers: what a reply without options says, in the asked language or another; each case is judged by hand."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clika_client
from clika_client import Accepted, read_open
from clika_client.answers.open.names import NameFinder, exactly, may_hold
from clika_client.answers.open.values import months, numbers, same_date
from clika_client.sets.atlas.wording import languages
from clika_client.sets.fictional.text import plain

TURKEY = {
    "en": ("Turkey", "Türkiye", "Turkish"),
    "ru": ("Турция", "турецк*"),
    "fr": ("Turquie", "turc*"),
    "fi": ("Turkki",),
    "ar": ("تركيا", "تركي*"),
    "ja": ("トルコ",),
    "zh": ("土耳其",),
    "th": ("ตุรกี",),
    "hi": ("तुर्की",),
    "tr": ("Türkiye", "Türk"),
    "de": ("Türkei",),
}
GREECE = {
    "en": ("Greece", "Greek"),
    "ru": ("Греция", "греческ*"),
    "fr": ("Grèce", "grec", "grecque"),
    "fi": ("Kreikka",),
    "ar": ("اليونان", "يوناني*"),
    "ja": ("ギリシャ",),
    "zh": ("希腊",),
    "th": ("กรีซ",),
    "hi": ("यूनान",),
    "tr": ("Yunanistan",),
    "de": ("Griechenland",),
}


def turkey(language: str) -> Accepted:
    others = {tag: names for tag, names in TURKEY.items() if tag != language}
    return Accepted(language, TURKEY[language], others, {tag: {"GR": GREECE[tag]} for tag in GREECE})


@pytest.mark.parametrize(
    ("language", "reply", "verdict"),
    [
        ("en", "Istanbul is located in **Turkey**.", "right"),
        ("en", "Turkey", "right"),
        ("ru", "Стамбул находится в Турции.", "right"),
        ("ru", "Ахмет Давутоглу — турецкий политик.", "right"),
        ("fr", "Istanbul se trouve en Turquie.", "right"),
        ("ar", "تقع إسطنبول في **تركيا**.", "right"),
        ("ja", "イスタンブールはトルコにあります。", "right"),
        ("zh", "伊斯坦布尔位于 **土耳其**。", "right"),
        ("th", "อิสตันบูลตั้งอยู่ในประเทศตุรกี", "right"),
        ("hi", "इस्तांबुल तुर्की में स्थित है।", "right"),
        ("tr", "İstanbul, **Türkiye**'de yer almaktadır.", "right"),
        ("de", "Antwort: die Türkei", "right"),
        # In another language than was asked: told, and never simply right.
        ("zh", "Istanbul is a city in Turkey.", "right in another language"),
        ("de", "Стамбул находится в Турции.", "right in another language"),
        # A wrong answer that is known, and one that is not.
        ("ru", "Стамбул находится в Греции.", "wrong"),
        ("en", "Istanbul is in Bulgaria.", "wrong"),
        ("ja", "イスタンブールはギリシャにあります。", "wrong"),
        # The first that is asserted decides; what is denied is not asserted.
        ("en", "It is in Turkey, which borders Greece.", "right"),
        ("en", "It is not in Greece but in Turkey.", "right"),
        ("en", "It is not in Turkey.", "wrong"),
        ("zh", "不是希腊，是土耳其。", "right"),
        ("ja", "ギリシャではなくトルコです。", "right"),
        ("en", "Greece or Turkey.", "several"),
        ("en", "Turkey and Greece", "several"),
        ("de", "Türkei oder Griechenland", "several"),
        # Emphasised and announced answers go before the rest.
        ("en", "People from Greece founded it. Answer: Turkey", "right"),
        ("en", "Greece was here first, today it is **Turkey**.", "right"),
        ("en", "<think>Greece? No.</think> Turkey", "right"),
        # One letter off is a slip of the pen.
        ("de", "Istanbul liegt in der Türkeii.", "right"),
        # A word in two alphabets: in that of the language, or by its sound an English name with another ending.
        ("ru", "Стамбул находится в Tурции.", "right"),
        ("ru", "Он **turkишский** певец.", "right in another language"),
        ("ru", "Ахмет — это turkishец.", "right in another language"),
        ("hi", "वह greekी है।", "wrong"),
        # No answer, by its reason.
        ("en", "", "empty"),
        ("en", "I don't know.", "unknown"),
        ("fr", "Je ne sais pas.", "unknown"),
        ("de", "Es tut mir leid, als KI-Modell kann ich das nicht beantworten.", "refusal"),
    ],
)
def test_a_reply_is_read_as_a_person_would(language: str, reply: str, verdict: str) -> None:
    assert read_open(reply, turkey(language)).verdict == verdict


@pytest.mark.parametrize(
    ("about", "reply", "verdict"),
    [
        ("Orhan Pamuk", "Ahmet Yıldız is a Turkish footballer.", "wrong"),
        ("Nuri Bilge Ceylan", "Dilma Rousseff met a Turkish delegation.", "wrong"),
        ("Orhan Pamuk", "Orhan Pamouk is a Turkish writer.", "right in another language"),
        ("Şanlıurfa", "Sanli Urfa is a city in Turkey.", "right in another language"),
        ("Phaselis", "Faselis is in Turkey.", "right in another language"),
        # One that names nobody, or nothing but the answer, speaks of what was asked.
        ("Orhan Pamuk", "He is from Turkey.", "right in another language"),
        ("Orhan Pamuk", "Turkey", "right in another language"),
        ("Orhan Pamuk", "The country is Turkey, not Greece.", "right in another language"),
        # A name in another script may be that of the subject, and an answer in the asked language is not English.
        ("Orhan Pamuk", "ओरहान is a Turkish writer.", "right in another language"),
        ("Orhan Pamuk", "अहमत तुर्की से है।", "right"),
        ("", "Ahmet Yıldız is a Turkish footballer.", "right in another language"),
    ],
)
def test_an_english_answer_about_another_subject_is_wrong(about: str, reply: str, verdict: str) -> None:
    asked = replace(turkey("hi"), about=(about,) if about else ())
    assert read_open(reply, asked).verdict == verdict


@pytest.mark.parametrize(
    ("language", "country", "of_language", "of_country"),
    [
        ("ja", "日本", "日本語で書かれています。", "日本の都市です。"),
        ("zh", "法国", "这是法国语。", "在法国。"),
        ("th", "ไทย", "เป็นภาษาไทย", "อยู่ในประเทศไทย"),
        ("vi", "Pháp", "Từ này là tiếng Pháp.", "Nó ở Pháp."),
        ("ko", "일본", "이것은 일본어로 썼습니다.", "일본에 있습니다."),
        ("id", "Jepang", "Ini bahasa Jepang.", "Di Jepang."),
        ("ru", "японск*", "Это на японском языке.", "Это японский город."),
    ],
)
def test_the_name_of_a_language_is_no_country(language: str, country: str, of_language: str, of_country: str) -> None:
    asked = Accepted(language, (country,))
    assert read_open(of_language, asked).verdict == "wrong"
    assert read_open(of_country, asked).verdict == "right"


def test_the_language_of_an_answer_is_told() -> None:
    found = read_open("Istanbul is a city in Turkey.", turkey("hi"))
    assert (found.verdict, found.language, found.right) == ("right in another language", "en", False)


def test_a_reply_that_was_cut_before_a_name_is_truncated() -> None:
    assert read_open("The city of Istanbul lies on both sides of", turkey("en"), "length").verdict == "truncated"
    assert read_open("Turkey, and it lies on", turkey("en"), "length").verdict == "right"


def test_what_was_written_is_shown_as_it_was_written() -> None:
    assert read_open("Well. The answer is **Türkiye**, of course.", turkey("en")).written == "Türkiye"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234.5", [1234.5]),
        ("1.234,5", [1234.5]),
        ("12 000", [12000]),
        ("12,000", [12000]),
        ("3.5 and 7", [3.5, 7]),
        ("0.125", [0.125]),
        ("١٩٧٤", [1974]),
        ("१९७४", [1974]),
        ("ปี ๒๐๒๐", [2020]),
        ("-5", [-5]),
        ("none", []),
    ],
)
def test_numbers_are_read_in_every_script_and_with_every_separator(text: str, expected: list[float]) -> None:
    assert numbers(text) == expected


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [("In 1643.", "right"), ("He was born in ١٦٤٣.", "right"), ("1642", "wrong"), ("1642 or 1643", "several")],
)
def test_a_number_is_right_only_when_it_is_equal(reply: str, verdict: str) -> None:
    assert read_open(reply, Accepted("en", ("1643",), kind="number")).verdict == verdict


@pytest.mark.parametrize(
    ("language", "text", "same"),
    [
        ("en", "on May 8, 1945", True),
        ("en", "8 May 1945", True),
        ("de", "am 8. Mai 1945", True),
        ("fr", "le 8 mai 1945", True),
        ("ru", "8 мая 1945 года", True),
        ("ja", "1945年5月8日", True),
        ("ar", "٨ مايو ١٩٤٥", True),
        ("en", "1945-05-08", True),
        ("en", "9 May 1945", False),
        ("en", "in 1945", False),
        ("en", "long ago", None),
    ],
)
def test_a_date_is_the_same_in_every_language(language: str, text: str, same: bool | None) -> None:
    assert same_date("1945-05-08", text, language) is same


def test_a_year_is_enough_where_only_a_year_is_asked() -> None:
    assert same_date("1945", "on May 8, 1945", "en") is True


def test_every_date_of_atlas_is_read_as_itself_in_its_language() -> None:
    names = Path(clika_client.__file__).parent / "data" / "atlas" / "names"
    for file in names.glob("*.tsv"):
        rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
        dates = [row[1] for row in rows if row[0].startswith("day:")]
        assert dates
        assert [date for date in dates if same_date(date, date, file.stem) is not True] == []


def test_yes_and_no_are_read_in_the_asked_language_and_in_english() -> None:
    for language, reply in (("de", "Ja, das stimmt."), ("ja", "はい"), ("sw", "Ndiyo."), ("de", "Yes.")):
        assert read_open(reply, Accepted(language, ("yes",), kind="yes-no")).verdict == "right"
        assert read_open(reply, Accepted(language, ("no",), kind="yes-no")).verdict == "wrong"


@pytest.mark.parametrize("table", ["months", "yes_no", "negations"])
def test_every_language_of_atlas_stands_in_the_tables_that_open_answers_are_read_with(table: str) -> None:
    path = resources.files("clika_client").joinpath(f"answers/open/{table}.toml")
    how = "`python tools/make_months.py` writes it" if table == "months" else "its words are written by hand"
    lacking = set(languages()) - set(tomllib.loads(path.read_text("utf-8")))
    assert lacking == set(), f"{path} lacks {', '.join(sorted(lacking))}: {how}"


def test_every_language_has_twelve_months_that_are_told_apart() -> None:
    for language in languages():
        assert set(months(language).values()) == set(range(1, 13)), language


@given(st.text(max_size=300), st.sampled_from(sorted(TURKEY)), st.sampled_from([None, "stop", "length"]))
def test_no_text_makes_it_fail_and_the_same_text_is_read_the_same(text: str, language: str, finish: str | None) -> None:
    found = read_open(text, turkey(language), finish)
    assert found == read_open(text, turkey(language), finish)
    assert found.right == (found.verdict == "right")
    assert (found.language is None) == (found.verdict != "right in another language")


@given(st.sampled_from(sorted(TURKEY)), st.text(alphabet="xyz ", max_size=20))
def test_a_bare_name_is_right_whatever_stands_around_it(language: str, noise: str) -> None:
    assert read_open(f"{noise} {TURKEY[language][0]}", turkey(language)).right


NAMES = {**TURKEY, "he": ("טורקיה",), "uk": ("Туреччина", "турецьк*"), "el": ("Τουρκία", "τουρκικ*")}


@given(st.sampled_from(sorted(NAMES)), st.booleans(), st.data())
def test_what_is_read_without_a_search_is_what_a_search_would_find(
    language: str, strict: bool, data: st.DataObject
) -> None:
    known = (("gold", NAMES[language]), ("rival", GREECE.get(language, ("Graecia",))))
    parts = [name.rstrip("*") for _, names in known for name in names]
    cut = st.builds(
        lambda name, at, tail: name[:at] + tail,
        st.sampled_from(parts),
        st.integers(0, 9),
        st.text("aκаिの ", max_size=3),
    )
    clause = plain(data.draw(st.lists(st.one_of(st.sampled_from(parts), cut), min_size=1, max_size=2).map(" ".join)))
    found = NameFinder(dict(known), language, forgiven=None if strict else "gold", strict=strict).find(clause)
    key = exactly(known, language, clause)
    if key is not None:
        assert [(one.name, one.start, one.quality) for one in found] == [(key, 0, 3)]
        assert found[0].end == len(clause.replace(" ", "") if language in ("ja", "zh", "th") else clause.split())
    assert found == [] or may_hold(known, language, clause)
