"""Finds a benchmark's files in a folder, an archive or a single file as downloaded, and whose language each is."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.languages import canonical
from clika_client.sets.benchmarks.table import Benchmark
from clika_client.sets.benchmarks.wide import WIDE
from clika_client.sets.spreadsheets import read_rows

_ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar", ".tar.xz")
_BY_LANGUAGE = "*"
"""Stands for the language of a file that holds several."""

Files = Mapping[str, tuple[Path, ...]]
"""language (BCP 47) → its files, in the order of their names."""


@dataclass(slots=True)
class Matched:
    """The paths that belong to a benchmark."""

    asked: dict[str, list[str]] = field(default_factory=dict)
    """language → paths of the questions that are asked."""
    examples: dict[str, list[str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    """Spellings of languages that nobody understands; their files are left out."""

    def paths(self) -> list[str]:
        """All paths, each once."""
        return list(dict.fromkeys(p for part in (self.asked, self.examples) for found in part.values() for p in found))


@dataclass(frozen=True, slots=True)
class BenchmarkFiles:
    """A benchmark's files on this machine."""

    asked: Files
    examples: Files
    unknown: tuple[str, ...]


def match(benchmark: Benchmark, paths: Iterable[str], languages: Sequence[str] | None = None) -> Matched:
    """Which of `paths` (with `/`) hold which language; where two patterns fit one language, the first counts."""
    ranked: dict[tuple[bool, str], tuple[int, list[str]]] = {}
    matched = Matched()
    patterns = [(_regex(pattern), fixed) for pattern, fixed in benchmark.files]
    for path in sorted(paths):
        if set(benchmark.skip) & set(PurePosixPath(path).parts):
            continue
        for rank, (pattern, fixed) in enumerate(patterns):
            hit = pattern.search(path)
            part = _part(benchmark, hit) if hit else None
            if hit is None or part is None:
                continue
            spelt = fixed or hit.groupdict().get("language") or ""
            language = _language(benchmark, spelt)
            if language is None:
                if spelt not in matched.unknown:
                    matched.unknown.append(spelt)
            elif languages is None or language in languages or language == _BY_LANGUAGE:
                best = ranked.setdefault((part, language), (rank, []))
                if rank < best[0]:
                    best = ranked[part, language] = (rank, [])
                if rank == best[0]:
                    best[1].append(path)
            break
    for (asked, language), (_, found) in ranked.items():
        (matched.asked if asked else matched.examples)[language] = found
    return matched


def _regex(pattern: str) -> re.Pattern[str]:
    """A pattern matches the end of a path, from a folder's beginning."""
    text = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\{split\}", r"(?P<split>[A-Za-z]+)")
    text = text.replace(r"\{language\}", r"(?P<language>[^/]+)", 1).replace(r"\{language\}", "(?P=language)")
    return re.compile(f"(?:^|/){text}$")


def _part(benchmark: Benchmark, hit: re.Match[str]) -> bool | None:
    """True for what is asked, False for examples, None for another split."""
    split = hit.groupdict().get("split")
    if split is None or split in benchmark.asked:
        return True
    return False if split in benchmark.examples else None


def _language(benchmark: Benchmark, spelt: str) -> str | None:
    if not spelt:
        return _BY_LANGUAGE
    try:
        return canonical(benchmark.codes.get(spelt, spelt))
    except UserError:
        return None


@contextmanager
def opened(benchmark: Benchmark, path: Path, languages: Sequence[str] | None = None) -> Iterator[BenchmarkFiles]:
    """The benchmark's files at `path`; what had to be unpacked is gone again afterwards.

    Raises UserError where there are none, with what was looked for and the cure.
    """
    path = path.expanduser()
    _refuse_other(benchmark, path)
    with TemporaryDirectory(prefix="clika-") as folder:
        room = Path(folder)
        matched, place = _look(benchmark, path, languages, room)
        if not matched.asked:
            raise UserError(_none_found(benchmark, path, matched, languages))
        asked, examples = (
            _by_language(
                benchmark, {tag: [place[p] for p in found] for tag, found in part.items()}, room / name, languages
            )
            for part, name in ((matched.asked, "asked"), (matched.examples, "examples"))
        )
        yield BenchmarkFiles(asked, examples, tuple(matched.unknown))


def _refuse_other(benchmark: Benchmark, path: Path) -> None:
    """The user may have named the very folder that holds something else."""
    inside = set(benchmark.skip) & set(path.resolve().parts)
    if inside:
        why = next((d for d in benchmark.defects if sorted(inside)[0] in d), f"{sorted(inside)[0]} is another set")
        raise UserError(f"{path}: not {benchmark.title}: {why}; give the folder of its own files")


