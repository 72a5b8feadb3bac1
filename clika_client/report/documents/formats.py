"""Documents as text: Markdown with tables, LaTeX with booktabs; every name is escaped for its format."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from clika_client.common.safe_text import shown
from clika_client.report.conclusions import conclusions
from clika_client.report.documents.tables import BEST, SHOWN, Entry, Printed, printed
from clika_client.report.methods import methods
from clika_client.report.notes import notes, reading_notes
from clika_client.report.signs import MARKDOWN
from clika_client.report.table_layout import tables
from clika_client.scoring.records import Scores

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "^": r"\textasciicircum{}",
    "_": r"\_", "~": r"\textasciitilde{}", "%": r"\%", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "—": "---", "…": r"\ldots{}", "·": r"\textperiodcentered{}",
    "±": r"$\pm$", "−": "$-$", "’": "'", "‘": "`", "“": "``", "”": "''",
}  # fmt: skip
_LAST_KNOWN = 0x17F
"""pdfLaTeX knows Latin letters up to here without further packages."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$&@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)
_HEAD = "% Needs \\usepackage{booktabs}, and \\usepackage[T1]{fontenc} with pdfLaTeX."
_TEXT_WIDTH, _NAMED, _HEADED, _FIGURE, _BETWEEN, _LETTER = 338, 120, 62, 50, 8, 5
"""Points: the text of an article, names on lines and over columns, a figure with its interval, room between columns,
and a letter of small type."""
_PIECE = 10
"""Characters of small type that the narrowest column holds."""


def markdown(scores: Scores, show: Sequence[str] = SHOWN, transpose: bool | None = None) -> str:
    """Conclusions, tables, methods and notes as Markdown."""
    parts = ["# Alignment of knowledge across languages"]
    for table in tables(scores):
        title = table.set if table.split is None else f"{table.set} · {table.split}"
        parts += [f"## {for_markdown(title)}", *map(for_markdown, conclusions(table, scores))]
        for part in printed(table, scores, show, transpose, signs=True):
            parts += [f"**{for_markdown(part.caption)}**", _markdown_table(part)]
        parts.append("\n".join(f"- {for_markdown(note)}" for note in notes(table, scores, MARKDOWN)))
    extra = [*reading_notes(scores), *scores.notes]
    if extra:
        parts.append("\n".join(f"- {for_markdown(note)}" for note in extra))
    return "\n\n".join([*parts, BEST, "## Methods", for_markdown(methods(scores))]) + "\n"


def latex(scores: Scores, show: Sequence[str] = SHOWN, transpose: bool | None = None) -> str:
    """Tables in the style of booktabs, and the methods paragraph, to be put into a document."""
    parts = [_HEAD]
    for table in tables(scores):
        parts += [part for whole in printed(table, scores, show, transpose) for part in _latex_tables(whole)]
    return "\n\n".join([*parts, f"\\paragraph{{Methods.}} {for_latex(methods(scores))}"]) + "\n"


def _markdown_table(table: Printed) -> str:
    lines = [[for_markdown(head) for head in table.heads]]
    lines += [[for_markdown(label), *(_figure(e, "**{}**", "*{}*") for e in entries)] for label, entries in table.lines]
    rule = "|---|" + "---:|" * (len(table.heads) - 1)
    head, *rest = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([head, rule, *rest])


