"""Single questions on the terminal: the question, its options, the right one and every reply, language by language."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from rich.text import Text

from clika_client.cli.common import out, print_json, say_hanging
from clika_client.common.ink import FAINT, GOOD, WARNING
from clika_client.common.safe_text import shown
from clika_client.report.terminal import cleaned
from clika_client.scoring.answer_grid import settings_in_words

if TYPE_CHECKING:
    from clika_client.report.rows.questions import QuestionView
    from clika_client.report.rows.rows import Row

_REPLY = 160
_INDENT = 6
_MARKS = {True: ("right", GOOD), False: ("wrong", WARNING), None: ("no answer", FAINT)}


def show_questions(found: Iterator[QuestionView], limit: int, as_json: bool, how: str) -> None:
    """Print questions, or all of them as JSON; `how` says which they are."""
    if as_json:
        print_json({"questions": [_plain(asdict(question)) for question in found]})
        return
    console, count = out(), 0
    for question in islice(found, limit):
        count += 1
        for hang, line in _lines(question):
            say_hanging(cleaned(line.plain, console), hang, str(line.style))
        console.print()
    if not count:
        console.print(f"No question {how}.", markup=False)
    more = sum(1 for _ in found)
    if more:
        console.print(f"and {more:,} more questions {how}; --limit shows more, --json all", markup=False)


def _lines(question: QuestionView) -> Iterator[tuple[int, Text]]:
    """The letter of a line under which its rest stands where it is broken, and the line."""
    tags = next(iter(question.asked.values()))["tags"]
    said = ", ".join(f"{name}={value}" for name, value in tags.items())
    yield 0, Text(f"{question.set} · {question.item}", style="bold")
    if said:
        yield 0, Text(said, style=FAINT)
    if question.lost_by:
        yield 0, Text(f"lost by {', '.join(question.lost_by)}")
    varying = _varying([reply for replies in question.replies.values() for reply in replies])
    for language, row in question.asked.items():
        context = f"{row['context']}\n" if row["context"] else ""
        text = f"{context}{row['question']}".replace("\n", " / ")
        yield len(language) + 4, Text(f"  {language}  {text}")
        options = "   ".join(
            f"{chr(65 + place)} {option}{' <- right' if place == row['gold'] else ''}"
            for place, option in enumerate(row["options"])
        )
        yield _INDENT, Text(f"      {options}", style=FAINT)
        yield from ((_INDENT, _reply(reply, varying)) for reply in question.replies.get(language, ()))


_HOW: Mapping[str, Callable[[Any], str]] = {
    "prompt": str,
    "ask": str,
    "reading": str,
    "source": str,
    "settings": settings_in_words,
    "rotation": lambda places: f"options turned by {places}",
    "repeat": lambda number: f"asking {number + 1}",
}


def _varying(replies: Sequence[Row]) -> list[str]:
    """What replies of one name can differ in, where they do."""
    return [name for name in _HOW if len({reply[name] for reply in replies}) > 1]


def _reply(reply: Row, varying: Sequence[str]) -> Text:
    how = ", ".join(_HOW[name](reply[name]) for name in varying)
    model = f"{reply['model']} ({how})" if how else reply["model"]
    text = " ".join(reply["reply"].split())
    said = f": {shown(text[:_REPLY])!r}{'…' if len(text) > _REPLY else ''}" if reply["ask"] in ("text", "open") else ""
    if reply["verdict"] is not None:
        which = f" ({reply['answer_language']})" if reply["answer_language"] else ""
        style = _MARKS[reply["correct"] if reply["verdict"] in ("right", "wrong") else None][1]
        return Text(f"      {model}: {reply['verdict']}{which}{said}", style=style)
    word, style = _MARKS[None if reply["choice"] is None else reply["correct"]]
    read = reply["reason"] if reply["choice"] is None else f"{chr(65 + reply['choice'])} {reply['chosen']}"
    return Text(f"      {model}: {word}, {read}{said}", style=style)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
