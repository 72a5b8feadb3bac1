"""Files made by strangers end in a sentence: databases to merge, exports to import, headers of models."""

from __future__ import annotations

import ast
import json
import math
import random
import sqlite3
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from clika import clika, write_probes
from parsed import FOLDERS, ROOT, files, parsed, statements

from clika_cache import CacheError, Database, StoredReply, archive, archive_block, prompt_text
from clika_cache import completions as rows
from clika_cache.archive_row import ArchiveReader
from clika_cache.sorted_rows import SortedRows
from clika_client.sets.packed import line_of
from clika_client.store.merge import merge
from clika_client.store.store import Store
from clika_providers import Completion, Message, RunError, Usage
from clika_providers.gguf import template
from clika_providers.gguf.errors import BadModelFile
from clika_providers.gguf.header import read_header


def filled(path: Path, replies: int = 5) -> Path:
    """A database of ours with a few replies."""
    with Store(path) as store:
        model = rows.model_id(store.database, "openai/m", '{"model":"m","provider":"openai"}')
        held = [
            StoredReply(
                n.to_bytes(16), model, prompt_text((Message("user", f"q{n}"),)),
                Completion("A", "stop", (-0.5, None), usage=Usage(1, 2), raw="{}"),
            )
            for n in range(replies)
        ]  # fmt: skip
        with store.database.writing() as connection:
            rows.insert(connection, held)
    return path


def taken(path: Path) -> int:
    with Database(path, read_only=True) as database:
        return int(database.connection.execute("SELECT count(*) FROM completions").fetchone()[0])


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n"
TAMPERED = {
    "an endless view": f"DROP TABLE completions; CREATE VIEW completions AS {ENDLESS}",
    "an endless view of sets": f"DROP TABLE set_blocks; CREATE VIEW set_blocks AS {ENDLESS}",
    "no replies": "DROP TABLE completions",
    "a computed column": "ALTER TABLE completions ADD COLUMN c AS (zeroblob(1000000000))",
    "a moment in words": "UPDATE completions SET created_at = 'yesterday'",
    "a moment beyond all": "UPDATE completions SET created_at = 9e99",
    "a short key": "UPDATE completions SET key = x'00' WHERE rowid = 1",
    "text that is none": "UPDATE completions SET text = x'ff'",
    "an identity that is no JSON": "UPDATE models SET identity = 'x'",
    "a prompt that is no JSON": "UPDATE prompts SET messages = '['",
    "probabilities that are none": "UPDATE completions SET choice_logprobs = '5'",
    "tokens that are text": "UPDATE completions SET input_tokens = 'many'",
    "a newer version": "INSERT INTO clika_migrations VALUES ('client_999', 'x')",
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_database_that_is_not_sound_is_not_merged(tmp_path: Path, what: str) -> None:
    other = filled(tmp_path / "other.db")
    with sqlite3.connect(other) as connection:
        connection.executescript(TAMPERED[what])
    with Store(tmp_path / "mine.db") as mine, pytest.raises(CacheError, match=r"other\.db"):
        merge(mine, other)
    assert taken(tmp_path / "mine.db") == 0


def test_triggers_of_the_other_file_do_nothing_and_it_stays_as_it_is(tmp_path: Path) -> None:
    other = filled(tmp_path / "other.db")
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON prompts BEGIN DELETE FROM completions; END")
    with Store(tmp_path / "mine.db") as mine:
        assert merge(mine, other)[0] == 5
        assert merge(mine, other)[0] == 0
    assert taken(other) == 5


def test_a_block_that_unpacks_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="unpacks to more than"):
        line_of(zlib.compress(b"\0" * 200_000_000, 9))


# ---- exports


def exported(path: Path) -> list[bytes]:
    with Database(path, read_only=True) as database:
        return b"".join(archive.export(database, archive.Exported())).splitlines(keepends=True)


def imported(path: Path, lines: list[bytes]) -> archive.Imported:
    with Database(path) as database:
        return archive.import_lines(database, "file", lines)


def test_what_is_exported_comes_back_whole(tmp_path: Path) -> None:
    lines = exported(filled(tmp_path / "a.db", 2500))
    done = imported(tmp_path / "b.db", lines)
    assert (done.new, done.read, done.damage) == (2500, 2500, None)
    assert exported(tmp_path / "b.db") == lines
    assert imported(tmp_path / "b.db", lines).new == 0


