"""From stored replies to answer arrays: each cell is read once per reading, and the result kept beside it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clika_cache.completions import read_figures
from clika_client.answers import read as answers
from clika_client.answers.likelihood import HEADLINE, NORMALISATIONS, figures
from clika_client.answers.open.cell import OPEN, coded, read_replies
from clika_client.answers.open.cell import REASONS as OPEN_REASONS
from clika_client.answers.open.judged import judge_of, overlay
from clika_client.answers.open.version import open_version
from clika_client.common.answer_codes import MISSING, NO_ANSWER, Answers, Floats
from clika_client.common.errors import UserError
from clika_client.sets.probes import Probe, ProbeSet
from clika_client.store import judgements
from clika_client.store.store import Cell, Store, StoredReplies

PROBABILITIES = "probabilities"
"""The reading of `logprobs` cells: the choice with the highest probability."""
REASONS = (*answers.REASONS, "no probabilities", *OPEN_REASONS)
"""Why a reply names no choice, by stored code; code 0 stands for an answer."""
_NO_PROBABILITIES = REASONS.index("no probabilities")
AT_ONCE = 5_000
"""Replies held in memory at a time: a cell may have a hundred thousand."""


@dataclass(frozen=True, slots=True)
class CellAnswers:
    """What one cell's replies say, one entry per item of the set, in the set's own choice order."""

    choices: Answers
    reasons: npt.NDArray[np.uint8]


def reason_counts(codes: npt.NDArray[np.uint8]) -> dict[str, int]:
    """Why there is no answer, counted: reason → replies, most frequent first."""
    counts = np.bincount(codes, minlength=len(REASONS))
    order = np.argsort(-counts, kind="stable")
    return {REASONS[i]: int(counts[i]) for i in order if i > 0 and counts[i] > 0}


def before_questions(prompts: Sequence[str]) -> str:
    """What a cell's prompts show before their questions, such as worked examples: the lines that open them all.

    The first and the last prompt of a cell tell. Empty for fewer than two prompts.
    """
    if len(set(prompts)) < 2:
        return ""
    same = itertools.takewhile(lambda lines: len(set(lines)) == 1, zip(*(p.split("\n") for p in prompts), strict=False))
    return "\n".join(lines[0] for lines in same)


def read_cell(store: Store, cell: Cell, reading: str, probe_set: ProbeSet) -> CellAnswers:
    """The answers of a cell, from the store when already read, else read now and kept."""
    reading = reading_for(cell.key.ask, reading)
    judge = judge_of(reading)
    if judge is not None:
        return _judged(store, cell, judge, probe_set)
    stamp = reading_stamp(reading)
    kept = store.reading(cell, stamp)
    if kept is not None:
        return CellAnswers(*kept)
    found = CellAnswers(np.full(probe_set.n, MISSING, np.int8), np.zeros(probe_set.n, np.uint8))
    written: dict[int, str] = {}
    asked = cell.asked()
    example = before_questions(store.prompts(cell, asked[[0, -1]])) if len(asked) > 1 else ""
    for start in range(0, len(asked), AT_ONCE):
        replies = store.replies(cell, asked[start : start + AT_ONCE])
        if reading == OPEN:
            codes, reasons = _read_open(replies, cell, probe_set, written)
        else:
            codes, reasons = _read(replies, cell, reading, probe_set, example)
        found.choices[replies.positions] = unrotate(codes, cell.key.rotation, probe_set.counts[replies.positions])
        found.reasons[replies.positions] = reasons
        if len(asked) > AT_ONCE:
            answers.forget()
    store.save_reading(cell, stamp, found.choices, found.reasons, REASONS, written)
    return found


def _judged(store: Store, cell: Cell, judge: str, probe_set: ProbeSet) -> CellAnswers:
    """A cell's answers as a judge saw them, MISSING where it said nothing; a person's words go over our reading."""
    found = read_cell(store, cell, OPEN, probe_set)
    choices, reasons = found.choices.copy(), found.reasons.copy()
    said = judgements.of_cell(store, judge, cell)
    golds = [probe.gold for probe in probe_set.probes[cell.key.language]]
    overlay(choices, reasons, said, golds, probe_set.languages, REASONS)
    if judge != judgements.HUMAN:
        silent = np.ones(probe_set.n, np.bool_)
        silent[list(said)] = False
        choices[silent], reasons[silent] = MISSING, 0
    return CellAnswers(choices, reasons)


def kept_before(store: Store, cell: Cell, name: str) -> tuple[str, CellAnswers] | None:
    """(stamp, answers) of a cell as an earlier version of a reading left them; None where it never did.

    `name` is a reading, for its latest version but today's, or a stamp such as `standard@1`.
    """
    reading, _, version = name.partition("@")
    today = reading_stamp(reading)
    stamps = [stamp for stamp in store.kept_readings(cell) if stamp.startswith(f"{reading}@") and stamp != today]
    stamps = [stamp for stamp in stamps if not version or stamp == name]
    for stamp in sorted(stamps, key=_version, reverse=True):
        kept = store.reading(cell, stamp)
        if kept is not None:
            return stamp, CellAnswers(*kept)
    return None


def _version(stamp: str) -> tuple[int, str]:
    number, _, words = stamp.partition("@")[2].partition("+")
    return int(number) if number.isdecimal() else 0, words


def _read(
    replies: StoredReplies, cell: Cell, reading: str, probe_set: ProbeSet, example: str
) -> tuple[Answers, npt.NDArray[np.uint8]]:
    if reading == PROBABILITIES:
        return _most_probable(replies.logprobs)
    if reading in NORMALISATIONS:
        return _most_probable(_scored(replies, cell, reading, probe_set))
    probes = [probe_set.probes[cell.key.language][int(i)] for i in replies.positions]
    return read_texts(
        replies.texts,
        cell.labels,
        probes,
        reading,
        finish=replies.finish,
        rotation=cell.key.rotation,
        example=example,
    )


def _read_open(
    replies: StoredReplies, cell: Cell, probe_set: ProbeSet, written: dict[int, str]
) -> tuple[Answers, npt.NDArray[np.uint8]]:
    """Codes and reasons; what the replies wrote as their answers is added to `written`."""
    positions = replies.positions.tolist()
    found = read_replies(probe_set, cell.key.language, positions, replies.texts, replies.finish)
    written.update(zip(positions, (answer.written for answer in found), strict=True))
    golds = [probe_set.probes[cell.key.language][i].gold for i in positions]
    return coded(found, golds, probe_set.languages, REASONS)


def reading_for(ask: str, reading: str) -> str:
    """The reading of cells asked in one way, where this one was wanted: a reading of another way is passed over."""
    if ask == "logprobs":
        return PROBABILITIES
    if ask == OPEN:
        return reading if judge_of(reading) is not None else OPEN
    if ask == "likelihood":
        return reading if reading in NORMALISATIONS else HEADLINE
    own = reading in NORMALISATIONS or reading == OPEN or judge_of(reading) is not None
    return "standard" if own else reading


def spread(n: int, positions: npt.NDArray[np.int64], codes: Answers, reasons: npt.NDArray[np.uint8]) -> CellAnswers:
    """Replies at some positions as arrays over all n items, MISSING elsewhere."""
    choices, why = np.full(n, MISSING, np.int8), np.zeros(n, np.uint8)
    choices[positions] = codes
    why[positions] = reasons
    return CellAnswers(choices, why)


def unrotate(positions: Answers, rotation: int, k: int | npt.NDArray[np.int64]) -> Answers:
    """The set's own choice index for each position on screen, where position p showed choice (p + rotation) mod k.

    `k` is the number of choices, one for all or one per item.
    """
    return np.where(positions >= 0, (positions + rotation) % k, positions).astype(np.int8)


def rotate(choices: Answers, rotation: int, k: int | npt.NDArray[np.int64]) -> Answers:
    """The inverse of `unrotate`."""
    return np.where(choices >= 0, (choices - rotation) % k, choices).astype(np.int8)


def _scored(
    replies: StoredReplies, cell: Cell, reading: str, probe_set: ProbeSet
) -> list[tuple[float | None, ...] | None]:
    """The score of each option under a normalisation of its likelihood; None for a figure that is not stored."""
    scored: list[tuple[float | None, ...] | None] = []
    probes = probe_set.probes[cell.key.language]
    for position, logprobs, text in zip(replies.positions, replies.logprobs, replies.option_figures, strict=True):
        held = figures(logprobs, *read_figures(text), probes[int(position)].choices)
        row = NORMALISATIONS[reading](held)
        scored.append(tuple(None if np.isnan(value) else float(value) for value in row))
    return scored


def choice_scores(store: Store, cell: Cell, probe_set: ProbeSet, reading: str = PROBABILITIES) -> Floats:
    """The score of each choice in the set's own order, NaN where not offered; (items, choices).

    Natural-log probabilities; for likelihood cells under the normalisation that the reading names.
    """
    counts = probe_set.counts
    scores = np.full((probe_set.n, int(counts.max())), np.nan)
    replies = store.replies(cell)
    rows = _scored(replies, cell, reading, probe_set) if reading in NORMALISATIONS else replies.logprobs
    for position, logprobs in zip(replies.positions, rows, strict=True):
        k = int(counts[position])
        if logprobs is not None and len(logprobs) == k:
            order = (np.arange(k) + cell.key.rotation) % k
            scores[position, order] = [np.nan if value is None else value for value in logprobs]
    return scores


def mean_over_orders(scores: Sequence[Floats]) -> Floats:
    """Log of the mean probability of each choice over several orders of the options; (items, choices).

    In each order the labels' probabilities are taken relative to one another first, so that every order counts the
    same (Zheng et al., "Large Language Models Are Not Robust Multiple Choice Selectors", ICLR 2024). A label that is
    not among those an answer was given for counts as improbable; an order without any figure does not count.
    """
    total, orders = np.zeros_like(scores[0]), np.zeros(scores[0].shape[0])
    for one in scores:
        seen = ~np.isnan(one).all(-1)
        filled = np.where(np.isnan(one[seen]), -np.inf, one[seen])
        filled = np.exp(filled - filled.max(-1, keepdims=True))
        total[seen] += filled / filled.sum(-1, keepdims=True)
        orders[seen] += 1
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.log(total / orders[:, None])
    return np.where(np.isnan(np.stack(scores)).all(0), np.nan, mean)


def _most_probable(
    rows: Sequence[tuple[float | None, ...] | None],
) -> tuple[Answers, npt.NDArray[np.uint8]]:
    """Position of the highest probability; the first of equals."""
    codes, reasons = np.full(len(rows), NO_ANSWER, np.int8), np.zeros(len(rows), np.uint8)
    for i, row in enumerate(rows):
        known = [(value, -position) for position, value in enumerate(row or ()) if value is not None]
        if known:
            codes[i] = -max(known)[1]
        else:
            reasons[i] = _NO_PROBABILITIES
    return codes, reasons


def reading_stamp(reading: str) -> str:
    """The reading's name with its version, under which results are kept; raises UserError for an unknown one."""
    if reading == PROBABILITIES or reading in NORMALISATIONS:
        return f"{reading}@1"
    if judge_of(reading) is not None:
        return f"{reading}@1"
    if reading == OPEN:
        return f"{OPEN}@{open_version()}"
    if reading not in answers.READINGS:
        raise UserError(f"no reading is called {reading!r}; choose one of: {', '.join(known_readings())}, judge:JUDGE")
    found = answers.reading(reading)
    return f"{found.name}@{found.version}"


