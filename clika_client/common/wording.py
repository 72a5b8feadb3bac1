"""Words that many messages share: a number with its noun, and what somebody who mistyped a name may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_CONSONANTS = frozenset("bcdfghjklmnpqrstvwxz")


def counted(n: int, noun: str) -> str:
    """`1 language`, `12,000 replies`: the noun is given in the singular."""
    if n != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] in _CONSONANTS else f"{noun}s"
    return f"{n:,} {noun}"


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The names that `name` may stand for: those it is the end of first, such as a model's without its provider's.

    Upper and lower case are one, and the part after the last slash is compared as well as the whole.
    """
    wanted = name.casefold()
    folded = {each: each.casefold() for each in dict.fromkeys(known)}
    # A whole word: `large` and `atlas-large` for openai/atlas-large, and not `e`.
    ends = [e for e, w in folded.items() if wanted and w.endswith(wanted) and not w.removesuffix(wanted)[-1:].isalnum()]
    if ends:
        return ends[:most]
    tails = {whole.rpartition("/")[2] for whole in folded.values()}
    close = get_close_matches(wanted, [*dict.fromkeys((*folded.values(), *sorted(tails)))], most)
    meant = [each for near in close for each, whole in folded.items() if near in (whole, whole.rpartition("/")[2])]
    return list(dict.fromkeys(meant))[:most]


def did_you_mean(name: str, known: Iterable[str], most: int = 3) -> str:
    """`did you mean atlas or atlas-names?`; empty where nothing is near."""
    near = nearest(name, known, most)
    return f"did you mean {' or '.join(near)}?" if near else ""


def instead(name: str, known: Iterable[str]) -> str:
    """What follows a stored name that is not there: what may be meant, and all there are.

    `did you mean openai/m? It has: mock/a, openai/m`; `it has: none`.
    """
    names = sorted(known)
    meant, listed = did_you_mean(name, names), ", ".join(names) or "none"
    return f"{meant} It has: {listed}" if meant else f"it has: {listed}"
