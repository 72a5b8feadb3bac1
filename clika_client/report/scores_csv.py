"""Scores as CSV: the same records as JSON, one line per cell."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields
from typing import Any

from clika_client.common.safe_text import shown
from clika_client.scoring.metrics.catalogue import CELL_FIELDS
from clika_client.scoring.records import Record, Scores

# A cell that starts like a formula would be run by a spreadsheet; names of models and sets come from others.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(scores: Scores) -> str:
    """CSV text with a header; null is empty, lists are joined by `;`, mappings are JSON."""
    known = [f.name for f in fields(Record) if f.name != "figures"]
    names = [*known, *(f"{name}{end}" for name in CELL_FIELDS for end in ("", "_low", "_high"))]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for record in scores.to_records():
        writer.writerow([_cell(record[name]) for name in names])
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, dict):
        return shown(json.dumps(value, ensure_ascii=False)) if value else ""
    if isinstance(value, list):
        value = ";".join(map(str, value))
    # Names come from others, and a table of scores is looked at in terminals too.
    return safe_cell(shown(value)) if isinstance(value, str) else value


def safe_cell(value: Any) -> Any:
    """A value as a spreadsheet shows it: a text that it would run as a formula gets a quote before it."""
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value
