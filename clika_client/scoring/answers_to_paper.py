"""The paper's questions answered in sentences: what each training step did, over all sets, and what cannot be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from clika_client.scoring.compare_groups import GAIN, LOSS, OTHERS, GroupChange, summary
from clika_client.scoring.differences import CORRECTED
from clika_client.scoring.paired import CANNOT_TELL, PairedEstimate, judged, over_sets


@dataclass(frozen=True, slots=True)
class Finding:
    """The effect of one step, in every set and language."""

    question: str
    base: str
    tuned: str
    target: str | None
    changes: tuple[GroupChange, ...]
    continued: bool = True
    """The second was trained on from the first; else the two are only set side by side."""

    def sentences(self) -> list[str]:
        """What can be said, one sentence per set."""
        return summary(self.changes)


@dataclass(frozen=True, slots=True)
class Effect:
    """What one step did in the mean over the sets: RA of the target, RA and corrected consistency of the others."""

    finding: Finding
    target: PairedEstimate
    others: PairedEstimate
    consistency: PairedEstimate


@dataclass(frozen=True, slots=True)
class PaperAnswer:
    """The answer to one question, with the effects it rests on."""

    question: str
    text: str
    effects: tuple[Effect, ...]


def answers(findings: Sequence[Finding]) -> list[PaperAnswer]:
    """One answer per question; Holm's correction over the steps of a question."""
    found = []
    for question in dict.fromkeys(finding.question for finding in findings):
        effects = _effects([finding for finding in findings if finding.question == question])
        found.append(PaperAnswer(question, _text(effects), tuple(effects)))
    return found


def _effects(findings: Sequence[Finding]) -> list[Effect]:
    columns = []
    for target, field in ((True, "ra"), (False, "ra"), (False, CORRECTED)):
        means = [over_sets([c.estimates[field] for c in _rows(f, target)], None) for f in findings]
        columns.append(judged(means, {True: GAIN, False: LOSS}))
    return [Effect(f, *estimates) for f, *estimates in zip(findings, *columns, strict=True)]


def _rows(finding: Finding, target: bool) -> list[GroupChange]:
    language = finding.target if target else OTHERS
    return [change for change in finding.changes if change.language == language]


def _text(effects: Sequence[Effect]) -> str:
    aimed = [effect for effect in effects if effect.finding.target is not None]
    parts = []
    if aimed:
        parts.append(_counted("RA of the language aimed at", [effect.target for effect in aimed]))
    parts.append(_counted("RA of the other languages", [effect.others for effect in effects]))
    parts.append(_counted("corrected consistency of the others", [effect.consistency for effect in effects]))
    apart = [effect.finding.tuned for effect in effects if not effect.finding.continued]
    said = f"Of {len(effects)} steps, in the mean over the sets: " + "; ".join(parts) + "."
    if apart:
        said += f" Not trained on from the first model, only set beside it: {', '.join(apart)}."
    return said


def _counted(what: str, estimates: Sequence[PairedEstimate]) -> str:
    counts = Counter(estimate.verdict for estimate in estimates)
    words = {GAIN: "rose in", LOSS: "fell in", CANNOT_TELL: "cannot be told in"}
    said = [f"{word} {counts[verdict]}" for verdict, word in words.items() if counts[verdict]]
    rest = len(estimates) - sum(counts[verdict] for verdict in words)
    return f"{what} " + ", ".join([*said, *([f"is not ranked in {rest}"] if rest else [])])