def _look(
    benchmark: Benchmark, path: Path, languages: Sequence[str] | None, room: Path
) -> tuple[Matched, Mapping[str, Path]]:
    """What matches, and where each path lies; archives are looked into where nothing lies open."""
    if path.is_file() and not path.name.endswith(_ARCHIVES):
        # A name alone may not tell the language: the folders above may.
        place = {"/".join(path.resolve().parts[-4:]).lstrip("/"): path}
        return match(benchmark, place, languages), place
    if path.is_dir():
        place = {file.relative_to(path).as_posix(): file for file in _walk(path)}
        matched = match(benchmark, place, languages)
        if not matched.asked:
            # The folder given may be the one named after the language or the split.
            lifted = {f"{path.resolve().name}/{name}": file for name, file in place.items()}
            matched, place = match(benchmark, lifted, languages), lifted
        if matched.asked:
            return matched, place
        archives = [file for name, file in place.items() if name.endswith(_ARCHIVES)]
    elif path.is_file():
        archives = [path]
    else:
        raise UserError(f"{path}: no such file or folder; {benchmark.how_to_get()}")
    for number, archive in enumerate(archives):
        unpacked = _unpack(benchmark, archive, languages, room / str(number))
        matched = match(benchmark, unpacked, languages)
        if matched.asked:
            return matched, unpacked
    return Matched(), {}


def _walk(path: Path) -> Iterator[Path]:
    """All files below, without hidden folders such as `.git` and `.cache`."""
    for entry in sorted(path.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry)
        else:
            yield entry


def _unpack(benchmark: Benchmark, archive: Path, languages: Sequence[str] | None, room: Path) -> dict[str, Path]:
    """The benchmark's files of an archive, and no others, unpacked into `room` under names of our own."""
    try:
        place: dict[str, Path] = {}
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as packed:
                for path in match(benchmark, packed.namelist(), languages).paths():
                    place[path] = _write(room, len(place), path, packed.read(path))
        else:
            with tarfile.open(archive) as bundle:
                members = {m.name: m for m in bundle.getmembers() if m.isfile()}
                for path in match(benchmark, members, languages).paths():
                    content = bundle.extractfile(members[path])
                    place[path] = _write(room, len(place), path, content.read() if content else b"")
    except (OSError, zipfile.BadZipFile, tarfile.TarError, RuntimeError, EOFError) as error:
        raise UserError(f"{archive}: cannot be unpacked ({error}); download it again") from None
    return place


def _write(room: Path, number: int, path: str, data: bytes) -> Path:
    """Folder names of an archive are not trusted: only the file's own name is kept, in a folder of our own."""
    target = room / str(number) / PurePosixPath(path).name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target


def _by_language(
    benchmark: Benchmark, files: Mapping[str, Sequence[Path]], room: Path, languages: Sequence[str] | None
) -> Files:
    """Files of several languages are split by their column first."""
    mixed = files.get(_BY_LANGUAGE)
    if mixed is None or len(files) > 1:
        return {tag: tuple(found) for tag, found in files.items() if tag != _BY_LANGUAGE}
    room.mkdir(parents=True, exist_ok=True)
    outs: dict[str, Any] = {}
    try:
        for spelt, row in _pieces(benchmark, mixed, room):
            tag = _language(benchmark, spelt)
            if tag is None or (languages is not None and tag not in languages):
                continue
            if tag not in outs:
                outs[tag] = (room / f"{tag}.jsonl").open("w", encoding="utf-8")
            outs[tag].write(json.dumps(row, ensure_ascii=False) + "\n")
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{mixed[0]}: not the layout of {benchmark.title} ({error!r}); get it again") from None
    finally:
        for out in outs.values():
            out.close()
    return {tag: (room / f"{tag}.jsonl",) for tag in outs}


def _pieces(benchmark: Benchmark, files: Sequence[Path], room: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(language as spelt, row) of files that hold several languages, whether a row is of one of them or of all."""
    apart = WIDE.get(benchmark.layout)
    for file in files:
        for _, row in read_rows(_plain(file, room)):
            if apart is None:
                yield str(row[benchmark.language_column]), row
            else:
                yield from apart(row)


def _plain(file: Path, room: Path) -> Path:
    """The file itself, unpacked where it is compressed."""
    if file.suffix != ".gz":
        return file
    target = room / file.name.removesuffix(".gz")
    try:
        with gzip.open(file) as packed, target.open("wb") as out:
            shutil.copyfileobj(packed, out)
    except (OSError, EOFError) as error:
        raise UserError(f"{file}: cannot be unpacked ({error}); download it again") from None
    return target


def _none_found(benchmark: Benchmark, path: Path, matched: Matched, languages: Sequence[str] | None) -> str:
    looked = ", ".join(pattern for pattern, _ in benchmark.files)
    splits = "" if "{split}" not in looked else f" (split: {' or '.join(benchmark.asked)})"
    odd = f"; not understood as languages: {', '.join(matched.unknown[:5])}" if matched.unknown else ""
    only = f" in {', '.join(languages)}" if languages else ""
    return (
        f"{path}: no file of {benchmark.title}{only} is here; looked for {looked}{splits}{odd}. "
        f"To get them: {benchmark.how_to_get()}"
    )
