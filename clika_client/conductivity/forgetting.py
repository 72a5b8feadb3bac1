"""What teaching cost: the same questions of atlas before and after it, paired, in English and each language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clika_client.answers.cells import read_cell
from clika_client.asking.config import RunConfig
from clika_client.asking.plan import Items
from clika_client.asking.run import PreparedRun, SilentListener
from clika_client.asking.settings import Asking
from clika_client.common.errors import IncompleteRun, UserError
from clika_client.common.running import finish
from clika_client.conductivity.formats import write_json
from clika_client.prompts.catalogue import get_style
from clika_client.scoring.metrics.significance import mcnemar_exact
from clika_client.sets import atlas
from clika_client.store.store import Store
from clika_providers import Provider

QUESTIONS = 60
"""Per language: enough to see a quarter of the knowledge go, in seconds."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The same questions of one language before and after teaching."""

    language: str
    n: int
    before: int
    """Right answers before teaching."""
    after: int
    lost: int
    """Right before, wrong after."""
    gained: int

    @property
    def p(self) -> float:
        """McNemar's exact test of lost against gained, two-sided."""
        return mcnemar_exact(self.lost, self.gained)

    def to_json(self) -> dict[str, Any]:
        """One flat row."""
        return {
            "language": self.language,
            "n": self.n,
            "before": self.before,
            "after": self.after,
            "lost": self.lost,
            "gained": self.gained,
            "p": round(self.p, 6),
        }


def reply_file(when: str) -> str:
    """Name of the file that keeps which questions were answered rightly."""
    return f"{when}.atlas.json"


def ask(provider: Provider, languages: Sequence[str], number: int, database: Path, path: Path) -> None:
    """Ask `number` questions of atlas in each language, and keep in `path` which were answered rightly.

    The questions are the same ones in all languages, by relation in the shares of atlas. Raises IncompleteRun when
    some got no answer.
    """
    probe_set = atlas.load()
    tags = tuple(tag for tag in dict.fromkeys(languages) if tag in probe_set.probes)
    items = Items(limit=number, by="relation")
    config = RunConfig((probe_set,), (provider,), get_style("plain"), Asking("auto"), tags, items)
    with Store(database) as store:
        run = PreparedRun(store, config)
        result = finish(lambda: run.ask(SilentListener()))
        if result.status != "done":
            raise IncompleteRun("some questions of atlas got no answer; the same command asks only the rest")
        right: dict[str, dict[str, bool]] = {}
        for cell in store.cells(result.run_id):
            tag = cell.key.language
            chosen = read_cell(store, cell, "standard", probe_set).choices
            probes = probe_set.probes[tag]
            right[tag] = {probe_set.items[i].item_id: bool(chosen[i] == probes[i].gold) for i in cell.asked().tolist()}
    write_json(path, {"model": provider.spec, "set": "atlas", "number": number, "right": right})


def compare(folder: Path) -> tuple[Kept, ...]:
    """One row per language that was asked before and after; empty where that was not done.

    Raises UserError for files of different questions.
    """
    before, after = (_read(folder / reply_file(when)) for when in ("before", "after"))
    if before is None or after is None:
        return ()
    rows = []
    for tag, then in before.items():
        now = after.get(tag, {})
        if then.keys() != now.keys():
            raise UserError(f"{folder}: other questions of atlas were asked after than before; delete both and resume")
        lost = sum(then[item] and not now[item] for item in then)
        gained = sum(now[item] and not then[item] for item in then)
        rows.append(Kept(tag, len(then), sum(then.values()), sum(now.values()), lost, gained))
    return tuple(rows)


def _read(path: Path) -> Mapping[str, Mapping[str, bool]] | None:
    if not path.exists():
        return None
    try:
        found: Mapping[str, Mapping[str, bool]] = json.loads(path.read_text("utf-8"))["right"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is not a file of answers ({error}); delete it and resume") from None
    return found