def test_replies_that_another_process_brought_in_meanwhile_are_not_counted_as_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, store = exported(filled(tmp_path / "a.db", 100)), SortedRows.store

    def later(rows: SortedRows) -> int:
        monkeypatch.setattr(SortedRows, "store", store)
        assert imported(tmp_path / "b.db", lines).new == 100
        return store(rows)

    monkeypatch.setattr(SortedRows, "store", later)
    assert imported(tmp_path / "b.db", lines).new == 0


def test_an_import_that_is_stopped_while_it_stores_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, insert_rows = exported(filled(tmp_path / "a.db", 2500)), rows.insert_rows
    stored: list[int] = []

    def stopped(connection: sqlite3.Connection, block: Sequence[rows.Row]) -> int:
        if len(stored) == 2:
            raise KeyboardInterrupt
        stored.append(insert_rows(connection, block))
        return stored[-1]

    monkeypatch.setattr("clika_cache.sorted_rows.insert_rows", stopped)
    monkeypatch.setattr("clika_cache.sorted_rows._AT_ONCE", 500)
    with pytest.raises(KeyboardInterrupt):
        imported(tmp_path / "b.db", lines)
    assert sum(stored) > 0
    assert taken(tmp_path / "b.db") == 0


def test_escapes_that_no_text_can_hold_are_made_storable_by_an_import(tmp_path: Path) -> None:
    lines = [line for line in exported(filled(tmp_path / "a.db", 2)) if line.startswith(b'{"key"')]
    odd = [lines[0].replace(b'"text":"A"', b'"text":"a \\uD800 b"'), lines[1]]
    assert odd != lines
    assert imported(tmp_path / "b.db", odd).new == 2
    with Database(tmp_path / "b.db", read_only=True) as database:
        texts = {text for (text,) in database.connection.execute("SELECT text FROM completions")}
    assert texts == {"a ? b", "A"}


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_a_file_that_was_cut_short_is_read_as_far_as_it_is_whole(tmp_path: Path, cut: float) -> None:
    whole = b"".join(exported(filled(tmp_path / "a.db", 3500)))
    part = whole[: int(cut * len(whole))].splitlines(keepends=True)
    if cut < 0.25:
        with pytest.raises(CacheError, match="file:"):
            imported(tmp_path / "b.db", part)
        return
    done = imported(tmp_path / "b.db", part)
    assert done.damage is not None
    assert done.read % 1000 == 0
    assert done.read == taken(tmp_path / "b.db") >= 1000


def test_a_changed_letter_is_found_by_its_block(tmp_path: Path) -> None:
    lines = exported(filled(tmp_path / "a.db", 3000))
    lines[1500] = lines[1500].replace(b'"text":"A"', b'"text":"B"')
    done = imported(tmp_path / "b.db", lines)
    assert (done.read, "checksum" in str(done.damage)) == (1000, True)


def test_exports_of_the_first_version_are_read(tmp_path: Path) -> None:
    lines = [line for line in exported(filled(tmp_path / "a.db", 20)) if line.startswith(b'{"key"')]
    assert imported(tmp_path / "b.db", lines).new == 20


def test_no_mutation_of_an_export_ends_in_anything_but_a_sentence(tmp_path: Path) -> None:
    """Values of every wrong type in every field, then random bytes; what is taken in can be counted afterwards."""
    good = [line for line in exported(filled(tmp_path / "a.db", 3)) if line.startswith(b'{"key"')]
    odd = [None, True, -1, 2**70, 1e308, "x", "\ud800", [], {}, [[]], {"a": 1}, "9" * 5000]
    chance = random.Random(0)
    files = [
        [json.dumps({**json.loads(good[0]), name: value}).encode()] for name in json.loads(good[0]) for value in odd
    ]
    for _ in range(200):
        damaged = bytearray(b"".join(good))
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        files.append(bytes(damaged).splitlines(keepends=True))
    with Database(tmp_path / "b.db") as database:
        for lines in files:
            try:
                archive.import_lines(database, "file", lines)
            except CacheError as error:
                assert "file:" in str(error)  # noqa: PT017
        from clika_cache import maintenance

        assert maintenance.verify(database) == []
        assert maintenance.stats(database).replies > 0


