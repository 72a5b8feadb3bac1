"""Lists in which every option gets a verdict: `A ❌ B ✅`, `- [x] B`, `C. Canberra – Yes!`."""

from __future__ import annotations

from clika_client.answers.rules.labels import AMBIGUOUS
from clika_client.answers.rules.reply import Reply
from clika_client.answers.rules.token import Token
from clika_client.answers.rules.words import Role

RIGHT_SIGNS = frozenset("✅✔✓☑🟢👍⭕○◯√")
WRONG_SIGNS = frozenset("❌✗✘✖✕❎🔴👎🚫⛔×☒")
_SIGNS = RIGHT_SIGNS | WRONG_SIGNS
_SEPARATORS = frozenset("-:(|,=>")
_DENIES = Role.NOT | Role.WRONG
_APPROVES = Role.CORRECT


def judged(reply: Reply) -> int | None:
    """The one option that a list of verdicts calls right; AMBIGUOUS for several; None without such a list."""
    verdicts = _by_signs(reply) or _by_words(reply)
    if verdicts is None:
        return None
    right = {choice for choice, verdict in verdicts if verdict}
    if len(right) > 1:
        return AMBIGUOUS
    if right:
        return right.pop()
    listed = {choice for choice, _ in verdicts}
    left = listed - {choice for choice, verdict in verdicts if verdict is False}
    whole = len(listed) == len(reply.cores) > 2
    return left.pop() if whole and len(left) == 1 else None  # all but one struck off


Verdicts = list[tuple[int, bool | None]]
"""(choice, called right, wrong, or neither)."""


def _by_signs(reply: Reply) -> Verdicts | None:
    """`B ✅` and `✅ B`: whether the sign or the name comes first holds for the whole reply."""
    if not any(_is_verdict(token) for token in reply.tokens):
        return None
    events = _names_and_signs(reply)
    signs = sum(isinstance(event, bool) for event in events)
    if signs < 2 and not (signs == 1 and len(events) > 2):
        return None  # `B ✅` lists nothing; `A. London\nB. Paris ✅` does, with one sign
    if isinstance(events[0], bool):
        events.reverse()  # `❌ A ✅ B`
    found = _paired(events)
    return found if len({choice for choice, _ in found}) > 1 else None


def _is_verdict(token: Token) -> bool:
    return token.kind == "sign" and token.text in _SIGNS


def _names_and_signs(reply: Reply) -> list[int | bool]:
    """Options named, as indices, and what signs say, in the reply's order; `B. Paris ✅` names one option once."""
    events: list[int | bool] = []
    for at, token in enumerate(reply.tokens):
        if _is_verdict(token):
            events.append(token.text in RIGHT_SIGNS)
        elif token.choice is not None and token.choice >= 0 and (token.strict or reply.enumerates(at)):
            again = events and not isinstance(events[-1], bool) and events[-1] == token.choice
            events += [] if again else [token.choice]
    return events


def _paired(events: list[int | bool]) -> Verdicts:
    """Each name with the sign that comes next; of `A ❌✅` the first, and none for `A` in `A\nB ✅`."""
    found: Verdicts = []
    for event in events:
        if not isinstance(event, bool):
            found.append((event, None))
        elif found and found[-1][1] is None:
            found[-1] = (found[-1][0], event)
    return found


def _by_words(reply: Reply) -> Verdicts | None:
    """Lines of a label or name, a separator, and a verdict as the first word: `A. Sydney – No, it's just …`."""
    if len(reply.lines) < 2:
        return None
    found = [verdict for line in reply.lines if (verdict := _line(reply, line)) is not None]
    told = [verdict for _, verdict in found if verdict is not None]
    return found if len({choice for choice, _ in found}) > 1 and len(told) > 0 and True in told else None


def _line(reply: Reply, members: list[int]) -> tuple[int, bool | None] | None:
    """What one line says of the option that it begins with."""
    start = next((at for at in members if reply.tokens[at].kind != "sign"), None)
    if start is None:
        return None
    choice = reply.tokens[start].choice
    if choice is None or choice < 0 or not (reply.tokens[start].strict or reply.enumerates(start)):
        return None
    choice, ahead = reply.beside(start)
    rest = [at for at in members if at >= ahead]
    separated = False
    for at in rest:
        token = reply.tokens[at]
        if token.kind == "sign":
            separated = separated or token.text in _SEPARATORS
        elif token.role & _DENIES:  # `A. Sydney – No, …`, `A wrong`; `A is not …` tells nothing yet
            return (choice, False) if separated or token.role & Role.WRONG else (choice, None)
        elif token.role & _APPROVES or token.hint & Role.YES:  # `C. Canberra – Yes!`
            return (choice, True) if separated else (choice, None)
        elif not token.role & (Role.IS | Role.FILL) or token.choice is not None:
            break  # `A. Sydney – the largest city`
    return choice, None
