"""The third level on the page: what `clika teach score --json` found of models that were taught, read from its file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.languages import name as language_name
from clika_client.common.safe_text import shown

Ends = tuple[float, float, float]
_FIGURES = ("xrr", "raw", "conditional", "above_chance")


@dataclass(frozen=True, slots=True)
class Taught:
    """One model, direction and form of asking."""

    model: str
    direction: str
    form: str
    status: str
    """`scored`, or why there is no figure."""
    failed: str
    """Parts of the gate that were not passed."""
    figures: Mapping[str, Ends]
    """xrr, raw, conditional, above_chance: (value, low, high), NaN where undefined."""


def read_taught(files: Sequence[Path]) -> tuple[Taught, ...]:
    """The lines of some files of scores. Raises UserError naming the file that is none."""
    found: list[Taught] = []
    for file in files:
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
            found += [_line(record) for score in held["scores"] for record in score["languages"]]
        except OSError as error:
            raise UserError(f"--xrr {file}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(
                f"--xrr {file} does not hold scores of an experiment; make it with "
                "`clika teach score EXPERIMENT --json > FILE`"
            ) from error
    return tuple(found)


def _line(record: Mapping[str, Any]) -> Taught:
    names = [language_name(str(record[where])) for where in ("taught_in", "asked_in")]
    return Taught(
        model=shown(str(record["model"])),
        direction=shown(f"{names[0]} → {names[1]}"),
        form={"text": "free text", "choice": "multiple choice"}.get(record["form"], shown(str(record["form"]))),
        status=shown(str(record["status"])),
        failed=shown(", ".join(map(str, record["failed_gates"]))),
        figures={name: _ends(record.get(name)) for name in _FIGURES},
    )


def _ends(figure: Mapping[str, Any] | None) -> Ends:
    if figure is None:
        return math.nan, math.nan, math.nan
    value, low, high = (math.nan if figure[end] is None else float(figure[end]) for end in ("value", "low", "high"))
    return value, low, high