def known_readings() -> tuple[str, ...]:
    """What `reading_stamp` knows by name; beside these `judge:JUDGE` and `human`, where there are judgements."""
    return (*answers.READINGS, PROBABILITIES, *NORMALISATIONS, OPEN)


def read_texts(
    texts: Sequence[str],
    labels: Sequence[str],
    probes: Sequence[Probe],
    reading: str,
    *,
    finish: Sequence[str | None] | None = None,
    rotation: int = 0,
    example: str = "",
) -> tuple[Answers, npt.NDArray[np.uint8]]:
    """(position chosen on screen, reason code) per text; all probes are in one language."""
    shown = [as_shown(probe, rotation) for probe in probes]
    language = probes[0].language if probes else None
    read = answers.read_answers(texts, labels_shown(labels, probes), shown, language, reading, finish, example)
    return read.choice, read.reason


def as_shown(probe: Probe, rotation: int) -> tuple[str, ...]:
    """A question's choices in the order of their places on screen."""
    start = rotation % len(probe.choices)
    return probe.choices[start:] + probe.choices[:start]


def labels_shown(labels: Sequence[str], probes: Sequence[Probe]) -> list[tuple[str, ...]]:
    """The labels each question showed: the first of a cell's, as many as it has choices."""
    made = {k: tuple(labels[:k]) for k in {len(probe.choices) for probe in probes}}
    return [made[len(probe.choices)] for probe in probes]
