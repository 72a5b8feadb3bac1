"""Score tables as text: what stands in them, what stands under them, and that nothing is cut or injected."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import clika_client
from clika_client.cli.common import say_hanging
from clika_client.cli.words import WordConsole
from clika_client.common.answer_codes import MISSING
from clika_client.report.conclusions import conclusions
from clika_client.report.overview import folded
from clika_client.report.scores_csv import to_csv
from clika_client.report.table_layout import tables
from clika_client.report.terminal import render
from clika_client.scoring.answer_grid import AnswerGrid, RowKey, block_of
from clika_client.scoring.records import Figure, Scores
from clika_client.scoring.score import score
from clika_client.scoring.score_sets import Options
from clika_client.sets.probes import Item, Probe, ProbeSet

LANGUAGES = ("en", "zh", "ja", "de", "fr", "it", "pl", "ru", "ar", "he")
GOLD = [i % 4 for i in range(40)]


def a_set(languages: tuple[str, ...] = LANGUAGES, reference: float | None = 0.97) -> ProbeSet:
    probes = {
        tag: tuple(Probe(str(i), tag, "q", ("a", "b", "c", "d"), g) for i, g in enumerate(GOLD)) for tag in languages
    }
    return ProbeSet("toy", tuple(Item(str(i)) for i in range(40)), probes, reference=reference)


def model(name: str, right: int, languages: tuple[str, ...] = LANGUAGES, prompt: str = "plain") -> AnswerGrid:
    line = [g if i < right else (g + 1) % 4 for i, g in enumerate(GOLD)]
    return block_of(RowKey(name, 1, prompt, "text", "standard"), languages, [line] * len(languages))


STUCK = block_of(RowKey("stuck", 1, "plain", "text", "standard"), LANGUAGES, [[0] * 40] * 10)


def shown(
    *blocks: AnswerGrid, width: int = 120, probe_set: ProbeSet | None = None, encoding: str = "utf-8", **options: int
) -> str:
    buffer = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    wanted = Options(**{"bootstrap": 100, **options})  # type: ignore[arg-type]
    render(score(blocks, {1: probe_set or a_set()}, wanted), Console(file=buffer, width=width))
    buffer.flush()
    return buffer.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_the_better_model_stands_first_and_the_anchor_is_marked() -> None:
    text = shown(model("poor", 20), model("good", 36))
    assert text.index("good") < text.index("poor")
    assert "en*" in text
    assert "toy · 40 items · 4 choices" in text


def test_a_degenerate_answerer_comes_last_marked_and_explained() -> None:
    text = shown(STUCK, model("good", 36), model("poor", 10))
    assert text.index("good") < text.index("poor") < text.index("stuck")
    assert ".000†" in text
    assert "stuck (en, zh, ja, de, fr, it, pl, ru, ar, he)" in text
    assert "left out of means and ranks" in " ".join(text.split())


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
def test_no_language_is_cut_off_at_any_width(width: int) -> None:
    text = shown(model("vendor/a-model-with-a-long-name-instruct-v0.1", 30), width=width)
    header = " ".join(line for line in text.splitlines() if line.startswith("model"))
    assert all(tag in header for tag in LANGUAGES)
    assert max(map(len, text.splitlines())) <= width


def test_of_forty_languages_on_a_small_screen_the_strongest_and_weakest_are_shown_and_where_the_rest_is() -> None:
    many = ("en", *(f"x{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(39)))
    lines = [[g if i < 40 - n // 2 else (g + 1) % 4 for i, g in enumerate(GOLD)] for n in range(40)]
    falling = block_of(RowKey("one", 1, "plain", "text", "standard"), many, lines)
    small, wide = (shown(falling, width=w, probe_set=a_set(many), bootstrap=0) for w in (80, 400))
    header = next(line for line in small.splitlines() if line.startswith("model"))
    assert "xaa" in header
    assert "xbm" in header  # the last is the weakest
    assert "xau" not in header
    assert "All of them: --details" in " ".join(small.split())
    assert "xau" in wide
    assert "--details, clika report" not in wide
    assert "others: mean over the 39 other languages" in " ".join(small.split())


@pytest.mark.parametrize("width", [60, 80, 120, 240])
def test_no_figure_of_the_details_is_broken_at_any_width(width: int) -> None:
    scores = score([model("vendor/good", 36), model("vendor/poor", 20)], {1: a_set()}, Options(bootstrap=100))
    out = io.StringIO()
    render(scores, Console(file=out, width=width), details=True)
    _, _, details = out.getvalue().partition("All languages: ")
    figures = [figure for row in scores.rows for figure in row.figures.values() if figure.value == figure.value]
    assert len(figures) > 20
    assert not [f for f in figures if f"{f.value:z.3f}" not in details]
    assert not [f for f in figures if f.low == f.low and f"{f.low:z.2f} {f.high:z.2f}" not in details]
    assert max(map(len, details.splitlines())) <= width


def test_intervals_are_shown_under_few_rows_and_not_under_many() -> None:
    # 30 of 40: Wilson .60 to .86, and RA through its formula (chance .25, reference .97).
    assert ".48–.84" in shown(model("one", 30)).split("Asked with")[0]
    many = [model(f"m{i}", 20 + i) for i in range(8)]
    assert "95 %" not in shown(*many).split("Asked with")[0]
    assert "No intervals were computed" in shown(model("one", 30), bootstrap=0)


def test_a_row_asked_differently_says_so_beside_its_name() -> None:
    text = shown(model("a", 30), model("b", 30), model("c", 30, prompt="paper-one-shot"), width=140)
    assert "c (paper-one-shot)" in text
    assert "a (plain)" not in text
    assert "prompt style plain" in text


def test_where_the_reference_comes_from_is_said() -> None:
    assert "stored with this set" in shown(model("m", 30), width=400)
    assert "no published reference" in shown(model("m", 30), probe_set=a_set(reference=None), width=400)


def test_missing_and_unreadable_replies_are_said_apart() -> None:
    block = model("m", 30)
    answers = block.answers.copy()
    answers[1, :4] = -2
    answers[2, :8] = -1
    reasons = block.reasons.copy()
    reasons[2, :8] = 2
    text = shown(replace(block, answers=answers, reasons=reasons), width=400)
    assert "m zh 90.0% of 40" in text
    assert "m ja 20.0% (refusal 8)" in text


def test_models_that_cannot_be_told_apart_are_named() -> None:
    assert "cannot tell apart: b and a" in shown(model("a", 30), model("b", 31), width=400, bootstrap=400)
    assert "cannot tell apart" not in shown(model("a", 10), model("b", 36), width=400, bootstrap=400)


def test_a_name_from_outside_can_neither_colour_nor_drive_the_terminal() -> None:
    text = shown(model("[bold]x[/] \x1b[31mred\x07", 30))
    assert "[bold]x[/]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_terminal_without_unicode_still_gets_its_tables() -> None:
    text = shown(STUCK, model("good", 36), encoding="ascii")
    assert ".000!" in text


def test_an_encoding_that_has_a_mark_keeps_it_and_one_that_lacks_it_does_not_change_what_it_says() -> None:
    assert "known to ±" in shown(model("good", 36), encoding="cp1252")
    assert "known to +-" in shown(model("good", 36), encoding="ascii")


def test_a_part_of_a_single_question_is_scored_without_an_interval_of_the_gap() -> None:
    languages = ("en", "de", "fr")
    probes = {tag: (Probe("0", tag, "q", ("a", "b", "c", "d"), 1),) for tag in languages}
    block = block_of(RowKey("m", 1, "plain", "text", "standard"), languages, [[1], [1], [1]])
    (row,) = score([block], {1: ProbeSet("toy", (Item("0"),), probes)}, Options(bootstrap=100)).rows
    gap = row.figures["language_gap"]
    assert gap.value == 0
    assert math.isnan(gap.low)


def test_without_the_anchor_the_report_says_how_to_choose_another() -> None:
    text = shown(model("m", 30, languages=("de", "fr")), probe_set=a_set(("de", "fr")), width=400)
    assert "--anchor" in text


def test_csv_holds_every_record_and_runs_nothing_in_a_spreadsheet() -> None:
    scores: Scores = score([model("=cmd()", 30)], {1: a_set()}, Options(bootstrap=0))
    rows = list(csv.DictReader(io.StringIO(to_csv(scores))))
    assert len(rows) == 10
    assert rows[0]["model"] == "'=cmd()"
    assert rows[0]["en_co"] == ""
    assert float(rows[1]["accuracy"]) == 0.75


@pytest.mark.parametrize("name", ["\x1b[31mred", "abc\u202etxt.exe", "a\x00b", "=\x1b]0;x\x07"])
def test_csv_drives_no_terminal(name: str) -> None:
    text = to_csv(score([model(name, 30)], {1: a_set()}, Options(bootstrap=0)))
    assert not set(text) & {"\x1b", "\x07", "\x00", "\u202e"}
    assert "\N{REPLACEMENT CHARACTER}" in text


def test_a_table_begins_with_its_conclusions() -> None:
    text = " ".join(shown(model("poor", 20), model("good", 36), width=200).split())
    assert "good is best in the other languages (mean RA 0.90 [" in text
    assert "and stands above poor" in text
    assert text.index("is best") < text.index("en*")


def test_two_rows_of_one_model_are_told_apart_by_the_same_test_as_two_models() -> None:
    """36 and 35 right of 40, in the same order: one item apart in each language."""
    text = " ".join(shown(model("m", 36), model("m", 35, prompt="paper"), width=200).split())
    assert "m (plain) is best in the other languages" in text
    assert "cannot be told from m (paper) (" in text


def test_what_was_not_compared_is_put_in_order_and_not_judged() -> None:
    """Without intervals, and where no language of the two rows is the same."""
    text = " ".join(shown(model("poor", 20), model("good", 36), width=200, bootstrap=0).split())
    assert "(mean RA 0.90) and is followed by poor" in text
    assert "Highest consistency beyond chance: " in text
    assert "None is shown" not in text
    apart = (model("poor", 20, ("en", "de")), model("good", 36, ("en", "fr")))
    text = " ".join(shown(*apart, width=200).split())
    assert "stands above" not in text
    assert "cannot be told" not in text


def test_many_models_on_several_sets_are_one_line_each_after_the_conclusions() -> None:
    blocks = [model(f"m{i:02}", 12 + i) for i in range(20)]
    both = [*blocks, *(replace(block, key=replace(block.key, set_id=2)) for block in blocks)]
    buffer = io.StringIO()
    second = replace(a_set(), name="second")
    render(score(both, {1: a_set(), 2: second}, Options(bootstrap=10)), Console(file=buffer, width=100))
    lines = buffer.getvalue().splitlines()
    assert len(lines) < 60
    assert sum(line.startswith("m1") and "is best" not in line for line in lines) == 10
    assert next(i for i, line in enumerate(lines) if "is best" in line) < lines.index(
        next(line for line in lines if line.startswith("model"))
    )


def test_no_records_at_all_is_said_plainly() -> None:
    buffer = io.StringIO()
    render(score([], {}, Options()), Console(file=buffer))
    assert "No answers" in buffer.getvalue()


def test_colours_can_be_read_on_dark_and_on_light_terminals() -> None:
    from rich.color import Color
    from rich.style import Style

    from clika_client.common.ink import FAINT, GOOD, WARNING
    from clika_client.report.colours import contrast
    from clika_client.report.terminal import _GREY, _SHADES

    for style in (*_SHADES, _GREY, FAINT, GOOD, WARNING):
        colour: Color | None = Style.parse(style).color
        if colour is not None:
            assert (
                min(contrast(tuple(colour.get_truecolor()), ground) for ground in ((0, 0, 0), (255, 255, 255))) >= 4.5
            )


def test_no_style_is_named_that_a_light_or_a_dark_terminal_makes_unreadable() -> None:
    source = Path(clika_client.__file__).parent
    poor = re.compile(r"""style=["'](bold )?(dim|red|green|yellow|cyan|white|black)|\[(dim|red|green|yellow|cyan)\]""")
    assert [str(file) for file in source.rglob("*.py") if poor.search(file.read_text(encoding="utf-8"))] == []


