"""Documents, figures and citations: hostile names stay text in every format, and LaTeX compiles them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from asked_models import LANGUAGES, MIDDLING, STRONG, WEAK, N, ask_three
from clika import clika, write_probes

import clika_client
from clika_client.report.documents.formats import _latex_tables, for_latex, for_markdown
from clika_client.report.documents.tables import Entry, Printed, _best
from clika_providers import MockProvider

EVIL = "x_{1}^2 $a$ & 50% #1 \\input{/etc/passwd} ~<b>|`[l](http://x) **b** 模型 ‮"


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    probes = write_probes(folder / "mine.jsonl", N, LANGUAGES)
    ask_three(folder / "c.db", probes)
    clika_client.run(
        probes, MockProvider("A", name=EVIL), db=folder / "c.db", scoring=clika_client.Options(bootstrap=0)
    )
    return folder / "c.db"


def test_markdown_leads_with_words_and_holds_the_figures_of_the_scores(db: Path) -> None:
    said = clika("report", "--format", "md", "--no-transpose", "--db", db).stdout
    scores = clika_client.score(db)
    (row,) = (row for row in scores.rows if row.model == WEAK)
    lines = [line for line in said.splitlines() if line.startswith(f"| {WEAK} |")]
    assert f"{row.other_ra:.2f}".removeprefix("0") in lines[0]
    assert said.index("is best in the other languages") < said.index("| model |")
    assert "## Methods" in said


def test_languages_go_on_lines_when_transposed(db: Path) -> None:
    said = clika("report", "--format", "md", "--db", db, "--show", "accuracy", "--transpose").stdout
    assert "| language |" in said
    line = next(line for line in said.splitlines() if line.startswith("| sw |"))
    assert "| .75 [" in line


def test_markup_in_names_is_text() -> None:
    assert for_markdown("a*b [x](http://y) <i>") == "a\\*b \\[x\\](http\\://y) \\<i\\>"
    assert for_latex("50% & \\x{y}_1") == r"50\% \& \textbackslash{}x\{y\}\_1"
    assert for_latex("模") == "[U+6A21]"


def test_the_best_of_a_column_is_bold_only_clear_of_the_others() -> None:
    clear = _best([Entry(0.9, 0.85, 0.95), Entry(0.5, 0.4, 0.6)])
    tied = _best([Entry(0.9, 0.55, 0.95), Entry(0.5, 0.4, 0.6)])
    habit = _best([Entry(0.99, 0.98, 1.0, grey=True), Entry(0.5, 0.4, 0.6), Entry(0.3, 0.2, 0.35)])
    assert [e.best for e in clear] == [True, False]
    assert [e.best for e in tied] == [False, False]
    assert [e.best for e in habit] == [False, True, False]


def test_latex_compiles_with_hostile_names(tmp_path: Path, db: Path) -> None:
    clika("report", tmp_path / "t.tex", "--db", db)
    text = (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"\toprule" in text
    assert r"\input{/etc" not in text
    program = shutil.which("pdflatex")
    if program is None or subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode:
        pytest.skip("no pdflatex with booktabs here")
    (tmp_path / "d.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs}"
        "\\begin{document}\\input{t.tex}\\end{document}",
        encoding="utf-8",
    )
    done = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", "d.tex"], cwd=tmp_path, capture_output=True, timeout=600
    )
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said[-1500:]
    # What sticks out of the page by more than a letter.
    assert [wide for wide in re.findall(r"Overfull \\hbox \(([\d.]+)pt", said) if float(wide) > 5] == []
    parts = re.findall(r"Part (\d) of (\d)\.", text.replace("\n", " "))
    assert all(int(number) <= int(of) for number, of in parts)


def test_a_table_of_many_languages_is_printed_in_parts_that_hold_every_figure_once() -> None:
    heads = ("model", *(f"l{i}" for i in range(25)))
    line = tuple(Entry(i / 25, max(i / 25 - 0.01, 0), min(i / 25 + 0.01, 1)) for i in range(25))
    parts = _latex_tables(Printed("All.", heads, (("vendor/a-model-with-a-rather-long-name", line), ("short", line))))
    assert len(parts) > 4
    assert all(f"Part {i} of {len(parts)}." in part for i, part in enumerate(parts, 1))
    shown = [head for part in parts for head in re.findall(r"\bl\d+\b", part)]
    assert shown == list(heads[1:])


def test_data_formats_are_those_of_the_scores(tmp_path: Path, db: Path) -> None:
    as_json = json.loads(clika("report", "--format", "json", "--db", db).stdout)
    assert as_json == json.loads(clika("score", "--json", "--db", db).stdout)
    clika("report", tmp_path / "s.csv", "--db", db)
    assert STRONG in (tmp_path / "s.csv").read_text(encoding="utf-8")


def test_figures_take_any_metric_a_size_and_pairs(tmp_path: Path, db: Path) -> None:
    pytest.importorskip("altair", reason="altair is not installed; figures are an extra")
    wide, narrow = tmp_path / "w.svg", tmp_path / "n.svg"
    clika("report", wide, "--db", db, "--show", "accuracy,pairs", "-m", STRONG, "-m", MIDDLING)
    clika("report", narrow, "--db", db, "--show", "accuracy", "--width", 60, "--transpose", "-m", STRONG)
    drawn = wide.read_text(encoding="utf-8")
    assert all(f"{model}, en-CO of every pair" in drawn for model in (STRONG, MIDDLING))

    def width(path: Path) -> float:
        return float(path.read_text(encoding="utf-8").split('width="', 1)[1].split('"', 1)[0])

    assert width(narrow) < 100 * 96 / 25.4
    assert width(narrow) < width(wide)
    assert "choose from" in clika("report", narrow, "--db", db, "--show", "cleverness", check=2).stderr


def test_citations_name_the_paper_and_every_set(db: Path) -> None:
    said = clika("cite", "--db", db).stdout
    assert "2404.04659" in said
    assert "Probe set mine" in said
    assert "Bandarkar" not in said
    assert said.count("{") == said.count("}")


def test_bibtex_takes_the_citations_without_a_warning(tmp_path: Path) -> None:
    from clika_client.report.documents.cite import AUTHORS, YEAR, bibtex
    from clika_client.sets.probes import ProbeSet

    licence = (Path(__file__).parent.parent / "LICENSE").read_text(encoding="utf-8")
    assert f"Copyright (c) {YEAR} {AUTHORS}" in licence
    evil = ProbeSet(
        "a}b {c% @x_1", (), {}, source="https://example.org/a_b#c", meta={"citation": "Eve & {Bob} \\input"}
    )
    plain = ProbeSet("plain", (), {})
    (tmp_path / "refs.bib").write_text(bibtex([evil, plain, plain]), encoding="utf-8")
    (tmp_path / "x.aux").write_text("\\citation{*}\n\\bibdata{refs}\n\\bibstyle{plain}\n", encoding="utf-8")
    if shutil.which("bibtex") is None:
        pytest.skip("bibtex is not installed")
    done = subprocess.run(["bibtex", "x"], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    assert "Warning" not in done.stdout, done.stdout
    made = (tmp_path / "x.bbl").read_text(encoding="utf-8")
    assert made.count("\\bibitem") == 5
    assert f"{{{AUTHORS}}}" in made.replace("\n", " ")


def test_a_format_that_is_named_goes_before_the_suffix(tmp_path: Path, db: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed; Parquet is an extra")
    clika("report", tmp_path / "scores.dat", "--format", "parquet", "--db", db)
    clika("export", tmp_path / "replies.dat", "--format", "parquet", "--db", db)
    assert pq.read_table(tmp_path / "scores.dat").column_names[:2] == ["model", "set"]
    assert "reply" in pq.read_table(tmp_path / "replies.dat").column_names
    assert "none of" in clika("report", tmp_path / "x.html", "--format", "figure", "--db", db, check=2).stderr


def test_a_format_that_cannot_go_to_stdout_is_told(tmp_path: Path, db: Path) -> None:
    assert "name a file" in clika("report", "--format", "html", "--db", db, check=2).stderr
    assert "name a file" in clika("report", "--db", db, check=2).stderr
    assert "suffix" in clika("report", tmp_path / "x.docx", "--db", db, check=2).stderr
