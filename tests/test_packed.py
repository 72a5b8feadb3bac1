"""Large sets are kept compressed: nothing but their size may differ from small ones."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clika_cache import CacheError
from clika_client.common.errors import UserError
from clika_client.sets import gather, packed
from clika_client.sets.packed import (
    BLOCK,
    PackedProbes,
    SpooledBlocks,
    from_blocks,
    pack,
    set_digest,
    to_blocks,
    to_lines,
)
from clika_client.sets.probes import Item, Probe, ProbeSet, build
from clika_client.sets.user import read_user_set
from clika_client.store.store import Store

Rows = list[dict[str, object]]
LANGUAGES = ("en", "de", "pt-BR")


def rows(n: int) -> Rows:
    return [
        {
            "item_id": f"q{i}",
            "language": language,
            "question": f"{language} {i}: \u2028 “é” \\n?",
            "choices": [f"{language}{i}", "b", "c"],
            "gold": i % 3,
            # One tag that belongs to the item, one that differs between languages, some without either.
            "tags": {"region": f"r{i % 4}", "same": language} if i % 5 else {},
            "fields": {"premise": f"p{i}"} if i % 7 == 0 else {},
        }
        for i in range(n)
        for language in LANGUAGES
    ]


def written(path: Path, given: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    return path


def keep_compressed(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    for module in (packed, gather):
        monkeypatch.setattr(module, "PACK_FROM", at)


def probes(n: int) -> tuple[tuple[Item, ...], tuple[Probe, ...]]:
    items = tuple(Item(f"q{i}") for i in range(n))
    return items, tuple(Probe(f"q{i}", "en", f"Question {i}?", ("a", "b"), i % 2, {"t": str(i)}) for i in range(n))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("at", [1, 700])
def test_a_large_file_gives_the_same_set_as_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shuffle: bool, at: int
) -> None:
    lines = rows(BLOCK + 50)
    if shuffle:
        random.Random(1).shuffle(lines)
    path = written(tmp_path / "mine.jsonl", lines)
    small = read_user_set(path)
    keep_compressed(monkeypatch, at)
    large = read_user_set(path)
    assert all(isinstance(p, tuple) for p in small.probes.values())
    assert all(isinstance(p, PackedProbes) for p in large.probes.values())
    assert large == small
    assert set_digest(large) == set_digest(small)
    by_id = {item.item_id: (item, probe) for item, probe in zip(large.items, large.probes["de"], strict=True)}
    item, probe = by_id["q6"]
    assert (item.tags, probe.tags) == ({"region": "r2"}, {"same": "de"})
    assert by_id["q7"][1].fields == {"premise": "p7"}


def test_a_large_set_without_tags_needs_no_second_packing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "mine.jsonl", [{**row, "tags": {}} for row in rows(BLOCK * 2)])
    small = read_user_set(path)
    keep_compressed(monkeypatch, 100)
    assert read_user_set(path) == small


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda found: [*found, found[0]], "line 901: item 'q0' in 'en' stands already in line 1;"),
        (lambda found: found[:-1], "1 of 300 items are missing in language 'pt-BR': 'q299'"),
        (
            lambda found: [*found[:-1], {**found[-1], "gold": 0}],
            "line 900: item 'q299' has gold 0 in 'pt-BR', but 2 in",
        ),
        (
            lambda found: [*found[:-1], {**found[-1], "choices": ["a", "b", "c", "d"]}],
            "has 4 choices in 'pt-BR', but 3 in 'en' (line 898)",
        ),
    ],
)
def test_mistakes_in_a_large_file_are_found_where_they_stand(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Rows], Rows],
    says: str,
) -> None:
    keep_compressed(monkeypatch, 10)
    path = written(tmp_path / "mine.jsonl", change(rows(300)))
    with pytest.raises(UserError) as error:
        read_user_set(path)
    assert says in str(error.value)


def test_a_large_set_comes_back_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = read_user_set(written(tmp_path / "mine.jsonl", rows(BLOCK + 3)))
    keep_compressed(monkeypatch, 10)
    with Store(tmp_path / "c.db") as store:
        number = store.add_set(original)
    with Store(tmp_path / "c.db", read_only=True) as store:
        found = store.probe_set(number)
        assert isinstance(found.probes["en"], PackedProbes)
        assert found == original
        assert set_digest(found) == set_digest(original)


@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 3 * BLOCK), data=st.data())
def test_packed_probes_behave_as_their_tuple(n: int, data: st.DataObject) -> None:
    items, plain = probes(n)
    found = pack(items, "en", iter(plain))
    index = data.draw(st.integers(-n, n - 1))
    start, stop = data.draw(st.integers(-n, n)), data.draw(st.integers(-n, n))
    assert len(found) == n
    assert found[index] == plain[index]
    assert found[start:stop] == plain[start:stop]
    assert tuple(found) == plain
    assert found == plain
    with pytest.raises(IndexError):
        found[n]


def test_packed_probes_differ_where_one_probe_differs() -> None:
    items, plain = probes(BLOCK + 1)
    other = (*plain[:-1], Probe(plain[-1].item_id, "en", "Another?", ("a", "b"), plain[-1].gold))
    assert pack(items, "en", plain) != pack(items, "en", other)
    assert pack(items, "en", plain) != plain[:-1]


def test_the_text_of_a_set_never_depends_on_how_it_is_kept() -> None:
    items, plain = probes(BLOCK * 2 + 1)
    as_tuple = build("little", items, plain)
    compressed = ProbeSet("little", items, {"en": pack(items, "en", plain)})
    assert list(to_lines(as_tuple)) == list(to_lines(compressed))
    assert from_blocks(to_blocks(compressed)) == as_tuple


def test_selecting_all_items_keeps_them_compressed_and_a_limit_takes_the_same_ones() -> None:
    items, plain = probes(BLOCK * 2)
    as_tuple = build("little", items, plain)
    compressed = ProbeSet("little", items, {"en": pack(items, "en", plain)})
    assert isinstance(compressed.select(["en"]).probes["en"], PackedProbes)
    assert compressed.select(limit=9, seed=3) == as_tuple.select(limit=9, seed=3)


@pytest.mark.parametrize("change", ["DELETE FROM set_blocks WHERE number = 5", "UPDATE set_blocks SET block = x'00'"])
def test_a_stored_set_that_lost_a_part_is_named(tmp_path: Path, change: str) -> None:
    with Store(tmp_path / "c.db") as store:
        number = store.add_set(read_user_set(written(tmp_path / "mine.jsonl", rows(BLOCK + 3))))
        store.database.connection.execute(change)
    with Store(tmp_path / "c.db") as store, pytest.raises(CacheError, match=r"c\.db: probe set 1 cannot be read"):
        store.probe_set(number)


def test_spooled_blocks_read_as_a_list_of_them_would() -> None:
    blocks = [b"one", b"", b"three", b"4"]
    spooled = SpooledBlocks(iter(blocks))
    assert list(spooled) == blocks
    assert (spooled[2], spooled[-1], spooled[1:3], len(spooled)) == (b"three", b"4", [b"", b"three"], 4)
    with pytest.raises(IndexError):
        spooled[4]
