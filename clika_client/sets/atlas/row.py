"""What an item of atlas is when frozen: entities by key, not by name, so that all languages share one table."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from clika_client.sets.atlas.wording import Wording

K = 4
"""Choices per question."""
MOST = 10
"""Choices per question on request; a relation with fewer possible answers offers what it has."""
LITERALS = {"code": "+", "utc": "UTC", "number": "", "symbol": ""}
"""Kinds of entity that are written alike in every language → what stands before them."""


@dataclass(frozen=True, slots=True)
class AtlasItem:
    """One item: what is asked, the choices in their order, and which is right."""

    item_id: str
    relation: str
    subject: str
    """Entity key: `zone:Europe/Paris`, `territory:FR`, `language:fa`, `code:33`; empty where nothing is named."""
    choices: tuple[str, ...]
    gold: int
    more: tuple[str, ...]
    """Wrong choices beyond the first four, for ten options."""
    gold_of_most: int
    """Where the right answer stands among ten."""
    region: str
    subregion: str
    country: str
    """ISO 3166-1 code of the country asked about, empty where there is none."""
    cluster: str
    tier: str
    hops: int
    capital: str
    """`yes` or `no` for a question about a city, else empty."""
    reserved: bool
    """Set aside for examples in prompts."""

    def offered(self, k: int) -> tuple[tuple[str, ...], int]:
        """(choices, index of the right one) with `k` options, or as many as the item has."""
        if k == K or not self.more:
            return self.choices, self.gold
        answer = self.choices[self.gold]
        wrong = [key for key in self.choices if key != answer] + list(self.more)
        wrong = wrong[: k - 1]
        at = self.gold_of_most % (len(wrong) + 1)
        return (*wrong[:at], answer, *wrong[at:]), at


HEADER = "\t".join(field.name for field in fields(AtlasItem))


def to_line(row: AtlasItem) -> str:
    """The row as a line of items.tsv."""
    return "\t".join(_cell(value) for value in astuple(row))


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    return ("yes" if value else "") if isinstance(value, bool) else str(value)


def from_line(line: str) -> AtlasItem:
    """The row that `to_line` wrote."""
    item_id, relation, subject, choices, gold, more, most, *rest = line.split("\t")
    region, subregion, country, cluster, tier, hops, capital, reserved = rest
    return AtlasItem(
        item_id,
        relation,
        subject,
        tuple(choices.split()),
        int(gold),
        tuple(more.split()),
        int(most),
        region,
        subregion,
        country,
        cluster,
        tier,
        int(hops),
        capital,
        reserved == "yes",
    )


def literal(key: str) -> str | None:
    """The text of an entity that is written alike everywhere, such as `+254`; None for one that has names."""
    kind, _, text = key.partition(":")
    if kind not in LITERALS:
        return None
    if kind == "utc":
        sign, hours, minutes = text[0], int(text[1:3]), text[4:6]
        text = f"{sign}{hours}" + ("" if minutes == "00" else f":{minutes}")
    return LITERALS[kind] + text


def sides(relation: str, wording: Wording) -> tuple[str, str]:
    """(language of the entity in the question, language of the choices)."""
    if relation == "translate-out":
        return wording.language, wording.partner
    if relation == "translate-in":
        return wording.partner, wording.language
    return wording.language, wording.language


def cyclic_orders(k: int = K) -> tuple[tuple[int, ...], ...]:
    """The k rotations of k choices: asked in all of them, every choice stands once at every position."""
    return tuple(tuple((start + i) % k for i in range(k)) for start in range(k))
