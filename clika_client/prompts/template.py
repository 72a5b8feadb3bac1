"""The user's own prompt: a text file with places for the question and its choices.

    labels: 1 2 3 4            ← optional settings, one a line, ended by a line of three dashes
    choice: ({label}) {choice}
    system: You answer in one character.
    ---
    {question}
    {choices}
    Your answer:

A file without settings is the prompt itself. One line break at the very end is not part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from clika_client.common import languages
from clika_client.common.errors import UserError
from clika_client.prompts.layout import Layout
from clika_client.prompts.shots import Meta
from clika_client.prompts.style import Style
from clika_client.sets.wording import EXAMPLES_PLACE, FIELD, PLACES, Text, compile_text, latin_labels

_SETTINGS = ("labels", "choice", "between", "system")


@dataclass(frozen=True, slots=True)
class _Template:
    """A template file, checked."""

    where: str
    lead: Text
    body: Text
    choice: Text
    labels: tuple[str, ...] | None
    native: bool
    between: str
    system: str | None


def read_template(path: Path) -> Style:
    """The style that a template file describes, named after the file and its content.

    Raises UserError naming the file, the line or the placeholder, and the cure.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise UserError(
            f"{path}: cannot read this prompt template: {error.strerror}; check its path (docs/prompts.md shows one)"
        ) from None
    template = _parse(str(path), text)
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()

    def make_layout(language: str, k: int, meta: Meta) -> Layout:
        return _layout(template, language, k)

    return Style(
        name=f"{path.stem}@{digest}",
        version="1",
        about=f"Your template {path.name}.",
        make_layout=make_layout,
        content=lambda: text,
        builtin=False,
    )


def _parse(where: str, text: str) -> _Template:
    head, dashes, body = text.partition("\n---\n")
    if not (dashes and _is_settings(head)):
        head, body = "", text
    settings = _read_settings(where, head)
    body = body.removesuffix("\n")
    labels = settings.get("labels")
    native = labels == "native"
    lead, form = _split(where, _places(where, body, PLACES, ("question", "choices")))
    parsed = _Template(
        where=where,
        lead=lead,
        body=form,
        choice=_places(where, settings.get("choice", "{label}. {choice}"), ("label", "choice"), ("label", "choice")),
        labels=None if labels is None or native else _labels(where, labels),
        native=native,
        between=settings.get("between", "\\n").replace("\\n", "\n"),
        system=settings.get("system"),
    )
    return parsed


def _split(where: str, text: Text) -> tuple[Text, Text]:
    """What stands before `{examples}` and what after it; a text without that place is all body."""
    if EXAMPLES_PLACE not in text.places:
        return Text(("",), ()), text
    at = text.places.index(EXAMPLES_PLACE)
    before, after = text.places[:at], text.places[at + 1 :]
    if EXAMPLES_PLACE in after or {"question", "choices"} & set(before):
        raise UserError(f"{where}: {{{EXAMPLES_PLACE}}} stands once, before {{question}} and {{choices}}")
    return Text(text.literals[: at + 1], before), Text(text.literals[at + 1 :], after)


def _is_settings(head: str) -> bool:
    return all(line.partition(":")[0].strip() in _SETTINGS for line in head.splitlines() if line.strip())


def _read_settings(where: str, head: str) -> Mapping[str, str]:
    settings: dict[str, str] = {}
    for number, line in enumerate(head.splitlines(), 1):
        name, _, value = line.partition(":")
        if not line.strip():
            continue
        if name.strip() in settings:
            raise UserError(f"{where}, line {number}: {name.strip()!r} is set twice; keep one")
        settings[name.strip()] = value.strip()
    return settings


def _labels(where: str, text: str) -> tuple[str, ...]:
    labels = tuple(text.replace(",", " ").split())
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise UserError(f"{where}: `labels: {text}` must name two or more different labels, or be `native`")
    return labels


def _places(where: str, text: str, known: tuple[str, ...], needed: tuple[str, ...]) -> Text:
    try:
        compiled = compile_text(text)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    for place in compiled.places:
        if place not in known and not place.startswith(FIELD):
            in_line = place in ("label", "choice")
            hint = " (it belongs in the `choice:` line, which makes up {choices})" if in_line else ""
            listed = ", ".join(f"{{{name}}}" for name in known)
            raise UserError(f"{where}: unknown placeholder {{{place}}}{hint}; placeholders: {listed}")
    for place in needed:
        # A set with fields may be asked by its parts instead of its whole question.
        parts = place == "question" and any(p.startswith(FIELD) for p in compiled.places)
        if place not in compiled.places and not parts:
            raise UserError(f"{where}: the placeholder {{{place}}} is missing, so the model would not see it")
    return compiled


@lru_cache(maxsize=1024)
def _layout(template: _Template, language: str, k: int) -> Layout:
    labels = template.labels
    if template.native:
        from clika_client.prompts.plain import native_labels

        labels = native_labels(language)
    if labels is None:
        labels = latin_labels(k)
    if len(labels) < k:
        raise UserError(f"{template.where}: {len(labels)} labels, but the questions have {k} choices; name {k} or more")
    return Layout(
        template.body,
        labels[:k],
        template.choice,
        template.between,
        template.system,
        languages.name(language),
        lead=template.lead,
    )
