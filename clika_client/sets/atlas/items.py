"""The filters that every item passes in every language, and the place of the right answer among the choices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from clika_client.sets.atlas import filters
from clika_client.sets.atlas.candidates import Candidate, ExcludedFact
from clika_client.sets.atlas.row import literal, sides
from clika_client.sets.atlas.wording import Wording

NameOf = Callable[[str, str], str | None]
"""(language, entity key) → name."""

ANSWERED_BY_A_LANGUAGE = ("official-language", "city-language")
"""Relations in which a name in the answer's language gives it away: Côte d'Ivoire, in English, is French."""


@dataclass(frozen=True, slots=True)
class Sieve:
    """The filters, applied in every language; what fails in one fails everywhere."""

    wordings: Sequence[Wording]
    name: NameOf
    _unfit: dict[str, str | None] = field(default_factory=dict)
    _sides: dict[str, list[tuple[Wording, str, str]]] = field(default_factory=dict)
    _leaks: dict[tuple[str, str, str], str | None] = field(default_factory=dict)
    _framed: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    _alike: dict[tuple[bool, frozenset[str]], bool] = field(default_factory=dict)

    def unfit(self, key: str) -> str | None:
        """Why an entity cannot be shown, or None."""
        if key not in self._unfit:
            self._unfit[key] = None if not key or literal(key) else self._problem(key)
        return self._unfit[key]

    def _problem(self, key: str) -> str | None:
        for wording in self.wordings:
            problem = filters.name_problem(self.name(wording.language, key), wording.script)
            if problem:
                return f"{problem} ({wording.language}: {self.name(wording.language, key)})"
        return None

    def leak(self, relation: str, subject: str, answer: str) -> str | None:
        """Where the answer can be read off the question, or None."""
        if literal(answer) is not None or answer.startswith("day:"):
            return None
        key = (relation, subject, answer)
        if key not in self._leaks:
            self._leaks[key] = self._leak(*key)
        return self._leaks[key]

    def _leak(self, relation: str, subject: str, answer: str) -> str | None:
        own = ""
        if relation in ANSWERED_BY_A_LANGUAGE:
            tag = answer.partition(":")[2]
            own = self.name(tag, subject) or "" if any(w.language == tag for w in self.wordings) else ""
        for wording, asked, shown in self._asked(relation):
            here = (self.name(asked, subject) or "") if subject else ""
            there = self.name(shown, answer) or ""
            if self._said(relation, wording, there) or filters.readable(here, there):
                return f"the answer can be read off the question ({wording.language}: {here} – {there})"
            if own and asked != answer.partition(":")[2] and filters.borrowed(here, own):
                return f"the name stands in the language asked for ({wording.language}: {here} – {there})"
        return None

    def _asked(self, relation: str) -> list[tuple[Wording, str, str]]:
        """The wordings, each with the languages of a relation's two sides."""
        if relation not in self._sides:
            self._sides[relation] = [(wording, *sides(relation, wording)) for wording in self.wordings]
        return self._sides[relation]

    def _said(self, relation: str, wording: Wording, answer: str) -> bool:
        """Whether the question's frame, the name aside, spells the answer out."""
        key = (relation, wording.language, answer)
        if key not in self._framed:
            frame = wording.questions[relation].replace("{name}", " ")
            # As a word, or as most of one: Nederland stands in "in het Nederlands".
            whole = filters.normalise(answer)
            part = len(whole) > filters.PREFIX and whole in filters.normalise(frame)
            self._framed[key] = part or filters.given_away(frame, answer)
        return self._framed[key]

    def distinct(self, relation: str, keys: Sequence[str]) -> bool:
        """Whether choices differ from each other after normalisation, in every language."""
        return not any(self._same(relation, one, other) for one, other in combinations(keys, 2))

    def differs(self, relation: str, key: str, others: Sequence[str]) -> bool:
        """Whether a choice differs from each of the others, in every language."""
        return not any(self._same(relation, one, key) for one in others)

    def _same(self, relation: str, one: str, other: str) -> bool:
        """Whether two entities are called alike somewhere; `translate-out` shows the partner's names."""
        key = (relation == "translate-out", frozenset((one, other)))
        if key not in self._alike:
            self._alike[key] = any(
                filters.normalise(self.name(shown, one) or "") == filters.normalise(self.name(shown, other) or "")
                for shown in {shown for _, _, shown in self._asked(relation)}
            )
        return self._alike[key]


def screen(facts: Iterable[Candidate | ExcludedFact], sieve: Sieve) -> Iterator[Candidate | ExcludedFact]:
    """Candidates whose names are fit and whose answer is hidden in every language; the others with the reason."""
    for fact in facts:
        if isinstance(fact, ExcludedFact):
            yield fact
            continue
        reason = sieve.unfit(fact.subject) or sieve.unfit(fact.answer)
        reason = reason or sieve.leak(fact.relation, fact.subject, fact.answer)
        yield ExcludedFact(fact.item_id, reason) if reason else fact


def positions(item_ids: Sequence[str], k: int, draw: Callable[[str], bytes]) -> Mapping[str, int]:
    """Item id → where its right answer stands among `k`: each position equally often (within one)."""
    return {item_id: rank % k for rank, item_id in enumerate(sorted(item_ids, key=draw))}
