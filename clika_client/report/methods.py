"""What was done, in a paragraph for a paper: models, sets, languages, how asked, how scored, with numbers."""

from __future__ import annotations

from clika_client.common.safe_text import shown
from clika_client.report.table_layout import tables
from clika_client.scoring.records import Scores
from clika_providers.install import own_version


def methods(scores: Scores) -> str:
    """Two or three sentences; the same for the page and for documents."""
    found = [table for table in tables(scores) if table.split is None] or tables(scores)
    models = dict.fromkeys(record.model for record in scores.records)
    languages = dict.fromkeys(record.language for record in scores.records)
    replies = sum(round(r.coverage * r.n) for r in scores.records if r.split is None) or sum(
        r.n for r in scores.records
    )
    sets = ", ".join(f"{table.set} ({table.items} items)" for table in found)
    asked = sorted({(r.prompt, r.ask, r.reading) for r in scores.records})
    how = "; ".join(f"prompt style {p}, asked for {a}, read by {r}" for p, a, r in asked)
    said = (
        f"We put {sets} to {len(models)} {'model' if len(models) == 1 else 'models'} in {len(languages)} "
        f"{'language' if len(languages) == 1 else 'languages'} ({replies:,} replies; {how}) with clika "
        f"{own_version()}. Accuracy is re-scaled between chance and the reference (RA); consistency is the overlap of "
        f"right answers "
        f"with {scores.anchor} (en-CO, {scores.variant}) and its chance-corrected form"
    )
    if scores.bootstrap:
        said += (
            "; 95 % intervals are Wilson's, and the jackknife's over items or their clusters for means and corrected "
            "figures. Two models are compared on common items and languages by McNemar's exact test, with Holm's "
            "correction over languages and sets"
        )
    return shown(said + ".")