def test_lines_read_together_are_what_they_are_one_by_one(tmp_path: Path) -> None:
    """Fields of every kind and of every wrong one: read together as they are read alone, or left to be read alone."""
    line = json.loads(exported(filled(tmp_path / "a.db", 1))[1])
    turns = [["system", "\u00e4"], ["user", "Q\n\u001b"], ["assistant", "B"], ["user", "Q2"]]
    fine: dict[str, list[Any]] = {
        "messages": [turns, turns[:1], []], "text": ["", "\U0001f600", "a ? b"], "source": ["", "import", None],
        "cost": [None, 0.25], "created_at": [1.5, 3.9e9], "input_tokens": [0, None], "latency_s": [None, 1e-300],
        "choice_logprobs": [None, [-0.5, None, -2]], "raw": ["\ud800", None, "{\"a\": \"\\n\"}"], "key": ["0f" * 16],
        "option_figures": [None, '{"tokens":[1,2]}'], "identity": [{"model": "n", "provider": "p", "deep": [{}]}],
    }  # fmt: skip
    odd = [None, True, -1, 2**70, 1e308, math.nan, "x", [], {}, [["user"]], [{"user": 1, "x": 2}], "9" * 32, " " * 32]
    cases = [(n, v, True) for n in fine for v in fine[n]] + [(n, v, False) for n in line for v in odd]
    for name, value, plain in cases:
        lines = [json.dumps({**line, name: value}, separators=(",", ":")).encode() + b"\n"] * 2
        block = archive_block.read(lines, ArchiveReader())
        assert block is not None or not plain, (name, value)
        if block is not None:
            alone = ArchiveReader().parse("", lines[0])
            alone.values[rows.MODEL] = 7
            assert [*block.rows({alone.identity: 7})] == [tuple(alone.values)] * 2, (name, value)
            assert (block.prompts[0], block.models) == (alone.prompt, {alone.identity: alone.model})
    mixed = [
        json.dumps({**line, n: v, "key": f"{i:032x}"}, separators=(",", ":")).encode() + b"\n"
        for i, (n, v) in enumerate((n, v) for n in fine for v in fine[n] if n != "key")
    ]
    whole = archive_block.read(mixed, ArchiveReader())
    assert whole is not None
    parsed = [ArchiveReader().parse("", each) for each in mixed]
    assert [row.values for row in parsed] == [
        [None if i == rows.MODEL else v for i, v in enumerate(row)]
        for row in whole.rows(dict.fromkeys(whole.models, 7))
    ]
    two = [b'{"key":"' + b"0" * 32 + b'"},' + lines[0], lines[1][:-2] + b",\n"]
    assert archive_block.read([lines[0], *two], ArchiveReader()) is None


def test_an_import_holds_no_more_of_a_longer_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bounds are made small, so that short files pass them; SQLite's own memory is bounded by its settings."""
    for name, bound in (("_IN_MEMORY", 1 << 8), ("_HELD", 5), ("_AT_ONCE", 100), ("_KNOWN", 500)):
        monkeypatch.setattr(f"clika_cache.sorted_rows.{name}", bound)
    (line,) = [line for line in exported(filled(tmp_path / "a.db", 1)) if line.startswith(b'{"key"')]
    before, after = line[:8], line[40:].replace(b'"messages":[["user","', b'"messages":[["user","%d ')
    assert after != line[40:]

    def peak(replies: int) -> int:
        keyed = (before + random.Random(i).randbytes(16).hex().encode() + after % i for i in range(replies))
        with Database(tmp_path / f"{replies}.db") as database:
            tracemalloc.start()
            assert archive.import_lines(database, "file", keyed).new == replies
            reached = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return reached

    short, long = peak(2000), peak(5000)
    assert long - short < 0.2 * 3000 * len(line)


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        ("UPDATE prompts SET messages = '[[' WHERE rowid = 2", 4),
        ("UPDATE prompts SET messages = x'ff' WHERE rowid = 2", 4),
        ("DELETE FROM prompts WHERE rowid = 2", 4),
        ("UPDATE models SET identity = '[1]'", 0),
        ("DELETE FROM models", 0),
        ("UPDATE completions SET latency_s = 9e999 WHERE rowid = 2", 4),
        ("UPDATE completions SET text = x'ff' WHERE rowid = 2", 4),
    ],
)
def test_a_reply_that_refers_to_what_is_damaged_is_left_out_of_an_export_and_counted(
    tmp_path: Path, damage: str, kept: int
) -> None:
    path = filled(tmp_path / "a.db")
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    done = archive.Exported()
    with Database(path, read_only=True) as database:
        lines = b"".join(archive.export(database, done)).splitlines()
    assert (done.replies, done.left_out) == (kept, 5 - kept)
    assert all(json.loads(line) for line in lines)


