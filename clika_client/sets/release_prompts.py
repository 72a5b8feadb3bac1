"""Takes the wording of the published prompts out of the release's own response files.

Each response row holds the whole prompt that was sent. Cutting a question's own texts out of it leaves the
template, which is then held against more rows before it is trusted. Where that fails the questions are still
good; the style that cannot be reproduced then refuses to be used, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clika_client.sets.probes import Probe
from clika_client.sets.release_layout import CHATGPT, FOLDERS, is_open_model
from clika_client.sets.wording import LATIN, compile_text, escape, meta_key, problem_key

# What x_copa asks in English in every language; replaced by what the checkout's files say.
_SENTENCES = {"cause": "What was the cause of this?", "effect": "What happened as a result?"}
_CHECKED = 20
"""Rows that a template must reproduce; x_copa needs some of either kind of question among them."""


@dataclass(frozen=True, slots=True)
class PublishedWording:
    """What the published prompts of one set say around its questions."""

    meta: Mapping[str, str]
    """`meta_key(style, language)` → template, or `problem_key(style, language)` → why there is none."""
    sentences: Mapping[str, str]
    """x_copa: `cause` or `effect` → the English sentence that asks for it."""


def published_wording(folder: Path, name: str, probes: Mapping[str, Sequence[Probe]]) -> PublishedWording:
    """The templates of `paper-zero-shot` and `paper-one-shot` for each language of one set.

    `probes` is in the order of the files.
    """
    meta: dict[str, str] = {}
    sentences = dict(_SENTENCES)
    for language, versions in probes.items():
        sub = folder / FOLDERS[name][language]
        for style, files in _files(sub).items():
            problem = f"{name}/{sub.name} of the checkout has no file of responses to take its wording from"
            for file in files:
                try:
                    inputs = _inputs(file)
                    found = _sentences(versions, inputs)
                    meta[meta_key(style, language)] = _template(versions, inputs, {**sentences, **found})
                    sentences.update(found)
                    break
                except _Odd as odd:
                    problem = f"{name}/{sub.name}/{file.name} of the checkout: {odd}"
            else:
                meta[problem_key(style, language)] = problem
    return PublishedWording(meta, sentences)


class _Odd(Exception):
    """A file of responses whose prompts cannot be told apart from their questions, and why."""


def _files(folder: Path) -> dict[str, list[Path]]:
    """Style → files to try; all open models were sent the same prompts, so that one of them is enough."""
    zero_shot = [folder / CHATGPT] if (folder / CHATGPT).is_file() else []
    one_shot = [file for file in sorted(folder.iterdir()) if is_open_model(file.name)]
    return {"paper-zero-shot": zero_shot, "paper-one-shot": one_shot}


def _inputs(file: Path) -> list[str]:
    """The prompts of the first rows."""
    inputs: list[str] = []
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for line in lines:
                if len(inputs) == _CHECKED:
                    break
                inputs.append(str(json.loads(line)["input"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _Odd(f"line {len(inputs) + 1} is not a row of responses ({error!r})") from None
    if not inputs:
        raise _Odd("the file is empty")
    return inputs


def _opening(probe: Probe) -> str:
    return probe.fields.get("premise", probe.question)


def _choices(probe: Probe) -> str:
    return "\n".join(f"{label}. {choice}" for label, choice in zip(LATIN, probe.choices, strict=False))


def _cut(probe: Probe, prompt: str) -> tuple[str, str, str]:
    """What stands before the question, between it and its choices, and after them."""
    # From the right: an example before the question may hold the same words.
    end = prompt.rfind(_choices(probe))
    start = prompt.rfind(_opening(probe), 0, end)
    if start < 0 or end < 0:
        raise _Odd(f"the prompt of row {probe.item_id!r} does not hold its own question")
    return prompt[:start], prompt[start + len(_opening(probe)) : end], prompt[end + len(_choices(probe)) :]


def _sentences(probes: Sequence[Probe], inputs: Sequence[str]) -> dict[str, str]:
    """COPA: what asks for cause or effect is the last line before the choices, after its label."""
    return {
        probe.fields["asks"]: _cut(probe, prompt)[1].strip("\n").rpartition(":")[2]
        for probe, prompt in zip(probes, inputs, strict=False)
        if "asks" in probe.fields
    }


def _template(probes: Sequence[Probe], inputs: Sequence[str], sentences: Mapping[str, str]) -> str:
    before, between, after = (escape(part) for part in _cut(probes[0], inputs[0]))
    opening = "{question}"
    if "asks" in probes[0].fields:
        opening = "{field:premise}"
        between = between.replace(escape(sentences[probes[0].fields["asks"]]), "{field:connector}")
    template = f"{before}{opening}{between}{{choices}}{after}"
    text = compile_text(template)
    for probe, prompt in zip(probes, inputs, strict=False):
        values = {"question": probe.question, "choices": _choices(probe), "field:premise": _opening(probe)}
        if "asks" in probe.fields:
            values["field:connector"] = sentences[probe.fields["asks"]]
        if text.fill(values) != prompt:
            raise _Odd(f"its prompts are not all of one form (row {probe.item_id!r})")
    return template
