"""Signs beside figures: what a table carries is explained under it, and nothing else is; nothing is −.00."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from clika_client.common.answer_codes import MISSING, NO_ANSWER
from clika_client.report.documents.formats import latex, markdown
from clika_client.report.notes import notes
from clika_client.report.page.facts import HEAT, spell
from clika_client.report.page.heat import heat_lines
from clika_client.report.signs import PAGE
from clika_client.report.table_layout import tables
from clika_client.report.terminal import render
from clika_client.scoring.answer_grid import AnswerGrid, RowKey, block_of
from clika_client.scoring.records import Scores
from clika_client.scoring.score import score
from clika_client.scoring.score_sets import Options
from clika_client.sets.probes import Item, Probe, ProbeSet

N = 40
GOLD = np.arange(N) % 4
TAGS = ("en", "de", "sw")
SET = ProbeSet(
    "toy",
    tuple(Item(str(i)) for i in range(N)),
    {tag: tuple(Probe(str(i), tag, "q", ("a", "b", "c", "d"), int(g)) for i, g in enumerate(GOLD)) for tag in TAGS},
)
_EXPLAINED = re.compile(r"([†‡§¤~]) (?:Degenerate|Biased|Silent|The labels|Not all)")


def model(name: str, german: np.ndarray | None = None, ask: str = "text") -> AnswerGrid:
    """Three of four right, and in German what is given."""
    usual = np.where(np.arange(N) % 8 < 6, GOLD, (GOLD + 1) % 4)
    return block_of(
        RowKey(name, 1, "plain", ask, "standard"), TAGS, [usual, usual if german is None else german, usual]
    )


ROWS = {
    "": model("good"),
    "†": model("stuck", np.zeros(N, int)),
    "‡": model("leaning", np.where(np.arange(N) < 34, 0, 1)),
    "§": model("silent", np.where(np.arange(N) < 28, NO_ANSWER, GOLD)),
    "~": model("half asked", np.where(np.arange(N) < 10, MISSING, GOLD)),
    "¤": replace(model("thin", ask="logprobs"), scores=np.full((3, N, 4), np.log(0.05))),
}


def outputs(scores: Scores) -> dict[str, tuple[set[str], set[str]]]:
    """Kind of output → (signs in its tables, signs that its notes explain)."""
    screen = io.StringIO()
    render(scores, Console(file=screen, width=200))
    document = markdown(scores).replace("\\", "")
    (table,) = tables(scores)
    cells = "".join(line for field, *_ in HEAT for line in heat_lines(table, field))
    texts = {
        "terminal": (screen.getvalue(), screen.getvalue()),
        "md": (document, document),
        "html": (cells, "\n".join(notes(table, scores, PAGE))),
        "latex": (latex(scores), latex(scores)),
    }
    return {
        kind: (set(re.findall(r"\d\*{0,2}([†‡§¤~])", figures)), set(_EXPLAINED.findall(said)))
        for kind, (figures, said) in texts.items()
    }


@pytest.mark.parametrize("signs", ["", "†", "‡", "§", "~", "¤", "†‡§~¤"])
def test_a_sign_stands_in_the_table_and_under_it_or_in_neither(signs: str) -> None:
    scores = score([ROWS[""], *(ROWS[sign] for sign in signs)], {1: SET}, Options(bootstrap=10))
    for kind, (carried, explained) in outputs(scores).items():
        assert carried == explained == (set() if kind == "latex" else set(signs)), kind


def test_the_anchor_is_marked_where_a_note_says_so() -> None:
    scores = score([ROWS[""]], {1: SET}, Options(bootstrap=10))
    screen = io.StringIO()
    render(scores, Console(file=screen, width=200))
    document = markdown(scores).replace("\\", "")
    for text in (screen.getvalue(), document):
        assert "marked *" in text
        assert re.search(r"\ben\*(?!\w)", text)
    assert "marked *" not in latex(scores)
    assert "en*" not in latex(scores)


@pytest.mark.parametrize("places", [1, 2, 3])
def test_what_rounds_to_nothing_has_no_minus(places: int) -> None:
    from clika_client.report.comparison import _share
    from clika_client.report.details import _number as detail
    from clika_client.report.documents.formats import _number as printed
    from clika_client.report.terminal import _number as on_screen

    assert spell(-0.0004 if places == 3 else -0.004, places).strip(".0") == ""
    for written in (on_screen, printed, detail, _share):
        assert written(-0.0004).strip(".0") == ""
        assert written(-0.25).lstrip("-−").startswith((".25", "0.25"))