def _latex_tables(table: Printed) -> list[str]:
    """A table in as many parts as the width of a page asks for, each with its labels."""
    first = _BETWEEN + _points([label for label, _ in table.lines], _NAMED)
    columns = list(zip(*(line for _, line in table.lines), strict=True))
    widths = [
        _BETWEEN + max(_points([head], _HEADED), _FIGURE if any(e.low == e.low for e in column) else 0)
        for head, column in zip(table.heads[1:], columns, strict=True)
    ]
    count = -(-sum(widths) // max(_TEXT_WIDTH - first, max(widths)))
    each = -(-len(widths) // count)
    starts = range(0, len(widths), each)
    parts = []
    for number, start in enumerate(starts, 1):
        here = slice(start, start + each)
        about = f"{table.caption} Part {number} of {len(starts)}." if len(starts) > 1 else table.caption
        lines = tuple((label, entries[here]) for label, entries in table.lines)
        parts.append(_latex_table(Printed(about, (table.heads[0], *table.heads[1:][here]), lines)))
    return parts


def _points(texts: Sequence[str], most: int) -> int:
    """How wide names are in small type; those that are wider than `most` are broken there."""
    return min(most, _LETTER * max(map(len, texts), default=0))


def _latex_table(table: Printed) -> str:
    first, *rest = table.heads
    heads = " & ".join([for_latex(first), *(_latex_name(head, _HEADED, "b") for head in rest)])
    lines = [
        " & ".join([_latex_name(label, _NAMED, "t"), *(_latex_figure(e) for e in entries)]) + r" \\"
        for label, entries in table.lines
    ]
    columns = "l" + "r" * (len(table.heads) - 1)
    top = [f"\\begin{{tabular}}{{{columns}}}", r"\toprule", heads + r" \\", r"\midrule"]
    body = "\n".join([*top, *lines, r"\bottomrule", r"\end{tabular}"])
    caption = for_latex(f"{table.caption} {BEST}")
    setting = "\\centering\\small\\setlength{\\tabcolsep}{4pt}"
    return f"\\begin{{table}}\n{setting}\n\\caption{{{caption}}}\n{body}\n\\end{{table}}"


def _latex_name(text: str, most: int, side: str) -> str:
    """A name in a table; a long one, such as a row that says why it is not ranked, takes several lines."""
    if _points([text], most + 1) <= most:
        return for_latex(text)
    broken = "".join(_breakable(part) for part in re.split(r"(?<=[/_.: -])", text))
    way = r"\raggedright" if side == "t" else r"\raggedleft"
    return f"\\parbox[{side}]{{{most}pt}}{{{way} {broken}\\strut}}"


def _breakable(part: str) -> str:
    """A piece of a name that a line may end after; one that fills a line by itself is broken anywhere."""
    cut = [part[start : start + _PIECE] for start in range(0, len(part), _PIECE)]
    return "".join(for_latex(piece) + ("" if piece.endswith(" ") else r"\allowbreak{}") for piece in cut)


def _latex_figure(entry: Entry) -> str:
    said = _figure(entry, r"\textbf{{{}}}", r"\textit{{{}}}", r" {{\scriptsize [{}, {}]}}")
    return said.replace("−", "$-$").replace("–", "--")


def _figure(entry: Entry, bold: str, grey: str, ends: str = " [{}, {}]") -> str:
    if entry.value != entry.value:
        return "–"
    value = _number(entry.value)
    said = bold.format(value) if entry.best else grey.format(value) if entry.grey else value
    said += for_markdown(entry.sign)  # only Markdown has any
    return said + (ends.format(_number(entry.low), _number(entry.high)) if entry.low == entry.low else "")


def _number(value: float) -> str:
    text = f"{value:z.2f}"
    return (text if abs(float(text)) >= 1 else text.replace("0.", ".", 1)).replace("-", "−")


def for_markdown(text: str) -> str:
    """Text in which nothing is markup."""
    return _MARKDOWN.sub(r"\\\1", shown(text))


def for_latex(text: str) -> str:
    """Text in which nothing is a command; letters that pdfLaTeX does not know are named by their code."""
    return "".join(map(_latex_character, shown(text)))


def _latex_character(c: str) -> str:
    return _LATEX.get(c) or (c if ord(c) <= _LAST_KNOWN else f"[U+{ord(c):04X}]")


WRITERS: dict[str, Callable[[Scores, Sequence[str], bool | None], str]] = {"md": markdown, "latex": latex}
