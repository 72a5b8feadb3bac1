"""What an item of atlas is when frozen: entities by key, not by name, so that all languages share one table."""

from __future__ import annotations

from dataclasses import dataclass

from clika_client.sets.atlas.wording import Wording

K = 4
"""Choices per question."""

HEADER = "item_id\trelation\tsubject\tchoices\tgold\tregion\tsubregion\tcluster"


@dataclass(frozen=True, slots=True)
class Row:
    """One item: what is asked, the choices in their order, and which is right."""

    item_id: str
    relation: str
    subject: str
    """Entity key: `zone:Europe/Paris`, `territory:FR`, `language:fa`, `script:Arab`."""
    choices: tuple[str, ...]
    gold: int
    region: str
    subregion: str
    cluster: str


def to_line(row: Row) -> str:
    """The row as a line of items.tsv."""
    asked = (row.item_id, row.relation, row.subject, " ".join(row.choices), str(row.gold))
    return "\t".join((*asked, row.region, row.subregion, row.cluster))


def from_line(line: str) -> Row:
    """The row that `to_line` wrote."""
    item_id, relation, subject, choices, gold, region, subregion, cluster = line.split("\t")
    return Row(item_id, relation, subject, tuple(choices.split(" ")), int(gold), region, subregion, cluster)


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
