"""How atlas is made: from the pinned CLDR, from tables that people write, with the same bytes every time."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from pathlib import Path

import pytest

from clika_client.common.errors import UserError
from clika_client.sets import atlas
from clika_client.sets.atlas import check, cldr, corrections, counts, curated, filters, frozen, page, sources, wording

ROOT = Path(__file__).parent.parent
DATA = ROOT / "clika_client" / "data" / "atlas"
TABLES = sorted((DATA / "wording").glob("*.toml"))


INSTALLED = sources.installed()
needs_babel = pytest.mark.skipif(
    INSTALLED["babel"] != cldr.BABEL,
    reason=f"babel {cldr.BABEL} carries the CLDR release of atlas; installed: {INSTALLED['babel']}",
)
needs_sources = pytest.mark.skipif(
    INSTALLED != sources.PINNED, reason=f"atlas' facts come from {sources.PINNED}; installed: {INSTALLED}"
)


@pytest.fixture(scope="module")
def current() -> sources.Facts:
    """The facts as the pinned packages give them."""
    return sources.facts(curated.read())


@needs_sources
def test_the_frozen_facts_are_those_of_the_pinned_sources(current: sources.Facts) -> None:
    assert current == check.read_facts()


@needs_babel
def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    from clika_client.sets.atlas.build import build

    written = build(tmp_path, facts=check.read_facts())
    assert len(written) == len(TABLES) + 4
    for path in written:
        assert path.read_bytes() == (DATA / path.relative_to(tmp_path)).read_bytes(), path.name
    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(written)


def test_another_babel_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("babel")
    from clika_client.sets.atlas import build

    monkeypatch.setitem(sources.PINNED, "babel", "0.0.1")
    with pytest.raises(UserError, match=r"pip install babel==0\.0\.1"):
        build.build(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@needs_babel
def test_a_change_of_any_item_name_or_question_is_another_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from clika_client.sets.atlas import build

    shown = [(row.item_id, row.choices) for row in frozen.rows()]
    texts = [f"{shown}", *(path.read_text("utf-8") for path in sorted((DATA / "names").glob("*.tsv")))]
    assert build.version_of(texts) == build.version_of(list(texts))
    for i in range(len(texts)):
        other = list(texts)
        other[i] = other[i].replace("Kenya", "Kenia", 1) + " "
        assert build.version_of(other) != build.version_of(texts)


@needs_babel
def test_the_frozen_version_is_that_of_the_frozen_files() -> None:
    from clika_client.sets.atlas import build

    files = ["facts.tsv", "items.tsv", "excluded.tsv", *(f"names/{tag}.tsv" for tag in wording.languages())]
    asked = [text for tag in wording.languages() for text in (tag, *wording.read(tag).questions.values())]
    texts = [(DATA / file).read_text("utf-8") for file in files]
    assert atlas.load(["en"]).version == build.version_of([*texts, *asked])


@needs_sources
def test_nothing_has_changed_since_the_pinned_sources(current: sources.Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "facts", lambda _: current)
    assert list(check.changes()) == []


@needs_babel
def test_a_changed_fact_is_listed_with_the_items_that_rest_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Kenya moved its clocks, Bulgaria took the euro and Brazil were measured a little larger."""
    now = dict(check.read_facts())
    now |= {"offset:Africa/Nairobi": "+02:00", "currency:BG": "EUR", "area:BR": str(float(now["area:BR"]) * 1.01)}
    monkeypatch.setattr(sources, "facts", lambda _: now)
    found = {change.key: change for change in check.changes()}
    assert set(found) == {"offset:Africa/Nairobi", "currency:BG"}
    assert found["offset:Africa/Nairobi"].now == "+02:00"
    rests = found["offset:Africa/Nairobi"].items
    assert set(rests) == {i for i in ("utc-offset:Africa/Nairobi",) if i in {row.item_id for row in frozen.rows()}}


def test_every_language_shows_three_items_of_each_relation_on_a_page() -> None:
    folder = ROOT / "docs" / "atlas-questions"
    for tag in wording.languages():
        assert (folder / f"{tag}.md").read_text("utf-8") == page.page(tag), "run `make docs`"


