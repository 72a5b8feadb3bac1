"""Finds out what a path holds and imports it: the one entry point for every format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.importers import batch_results, inspect_log, lm_eval, table, x_fakt
from clika_client.importers.common import ImportReport, Progress
from clika_client.importers.foreign import ForeignReply
from clika_client.importers.ingest import ingest
from clika_client.importers.lm_eval_log import is_samples, sample_files
from clika_client.importers.release import SOURCE, import_release
from clika_client.sets.mapping import parse_mapping
from clika_client.sets.probes import ProbeSet
from clika_client.sets.release_layout import FOLDERS, find_root
from clika_client.sets.spreadsheets import SUFFIXES
from clika_client.store.store import OWN, Store

FORMATS = ("clika-release", "lm-eval", "inspect", "openai-batch", "anthropic-batch", "gemini-batch", "x-fakt", "table")


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user says about a file that the file does not say itself."""

    format: str | None = None
    probe_set: ProbeSet | None = None
    """Match replies to this set's items; needed where the file does not carry the questions."""
    mapping: tuple[str, ...] = ()
    model: str | None = None
    language: str | None = None
    set_name: str | None = None
    prompt: str | None = None
    source: str | None = None
    custom_id: str | None = None
    requests: Path | None = None

    def defaults(self) -> dict[str, str]:
        """Parts that every row has unless it says otherwise."""
        given = {"model": self.model, "language": self.language, "set": self.set_name, "prompt": self.prompt}
        return {name: value for name, value in given.items() if value is not None}


def import_path(
    store: Store, path: Path, options: ImportOptions | None = None, progress: Progress | None = None
) -> ImportReport:
    """Import whatever `path` holds; idempotent. Raises UserError, with the cure, when nothing can be taken."""
    options = options or ImportOptions()
    path = path.expanduser()
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    kind = options.format or detect(path)
    if kind not in FORMATS:
        raise UserError(f"--format {kind!r} is not one of {', '.join(FORMATS)}")
    if options.source == OWN:
        raise UserError(f"--source {OWN!r} is kept for answers this tool asked for itself; choose another name")
    if kind == SOURCE:
        return import_release(store, path, progress)
    if kind == x_fakt.SOURCE:
        return x_fakt.import_x_fakt(store, path, progress)
    report = ImportReport(options.source or kind)
    ingest(store, _rows(kind, path, options, report), report, options.probe_set, progress)
    return report


def detect(path: Path) -> str:
    """The format of a file or folder; raises UserError listing the formats when it is none of them."""
    if path.is_dir():
        if _is_release(path):
            return SOURCE
        if sample_files(path):
            return "lm-eval"
        if inspect_log.log_files(path):
            return "inspect"
        if x_fakt.model_folders(path):
            return x_fakt.SOURCE
        raise UserError(f"{path}: no responses found in this folder; known formats: {', '.join(FORMATS)}")
    if path.suffix == ".jsonl" and (path.name.startswith("samples_") or is_samples(path)):
        return "lm-eval"
    if inspect_log.is_log(path):
        return "inspect"
    if path.suffix == ".jsonl":
        return batch_results.kind_of(_first(path)) or "table"
    if path.suffix.lower() in SUFFIXES:
        return "table"
    raise UserError(f"{path}: unknown kind of file; name it with --format: {', '.join(FORMATS)}")


def _is_release(path: Path) -> bool:
    try:
        root = find_root(path)
    except UserError:
        return False
    inside = root == path.resolve() or path.resolve() in root.parents
    return inside or path.resolve().name in FOLDERS


def _first(path: Path) -> dict[str, object]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.strip():
                    row = json.loads(line)
                    return row if isinstance(row, dict) else {}
    except (OSError, ValueError, RecursionError):
        pass
    return {}


def _rows(kind: str, path: Path, options: ImportOptions, report: ImportReport) -> Iterator[ForeignReply]:
    defaults = options.defaults()
    files = _files(kind, path)
    for file in files:
        before = report.skipped_rows.total()
        taken = 0
        if kind == "lm-eval":
            rows = lm_eval.read_samples(file, defaults, report, _named_id(options.mapping))
        elif kind == "inspect":
            rows = inspect_log.read_log(file, defaults, report)
        elif kind == "table":
            rows = table.read_table(file, options.mapping, defaults, report)
        else:
            if options.probe_set is None:
                raise UserError(f"{path}: batch results do not carry the questions; name the probe set with --set")
            rows = batch_results.read_results(
                file, options.probe_set, defaults, report, options.custom_id, options.requests
            )
        for row in _foreseen(rows, kind, file, report):
            taken += 1
            yield row
        if taken:
            report.files += 1
        elif report.skipped_rows.total() > before:
            report.skip_file("no usable row", str(file))


def _foreseen(rows: Iterator[ForeignReply], kind: str, file: Path, report: ImportReport) -> Iterator[ForeignReply]:
    """The rows up to one of a shape that nobody foresaw: no file of others may end the whole import."""
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError) as error:
            report.skip_file(f"not in the shape of {kind} from some row on ({type(error).__name__})", str(file))
            return
        yield row


def _named_id(mapping: Sequence[str]) -> tuple[str, ...]:
    """The fields that `--map item_id=link|number` names; a log has no other columns to map."""
    if not mapping:
        return ()
    return parse_mapping(mapping, ("item_id",))["item_id"].columns


def _files(kind: str, path: Path) -> Sequence[Path]:
    if kind == "lm-eval":
        return sample_files(path)
    if kind == "inspect":
        return inspect_log.log_files(path)
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    return [path]