# ---- models


def gguf_with_dimensions(path: Path, dimensions: int) -> Path:
    """A header of one tensor of so many dimensions of 1."""
    name = b"t"
    table = struct.pack("<Q", len(name)) + name + struct.pack("<I", dimensions) + struct.pack("<Q", 1) * dimensions
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + table + struct.pack("<IQ", 0, 0) + bytes(64))
    return path


def test_a_tensor_of_many_dimensions_is_refused_at_once(tmp_path: Path) -> None:
    file = gguf_with_dimensions(tmp_path / "deep.gguf", 600_000)
    with pytest.raises(BadModelFile, match="600000 dimensions"):
        read_header(file)
    listed = clika("models", "list", "--models-dir", tmp_path)
    assert "deep" in listed.stdout
    asked = clika("run", write_probes(tmp_path / "p.jsonl"), "-m", f"gguf/{file}", "--db", tmp_path / "c.db", check=2)
    assert "dimensions" in asked.stderr


@pytest.mark.parametrize("length", [2**63, 2**40])
def test_a_list_longer_than_its_file_is_called_cut_short(tmp_path: Path, length: int) -> None:
    key = b"tokenizer.ggml.tokens"
    pair = struct.pack("<Q", len(key)) + key + struct.pack("<IIQ", 9, 8, length)
    (tmp_path / "long.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + pair + bytes(64))
    with pytest.raises(BadModelFile, match="truncated"):
        read_header(tmp_path / "long.gguf")


ENDLESS_TEMPLATE = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def test_a_template_without_end_is_stopped_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "_MOST_S", 0.3)
    chat = template.ChatTemplate(ENDLESS_TEMPLATE, bos="", eos="")
    with pytest.raises(RunError, match="chat template ran for more than"):
        chat.render((Message("user", "?"),), thinking=False)


def test_a_template_without_end_ends_with_sigterm() -> None:
    code = (
        "import signal, sys\nfrom clika_providers import Message\nfrom clika_providers.gguf import template\n"
        "from clika_client.cli.app import _end_gently\n_end_gently()\ntemplate._MOST_S = 600\n"
        f"chat = template.ChatTemplate({ENDLESS_TEMPLATE!r}, bos='', eos='')\nprint('on', flush=True)\n"
        "chat.render((Message('user', '?'),), thinking=False)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline() == b"on\n"
    process.terminate()
    assert process.wait(300) != 0
    process.stdout.close()


def _json_parsed_in(body: Sequence[ast.stmt]) -> bool:
    """Whether a statement parses JSON, not counting what a `try` of its own surrounds."""
    left: list[ast.AST] = list(body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Try):
            continue
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.loads", "json.load"):
            return True
        left += ast.iter_child_nodes(node)
    return False


def test_whoever_expects_json_to_be_wrong_expects_it_to_be_nested_too_deeply() -> None:
    """Python says so with a RecursionError, which is no ValueError."""
    forgotten = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for folder in FOLDERS.values()
        for file in files(folder)
        for node in statements(parsed(file))
        if isinstance(node, ast.Try) and _json_parsed_in(node.body)
        for caught in [" ".join(ast.unparse(handler.type) for handler in node.handlers if handler.type)]
        if "ValueError" in caught and "RecursionError" not in caught
    ]
    assert not forgotten, f"RecursionError is not caught beside ValueError: {forgotten}"


def test_a_list_of_registered_sets_that_is_nested_without_end_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIKA_HOME", str(tmp_path))
    (tmp_path / "sets.json").write_text('{"release": null, "files": ' + "[" * 100_000)
    assert f"{tmp_path / 'sets.json'}: not the list of registered sets" in clika("sets", "list", check=2).stderr
