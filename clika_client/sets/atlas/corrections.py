"""Says which names atlas shows otherwise than CLDR, by language and by what was wrong, as docs/atlas.md shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from clika_client.sets.atlas import cldr, filters, frozen
from clika_client.sets.atlas.row import literal
from clika_client.sets.atlas.wording import Wording, languages, read
from clika_client.sets.fictional.text import similarity

KINDS = {
    "list form": "abbreviated, or with an ampersand, a comma or a parenthesis: St. Lucia, Antigua & Barbuda",
    "capitals": "another letter size than its neighbours",
    "marks": "the same letters but for accents, points, spaces or signs: Bogota, Sao Paulo",
    "other entity": "the name of something else: Malaysian for Malay, Canada for Kannada",
    "untranslated": "the English or the bare time-zone name, where the language has its own: Costa de Marfil",
    "letters": "letters misread (vowels silent, lost or wrong; ch, j, nh), typing errors, not the standard orthography",
    "other form": "another name in use, of the same place or language",
}
"""What was wrong → what that means; a name counts once, under the first that fits."""
NEAR = 0.5
"""Two spellings that share so much (1 - edit distance / longer length) are one name, spelt twice."""


def kind(wording: Wording, key: str, was: str | None, now: str, others: Mapping[str, str]) -> str:
    """What was wrong with CLDR's name; `others` maps the normalised names of the language to their entities."""
    if not was or any(c in was for c in "&./()[],（）") or "о-ва" in was:
        return "list form"
    if was.casefold() == now.casefold():
        return "capitals"
    if filters.normalise(was) == filters.normalise(now):
        return "marks"
    if others.get(filters.normalise(was), key) != key:
        return "other entity"
    bare = key.rpartition("/")[2].replace("_", " ")
    if filters.normalise(was) in {filters.normalise(cldr.entity_name("en", key) or ""), filters.normalise(bare)}:
        return "untranslated"
    return "letters" if similarity(was, now) >= NEAR else "other form"


def found() -> dict[str, Counter[str]]:
    """Language → kind → names that atlas shows and spells otherwise than CLDR."""
    counts: dict[str, Counter[str]] = {}
    for tag in languages():
        wording = read(tag)
        shown = frozen.names(tag)[0]
        others = {filters.normalise(name): key for key, name in shown.items() if literal(key) is None}
        counts[tag] = Counter()
        for key, now in wording.spelling.items():
            was = cldr.entity_name(tag, key)
            if key in shown and was != now:
                counts[tag][kind(wording, key, was, now, others)] += 1
    return counts


def markdown() -> str:
    """The kinds in words, then a table: a row per language, a column per kind."""
    counts = found()
    total = sum((row for row in counts.values()), Counter[str]())
    lines = [f"- {name}: {text}." for name, text in KINDS.items()]
    lines += ["", _row(["language", *KINDS, "all"]), "|" + "---|" * (len(KINDS) + 2)]
    lines += [_row([f"`{tag}`", *_cells(row)]) for tag, row in counts.items() if row]
    lines.append(_row(["all", *_cells(total)]))
    none = ", ".join(f"`{tag}`" for tag, row in counts.items() if not row)
    return "\n".join([*lines, "", f"None of the names shown had to be changed in: {none or 'no language'}.", ""])


def _cells(row: Counter[str]) -> list[object]:
    return [*(row[name] or "–" for name in KINDS), sum(row.values())]


def _row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