def test_the_note_on_intervals_counts_the_clusters_of_the_items_asked() -> None:
    whole = a_set()
    pairs = ProbeSet("toy", tuple(Item(str(i), cluster=str(i // 2)) for i in range(40)), whole.probes, reference=0.97)
    few = model("few", 30)
    few.asked[:, 12:] = False
    few.answers[:, 12:] = MISSING
    said = " ".join(shown(few, probe_set=pairs, width=200).split())
    assert "the jackknife over the 6 clusters of the 12 items" in said
    assert "the jackknife over the 20 clusters of the 40 items" in " ".join(
        shown(model("all", 30), probe_set=pairs, width=200).split()
    )


def test_two_rows_in_one_sentence_both_say_how_they_were_asked() -> None:
    text = " ".join(shown(model("m", 36), model("m", 20, prompt="paper"), width=200).split())
    assert "m (plain) is best in the other languages" in text
    assert "stands above m (paper) (" in text


def test_more_shared_with_other_models_than_within_one_is_all_of_it() -> None:
    (table,) = tables(score([model("m", 36)], {1: a_set()}, Options(bootstrap=100)))
    (row,) = table.rows

    def with_share(share: float) -> str:
        figures = dict(row.summary.figures)
        figures |= {"between_models": Figure(0.2 * share, 0, 1), "shared_by_models": Figure(share, 0, 2)}
        changed = replace(table, rows=(replace(row, summary=replace(row.summary, figures=figures)),))
        return " ".join(conclusions(changed, score([model("m", 36)], {1: a_set()}, Options(bootstrap=100))))

    assert "; 75% of that is shared by other models" in with_share(0.75)
    assert "; all of that is shared by other models" in with_share(1.02)


def test_a_figure_that_chance_explains_makes_nobody_the_most_consistent() -> None:
    halves = [[g if i % 3 else (g + 1) % 4 for i, g in enumerate(GOLD)]]
    others = [[g if i % 5 < 3 else (g + 1) % 4 for i, g in enumerate(GOLD)]] * 9
    rows = [block_of(RowKey(name, 1, "plain", "text", "standard"), LANGUAGES, halves + others) for name in ("a", "b")]
    text = " ".join(shown(*rows, width=200).split())
    assert "None is shown to be more consistent than chance and letter habits make it" in text


def test_the_mean_over_a_single_other_language_is_said_to_be_that_language() -> None:
    two = ("en", "de")
    text = " ".join(shown(model("m", 36, two), probe_set=a_set(two), width=200).split())
    assert re.search(r"m: RA 0\.90 \[[^]]*\] in en, 0\.90 \[[^]]*\] in de;", text)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_line_ends_at_a_word_on_a_screen_and_nowhere_in_a_pipe() -> None:
    sentence = "nothing here is cut within a word :x: " * 6
    on_screen, in_pipe = Screen(), io.StringIO()
    for file in (on_screen, in_pipe):
        WordConsole(file=file, width=40, color_system=None, emoji=False).print(sentence, markup=False, soft_wrap=True)
    assert on_screen.getvalue().split() == in_pipe.getvalue().split() == sentence.split()
    assert len(on_screen.getvalue().splitlines()) > 1 == len(in_pipe.getvalue().splitlines())
    assert max(map(len, on_screen.getvalue().splitlines())) <= 40


def test_an_address_wider_than_the_screen_stays_whole() -> None:
    screen, address = Screen(), "http://127.0.0.1/?token=" + "x" * 60
    WordConsole(file=screen, width=40, color_system=None, highlight=False).print(address, markup=False, soft_wrap=True)
    assert screen.getvalue() == address + "\n"


def test_a_name_that_is_too_long_breaks_between_its_words() -> None:
    assert folded("LeoLM_leo_hessianai_13b_chat", 26) == "LeoLM_leo_hessianai_13b_\nchat"
    assert folded("Mistral-7B-Instruct-v0.2 (paper-one-shot)", 20).split("\n")[0] == "Mistral-7B-Instruct-"
    assert folded("short", 20) == "short"
    unbroken = "x" * 50
    assert folded(unbroken, 20).replace("\n", "") == unbroken


@pytest.mark.parametrize("terminal", [True, False])
def test_a_broken_line_keeps_its_indent_on_a_screen_and_stays_whole_in_a_pipe(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = WordConsole(file=io.StringIO(), width=30, force_terminal=terminal, color_system=None)
    monkeypatch.setattr("clika_client.cli.common.out", lambda: screen)
    say_hanging("  en  In which country does Oslo lie, and why?", 6)
    first, *rest = screen.file.getvalue().rstrip().split("\n")  # type: ignore[attr-defined]
    assert first.startswith("  en  In which country")
    assert bool(rest) == terminal
    assert all(re.match(r" {6}\w", line) and len(line.rstrip()) <= 30 for line in rest)
