"""Exports as files: packed by their name, read by their first bytes, whole or not there at all."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from clika_client.cli import archive_files
from clika_client.common.errors import UserError

LINES = [b'{"a": 1}\n', "Zeile zwei: \u00fc\n".encode(), b"the last one has no end"]


def write(path: Path) -> Path:
    with archive_files.writing(path) as put:
        for line in LINES:
            put(line)
    return path


@pytest.mark.parametrize(("suffix", "start"), [("", b'{"a"'), (".gz", b"\x1f\x8b"), (".zst", b"\x28\xb5\x2f\xfd")])
def test_what_is_packed_by_its_name_is_unpacked_under_any(tmp_path: Path, suffix: str, start: bytes) -> None:
    path = write(tmp_path / f"out.jsonl{suffix}")
    assert path.read_bytes().startswith(start)
    assert path.stat().st_mode & 0o777 == 0o600
    with archive_files.reading(path.rename(tmp_path / "renamed")) as lines:
        assert list(lines) == LINES


def test_a_file_that_could_not_be_written_whole_is_not_there(tmp_path: Path) -> None:
    def stop_midway() -> None:
        with archive_files.writing(tmp_path / "out.jsonl.gz") as put:
            put(LINES[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_midway()
    assert list(tmp_path.iterdir()) == []
    with (
        pytest.raises(UserError, match=r"cannot write .*choose another file"),
        archive_files.writing(tmp_path / "no" / "folder" / "out.jsonl"),
    ):
        pass
    with pytest.raises(UserError, match=r"cannot read .*missing"), archive_files.reading(tmp_path / "missing"):
        pass


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_damaged_file_ends_with_a_line_that_says_so(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"out.jsonl{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[:-6] + bytes(6))
    with archive_files.reading(path) as lines:
        assert list(lines)[-1].startswith(b"damaged: ")


def test_a_line_without_end_is_read_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_files, "_MOST_LINE", 1000)
    path = tmp_path / "long.gz"
    path.write_bytes(gzip.compress(b"x" * 5_000_000))
    with archive_files.reading(path) as lines:
        assert sum(map(len, lines)) <= 1 << 20


def test_zstd_that_is_not_installed_is_named_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(UserError, match=r'install "zstandard", or use \.gz'), archive_files.writing(tmp_path / "a.zst"):
        pass
    assert list(tmp_path.iterdir()) == []
