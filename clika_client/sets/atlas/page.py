"""Writes pages for readers: in each language three questions of every relation as they are asked, answers marked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from clika_client.sets.atlas.frozen import load
from clika_client.sets.atlas.wording import CONTROLS, FACTS, languages, read
from clika_client.sets.probes import Item, Probe, ProbeSet

SHOWN = 3
"""Questions per relation, the same items in every language."""


def page(language: str) -> str:
    """The page of one language, in Markdown."""
    wording = read(language)
    lines = [
        f"# atlas in {wording.name} (`{language}`)",
        "",
        "Three items of each relation, drawn by a fixed hash and the same in every language; the right answer is bold. "
        f"Corrections are welcome: they go into `clika_client/data/atlas/wording/{language}.toml`.",
        "",
        f"Read against: {wording.read_against}.",
    ]
    for name, relations in (("atlas", FACTS), ("atlas-names", CONTROLS)):
        probe_set = load([language], name=name)
        for relation in relations:
            lines += ["", f"## {relation}", ""]
            for item, probe in _drawn(probe_set, language, relation):
                lines += _shown(item, probe)
    return "\n".join(lines) + "\n"


def _drawn(probe_set: ProbeSet, language: str, relation: str) -> Iterator[tuple[Item, Probe]]:
    pairs = list(zip(probe_set.items, probe_set.probes[language], strict=True))
    own = [pair for pair in pairs if pair[0].tags["relation"] == relation]
    yield from sorted(own, key=lambda pair: hashlib.blake2b(pair[0].item_id.encode()).digest())[:SHOWN]


def _shown(item: Item, probe: Probe) -> list[str]:
    offered = [f"**{text}**" if i == probe.gold else text for i, text in enumerate(probe.choices)]
    return [f"- {probe.question}  ", f"  {' · '.join(offered)}  ", f"  `{item.item_id}`"]


def index() -> str:
    """The list of all pages, in Markdown."""
    links = [f"- [{read(tag).name}]({tag}.md) (`{tag}`)" for tag in languages()]
    return "\n".join(["# atlas, to look through", "", "Made by `make docs`.", "", *links, ""])


def write_pages(folder: Path) -> None:
    """Write all pages, and the list of them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(index(), "utf-8")
    for tag in languages():
        (folder / f"{tag}.md").write_text(page(tag), "utf-8")
