"""The project's own styles: one instruction in the question's language that asks for one letter.

`plain` numbers the options A, B, C, D everywhere; `plain-native` uses the letters that the language itself numbers
options with. The wording is data: one table per language, shared with atlas.
"""

from __future__ import annotations

import json
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources

from clika_client.common import languages
from clika_client.common.errors import UserError
from clika_client.prompts.layout import Layout
from clika_client.prompts.shots import Meta
from clika_client.prompts.style import Style
from clika_client.sets.probes import LABELLED
from clika_client.sets.wording import compile_text, escape, latin_labels

_FALLBACK = "en"


@cache
def _wording(tag: str) -> Mapping[str, str] | None:
    """Instruction, question word and answer word of a language; None where it has no wording table."""
    file = resources.files("clika_client").joinpath(f"data/atlas/wording/{tag}.toml")
    if not tag.replace("-", "").isalnum() or not file.is_file():
        return None
    prompt: Mapping[str, str] = tomllib.loads(file.read_text("utf-8"))["prompt"]
    return prompt


@cache
def _native() -> dict[str, Mapping[str, str]]:
    text = resources.files("clika_client").joinpath("prompts/native_labels.toml").read_text("utf-8")
    return tomllib.loads(text)


def native_labels(language: str) -> tuple[str, ...] | None:
    """The letters a language numbers options with; None where it uses A, B, C, D."""
    entry = _native().get(language) or _native().get(language.split("-")[0])
    return None if entry is None else tuple(entry["labels"].split())


@lru_cache(maxsize=1024)
def _layout(language: str, k: int, native: bool, labelled: bool) -> Layout:
    bare = language.split("-")[0]
    wording = _wording(language) or _wording(bare)
    note = None
    if wording is None:
        wording = _wording(_FALLBACK)
        assert wording is not None
        note = "no wording in these languages, so the instruction is in English"
    letters = _native().get(language) or _native().get(bare) if native and note is None else None
    labels = latin_labels(k) if letters is None else tuple(letters["labels"].split())
    if len(labels) < k:
        raise UserError(
            f"plain-native has {len(labels)} letters in {language!r}, but the questions have {k} choices; use plain"
        )
    instruction = wording["instruction"] if letters is None else letters.get("instruction", wording["instruction"])
    led = "" if labelled else _led(wording["question"])
    body = f"{{context}}{led}{{question}}\n{{choices}}\n{escape(wording['answer'])}"
    return Layout(
        compile_text(body),
        labels[:k],
        language=languages.name(language),
        note=note,
        lead=compile_text(f"{escape(instruction)}\n"),
        answer=compile_text(f"{_space_after(wording['answer'])}{{label}}"),
    )


def _led(word: str) -> str:
    """A leading word with the space that follows it."""
    return escape(word) + _space_after(word)


def _space_after(word: str) -> str:
    """None after a full-width colon."""
    return "" if unicodedata.east_asian_width(word[-1]) in "WF" else " "


def _plain_layout(language: str, k: int, meta: Meta) -> Layout:
    return _layout(language, k, False, LABELLED in meta)


def _native_layout(language: str, k: int, meta: Meta) -> Layout:
    return _layout(language, k, True, LABELLED in meta)


def _content(native: bool) -> str:
    folder = resources.files("clika_client").joinpath("data/atlas/wording")
    tags = sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))
    return json.dumps([[(tag, _wording(tag)) for tag in tags], _native() if native else None], ensure_ascii=False)


PLAIN = Style(
    name="plain",
    version="1",
    about="Instruction in the question's language, one letter asked for, options A, B, C, D.",
    make_layout=_plain_layout,
    content=lambda: _content(native=False),
)
NATIVE = Style(
    name="plain-native",
    version="1",
    about="Like plain, with the letters each language numbers options with: А Б В Г, א ב ג ד, أ ب ج د.",
    make_layout=_native_layout,
    content=lambda: _content(native=True),
)