@needs_babel
@pytest.mark.parametrize(
    ("language", "key", "name"),
    [
        ("en", "zone:Africa/Nairobi", "Nairobi"),  # no exemplar city: last field of the id
        ("en", "zone:Asia/Phnom_Penh", "Phnom Penh"),  # underscore to space
        ("en", "zone:America/Argentina/Buenos_Aires", "Buenos Aires"),  # last field, not the second
        ("ru", "zone:America/Argentina/Buenos_Aires", "Буэнос-Айрес"),  # kept under America/Buenos_Aires
        ("hi", "zone:Asia/Kolkata", "कोलकाता"),  # kept under Asia/Calcutta
        ("de", "zone:Europe/Vienna", "Wien"),
        ("de", "zone:Atlantic/Reykjavik", "Reykjavík"),  # CLDR's soft hyphens go
        ("ja", "territory:FR", "フランス"),
        ("he", "language:de", "גרמנית"),
        ("pl", "script:Cyrl", "cyrylica"),
        ("en", "script:Nope", None),
    ],
)
def test_names_follow_cldr_and_its_rule_for_exemplar_cities(language: str, key: str, name: str | None) -> None:
    assert cldr.entity_name(language, key) == name


@needs_babel
def test_the_right_country_shares_the_currency_and_the_wrong_ones_do_not() -> None:
    asked = [row for row in frozen.rows() if row.relation in ("shared-currency", "city-currency")]
    assert asked
    for row in asked:
        subject, choices = row.country, [key.partition(":")[2] for key in row.choices]
        own = set(cldr.currencies_of(subject))
        shares = [bool(own & set(cldr.currencies_of(code))) for code in choices]
        assert shares == [i == row.gold for i in range(4)], row
        money = {code for choice in (subject, *choices) for code in cldr.currencies_of(choice)}
        assert not {"XOF", "XAF"} <= money, "two currencies called CFA franc"


@needs_babel
def test_scripts_and_official_languages_are_those_of_cldr() -> None:
    for row in frozen.rows():
        code = row.subject.partition(":")[2]
        right, wrong = row.choices[row.gold].partition(":")[2], row.choices
        if row.relation == "language-script":
            assert cldr.script_of(code) == right
        elif row.relation in ("official-language", "city-language"):
            spoken = cldr.languages_of(row.country)
            assert spoken[right][0] == "official"
            assert sum(key.partition(":")[2] in spoken for key in wrong) == 1


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_text_of_a_wording_table_is_followed_by_its_back_translation(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    texts = [i for i, line in enumerate(lines) if re.match(r"(instruction|[a-z]+-[a-z]+) = ", line)]
    assert len(texts) == len(wording.RELATIONS) + 1
    for i in texts:
        assert lines[i + 1].startswith("# "), lines[i]
        nameless = lines[i].partition(" ")[0] in {"instruction", *wording.NAMELESS}
        assert lines[i].count("{name}") == lines[i + 1].count("{name}") == (0 if nameless else 1)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_wording_table_is_complete_and_written_in_its_own_script(path: Path) -> None:
    table = wording.read(path.stem)
    texts = [*table.questions.values(), table.instruction, table.question_word, table.answer_word]
    assert all(text and text == text.strip() for text in texts)
    assert len(set(table.questions.values())) == len(wording.RELATIONS)
    assert table.partner in wording.languages()
    assert (table.partner == "en") == (table.script != "Latn")
    letters = {c for text in texts for c in text.replace("{name}", "") if unicodedata.category(c)[0] == "L"}
    latin = {c for c in letters if "LATIN" in unicodedata.name(c)}
    assert latin == (letters if table.script == "Latn" else set())


def test_no_two_languages_share_a_table() -> None:
    tables = [tuple(wording.read(path.stem).questions.values()) for path in TABLES]
    assert len(set(tables)) == len(tables)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("language = ", "not valid TOML"),
        ('language = "xx"\nname = "X"\nscript = "Latn"\npartner = "zh"\nread_against = "x"\n', "'question' is missing"),
        (None, "no wording table xx.toml; languages with one: en"),
    ],
)
def test_a_broken_wording_table_is_refused_by_name(tmp_path: Path, text: str | None, said: str) -> None:
    (tmp_path / "en.toml").write_bytes((DATA / "wording" / "en.toml").read_bytes())
    if text is not None:
        (tmp_path / "xx.toml").write_text(text)
    with pytest.raises(UserError, match=re.escape(said)):
        wording.read("xx", tmp_path)


def test_a_wording_table_must_hold_the_name_once_and_its_own_language(tmp_path: Path) -> None:
    good = (DATA / "wording" / "en.toml").read_text("utf-8")
    (tmp_path / "en.toml").write_text(good.replace("City: {name}.", "City."), "utf-8")
    with pytest.raises(UserError, match=r"'city-country' must hold \{name\} exactly once"):
        wording.read("en", tmp_path)
    (tmp_path / "de.toml").write_text(good, "utf-8")
    with pytest.raises(UserError, match="`language` is 'en'; it must be the file's name, 'de'"):
        wording.read("de", tmp_path)


