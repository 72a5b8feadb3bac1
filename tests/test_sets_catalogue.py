"""Finding sets by name or path, registering one's own, and the commands around it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from clika import clika

from clika_client.common.errors import UserError
from clika_client.common.paths import home
from clika_client.sets import catalogue
from clika_client.sets.user import read_user_set

ROWS = [
    {"item_id": f"q{i}", "language": tag, "question": f"{tag} {i}?", "choices": ["x", "y"], "gold": i % 2}
    for tag in ("en", "he")
    for i in range(6)
]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return file


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """All four sets of the release in its layout, two items each, in texts of our own."""
    root = tmp_path / "release"

    def write(path: str, rows: list[dict[str, Any]]) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    stem = {"choices": {"label": list("ABCDE"), "text": list("vwxyz")}}
    write(
        "x_csqa/en/validation.jsonl",
        [{"id": str(i), "question": {"stem": f"{i}?", **stem}, "answerKey": "C"} for i in "01"],
    )
    copa = {"choice1": "a", "choice2": "b", "question": "cause", "label": 1}
    write("x_copa/en/test.jsonl", [{"id": i, "premise": f"{i}.", **copa} for i in (1, 2)])
    entity = {"answers": list("wxyz"), "label": 3, "original_lang": "en", "sent_lang": "en"}
    for name, file in (("x_geo", "en_geo_data.jsonl"), ("x_name", "en_name_data_generate.jsonl")):
        write(f"{name}/en/{file}", [{"id": i, "questions": f"{i}?", **entity} for i in (0, 1)])
    return root


def test_home_is_what_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIKA_HOME", str(tmp_path))
    assert home() == tmp_path


def test_a_path_is_read_without_being_registered(mine: Path) -> None:
    assert catalogue.resolve(str(mine)) == read_user_set(mine)
    assert catalogue.load_registry() == catalogue.Registry()


def test_a_registered_file_is_found_by_its_name_with_its_mapping_and_reference(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,q,a,b,g\n1,Where?,here,there,B\n", "utf-8")
    mapping = ["item_id=id,question=q,choices=a|b,gold=g,language==en"]
    catalogue.add("trivia", table, mapping=mapping, reference=0.95)
    found = catalogue.resolve("trivia")
    assert (found.name, found.n, found.reference) == ("trivia", 1, 0.95)
    assert catalogue.resolve("trivia", reference=0.75).reference == 0.75
    assert catalogue.remove("trivia") == (table,)
    with pytest.raises(UserError, match="no probe set 'trivia'"):
        catalogue.resolve("trivia")


def test_a_file_that_cannot_be_read_is_not_registered(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        catalogue.add("trivia", tmp_path / "gone.jsonl")
    assert not catalogue.registry_path().exists()


def test_a_taken_name_is_refused_but_the_same_file_may_be_added_again(mine: Path, tmp_path: Path) -> None:
    catalogue.add("trivia", mine)
    catalogue.add("trivia", mine, reference=0.9)
    assert catalogue.resolve("trivia").reference == 0.9
    other = tmp_path / "other.jsonl"
    other.write_bytes(mine.read_bytes())
    with pytest.raises(UserError, match="clika sets remove trivia"):
        catalogue.add("trivia", other)


@pytest.mark.parametrize("name", ["atlas", "x_geo", "a b", "../up", "", "-l"])
def test_names_of_other_sets_and_names_that_are_none_are_refused(mine: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"taken by a set of its own|cannot name a set"):
        catalogue.add(name, mine)


@pytest.mark.parametrize("reference", [0.0, -0.5, 95.0, float("nan")])
def test_a_reference_that_is_no_fraction_is_refused(mine: Path, reference: float) -> None:
    with pytest.raises(UserError, match="accuracy as a fraction"):
        catalogue.add("trivia", mine, reference=reference)
    with pytest.raises(UserError, match="accuracy as a fraction"):
        catalogue.resolve(str(mine), reference=reference)


def test_a_reference_below_chance_is_refused_before_anything_is_stored_that_could_not_be_scored(mine: Path) -> None:
    chance = catalogue.resolve(str(mine)).chance
    for reference in (chance, chance / 2):
        with pytest.raises(UserError, match="above chance"):
            catalogue.resolve(str(mine), reference=reference)
        with pytest.raises(UserError, match="above chance"):
            catalogue.add("trivia", mine, reference=reference)
    assert "trivia" not in catalogue.load_registry().files


def test_the_release_is_registered_once_for_its_four_sets(release: Path) -> None:
    names = [found.name for found in catalogue.add("clika-release", release)]
    assert names == ["x_csqa", "x_copa", "x_geo", "x_name"]
    assert [catalogue.resolve(name).k for name in names] == [5, 2, 4, 4]
    assert catalogue.resolve("x_geo", reference=0.5).reference == 0.97
    assert catalogue.remove("clika-release") == (release,)
    with pytest.raises(UserError, match="clika sets add clika-release FOLDER"):
        catalogue.resolve("x_geo")


def test_a_set_of_the_release_can_be_named_by_its_folder(release: Path) -> None:
    assert catalogue.resolve(str(release / "x_name")).name == "x_name"


def test_an_unknown_name_lists_the_known_ones_and_the_nearest(mine: Path) -> None:
    catalogue.add("trivia", mine)
    with pytest.raises(UserError, match="did you mean 'trivia'") as error:
        catalogue.resolve("triva")
    assert "known: atlas, atlas-names, fictional, trivia, or the path of a file (.jsonl" in str(error.value)


def test_a_damaged_registry_is_named_with_the_cure() -> None:
    path = catalogue.registry_path()
    path.parent.mkdir(parents=True)
    for content in ("{", "[]", '{"release": null, "files": {"a": 1}}'):
        path.write_text(content, "utf-8")
        with pytest.raises(UserError, match=r"sets\.json.*remove the file and add your sets again"):
            catalogue.load_registry()


def test_a_home_that_cannot_be_written_is_named_with_the_cure(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv("CLIKA_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(UserError, match="set CLIKA_HOME to a folder you can write to"):
        catalogue.add("trivia", mine)


def test_no_half_written_registry_is_left_when_the_disk_refuses(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(part: object, target: object) -> None:
        raise OSError(28, os.strerror(28))

    catalogue.add("trivia", mine)
    before = catalogue.registry_path().read_bytes()
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(UserError, match="No space left"):
        catalogue.add("more", mine)
    assert catalogue.registry_path().read_bytes() == before
    assert [file.name for file in home().iterdir()] == ["sets.json"]


def test_questions_reserved_for_examples_are_exported_and_read_back(tmp_path: Path) -> None:
    rows = [
        {
            "item_id": f"{kind}{i}",
            "language": tag,
            "question": f"{tag} {kind} {i}?",
            "choices": ["x", "y"],
            "gold": i % 2,
            "tags": {"subject": ("law", "art")[i % 2]},
            "reserved": reserved,
        }
        for kind, reserved in (("asked", False), ("example", "subject"))
        for i in range(4)
        for tag in ("en", "de")
    ]
    file, again = tmp_path / "s.jsonl", tmp_path / "again.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    again.write_text(clika("sets", "export", file, "-l", "de").stdout)
    found = catalogue.resolve(str(again))
    assert [item.item_id for item in found.items] == [f"asked{i}" for i in range(4)]
    asked = clika("prompt", again, "-l", "de", "--shots", 2, "--item", "asked3").stdout
    assert [f"de example {i}?" in asked for i in range(4)] == [False, True, False, True]
    assert "de asked 3?" in asked
    done = clika("run", again, "-m", "openai/none", "--shots", 3, "--dry-run", "--db", tmp_path / "c.db", check=2)
    assert "with subject=law; use --shots 2 or fewer" in done.stderr


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([{}, {"reserved": "topic"}], "line 2: 'reserved' is 'topic'; write true, false, or one of the row's tags"),
        ([{}, {"item_id": "b", "reserved": True}, {"item_id": "c", "reserved": "t"}], "line 3: 'reserved' is 't', but"),
        ([{}, {"item_id": "b", "language": "de", "reserved": True}], "no questions reserved for examples in en"),
        ([{}, {"reserved": True}], "item 'a' is asked and reserved"),
    ],
)
def test_examples_that_cannot_serve_are_refused(tmp_path: Path, changes: list[dict[str, object]], says: str) -> None:
    row = {"item_id": "a", "language": "en", "question": "?", "choices": ["x", "y"], "gold": 0, "tags": {"t": "u"}}
    file = tmp_path / "s.jsonl"
    file.write_text("".join(json.dumps({**row, **change}) + "\n" for change in changes))
    with pytest.raises(UserError, match=says):
        read_user_set(file)


@pytest.mark.parametrize("name", catalogue.BUILTIN)
def test_a_list_says_of_a_built_in_set_what_all_of_its_languages_say(name: str) -> None:
    listed, languages = catalogue.outline(name)
    whole = catalogue.resolve(name)
    assert len(listed.languages) == 1, "a list makes no language that it does not show"
    assert languages == whole.languages
    assert listed.counts.tolist() == whole.counts.tolist()
    assert [listed.name, listed.version, listed.reference, listed.licence, listed.source, listed.chance] == [
        *(whole.name, whole.version, whole.reference, whole.licence, whole.source, whole.chance)
    ]


@pytest.mark.parametrize("name", catalogue.BUILTIN)
def test_built_in_sets_are_exported_and_read_back_as_they_are(name: str, tmp_path: Path) -> None:
    from clika_client.sets.export import jsonl_lines

    found = catalogue.resolve(name).select(["en", "he", "sw"])
    file = tmp_path / "again.jsonl"
    file.write_bytes("".join(jsonl_lines(found)).encode())
    again = read_user_set(file)
    assert again.items == found.items
    assert dict(again.probes) == dict(found.probes)