@pytest.mark.parametrize(
    ("name", "script", "said"),
    [
        ("Myanmar (Burma)", "Latn", "parenthesis"),
        ("刚果（金）", "Hans", "parenthesis"),
        ("Marengo, Indiana", "Latn", "comma"),
        ("Сянган", "Latn", "script"),
        ("Urumqi", "Ethi", "script"),
        (None, "Latn", "no name"),
        ("St. John’s", "Latn", None),
        ("Кот-д’Ивуар", "Cyrl", None),
        ("コートジボワール", "Jpan", None),
    ],
)
def test_a_name_is_shown_only_if_plain_and_in_the_language_s_script(
    name: str | None, script: str, said: str | None
) -> None:
    problem = filters.name_problem(name, script)
    assert problem is None if said is None else said in (problem or "")


def test_an_answer_counts_as_given_away_as_a_word_not_as_letters_of_another() -> None:
    assert filters.given_away("Apa nama tempat ini dalam bahasa Indonesia?", "Indonesia")
    assert not filters.given_away("Thành phố này nằm ở nước nào?", "Áo")
    assert filters.given_away("国家：日本。这个国家位于哪个洲？", "日本")
    assert filters.given_away("What is New York called?", "new-york")


def test_the_readme_lists_what_is_left_out_and_why_and_the_licence() -> None:
    readme = (DATA / "README.md").read_text("utf-8")
    excluded = tomllib.loads((DATA / "curated" / "excluded.toml").read_text("utf-8"))
    for section, entries in excluded.items():
        if section not in ("never_together", "border_unclear"):
            for code, reason in entries.items():
                assert re.search(rf"^\| `{re.escape(code)}` \| .* \| {re.escape(reason)} \|$", readme, re.M), code
    for line in (DATA / "excluded.tsv").read_text("utf-8").splitlines():
        item_id, _, reason = line.partition("\t")
        if "can be read off" in reason and item_id.startswith(("city-country", "country-", "language-script")):
            assert f"`{item_id.partition(':')[2]}` {reason[reason.index('(') :]}" in readme, item_id
    assert "release 47" in readme
    assert "Unicode-3.0" in readme
    assert "UNICODE LICENSE V3" in (DATA / "LICENSE.unicode").read_text("utf-8")


def test_every_member_state_is_placed_once() -> None:
    placed = curated.read().countries
    assert len(placed) == 193
    listed = re.findall(r"\b[A-Z]{2}\b", re.sub(r"#.*", "", (DATA / "curated" / "countries.toml").read_text("utf-8")))
    assert sorted(listed) == sorted(placed)


def test_the_docs_state_the_counts_of_this_version() -> None:
    docs = (ROOT / "docs" / "atlas.md").read_text("utf-8")
    assert counts.markdown(atlas.load(), atlas.load(name="atlas-names")) in docs, "run `make docs`"


@needs_babel
def test_the_docs_state_which_names_were_put_right() -> None:
    docs = (ROOT / "docs" / "atlas.md").read_text("utf-8")
    assert corrections.markdown() in docs, "run `make docs`"


@needs_babel
@pytest.mark.parametrize(
    ("language", "key", "was", "now", "kind"),
    [
        ("ta", "territory:TT", "டிரினிடாட் & டொபாகோ", "டிரினிடாட் மற்றும் டொபாகோ", "list form"),
        ("hu", "script:Beng", "Bengáli", "bengáli", "capitals"),
        ("pt", "zone:America/Bogota", "Bogota", "Bogotá", "marks"),
        ("am", "language:kn", "ካናዳ", "ካናዳኛ", "other entity"),
        ("hr", "zone:Asia/Almaty", "Almaty", "Almati", "untranslated"),
        ("bn", "territory:TT", "ত্রিনিনাদ ও টোব্যাগো", "ত্রিনিদাদ ও টোবাগো", "letters"),
        ("es", "territory:CI", "Côte d’Ivoire", "Costa de Marfil", "untranslated"),
        ("pl", "territory:GB", "Wyspy", "Zjednoczone Królestwo", "other form"),
    ],
)
def test_what_was_wrong_with_a_name_is_told_from_both_spellings(
    language: str, key: str, was: str, now: str, kind: str
) -> None:
    others = {filters.normalise("ካናዳ"): "territory:CA"}
    assert corrections.kind(wording.read(language), key, was, now, others) == kind


def test_the_data_stay_small() -> None:
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 3_000_000
