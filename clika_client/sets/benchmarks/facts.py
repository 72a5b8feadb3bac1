"""Readers of fact benchmarks, whose rows are sentences with a gap: BMLAMA, mLAMA and KLAR."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from clika_client.common.errors import UserError
from clika_client.sets.benchmarks.files import Files
from clika_client.sets.benchmarks.reading import NUMBER, BenchmarkReader, Row, TableReader, read_cells
from clika_client.sets.benchmarks.wide import WIDE
from clika_client.sets.benchmarks.x_fakt import XFakt
from clika_client.sets.jsonl import decode, read_bytes, read_jsonl
from clika_client.sets.probes import Probe, ProbeSet

GAP = "____"
"""What stands in a question where the answer is missing."""
_MASKS = ("<mask>", "<MASK>", "[MASK]", "[Y]")
_ZERO_WIDTH_SPACE = "\u200b"
_CANDIDATES = 10
"""Choices of an mLAMA question, as many as BMLAMA has."""


def gap(text: str) -> Row:
    """The question, and what stands before and after its gap; an empty row where there is none."""
    mask = next((mask for mask in _MASKS if mask in text), None)
    if mask is None:
        return {"cloze": "", "before": "", "after": ""}
    before, _, after = text.partition(mask)
    return {"cloze": f"{before}{GAP}{after}", "before": before, "after": after}


def _knowledge_free(answer: str, subject: str) -> str | None:
    """The subject's name holds the answer: `Lake Ohrid Airport` needs no knowledge to be put at Ohrid."""
    return "yes" if answer.strip() and answer.strip().casefold() in subject.casefold() else None


class Bmlama:
    """One TSV per language, parallel by line: prompt, answer, candidates separated by commas, subject."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def rows(self, language: str) -> Iterator[tuple[str, Row]]:
        """Columns by position, with CSV's quoting; the header's names are not reliable."""
        found = list(self._cells(language))
        golds: dict[str, set[str]] = {}
        for _, (prompt, answer, _, _) in found:
            golds.setdefault(prompt, set()).add(answer.strip())
        for number, (place, (prompt, answer, candidates, subject)) in enumerate(found):
            choices = [choice.strip() for choice in candidates.split(", ")]
            others = golds[prompt] - {answer.strip()}
            yield (
                place,
                {
                    NUMBER: number,
                    **gap(prompt),
                    "answer": answer.strip(),
                    "candidates": choices,
                    "subject": subject.strip(),
                    "knowledge_free": _knowledge_free(answer, subject),
                    "several_answers": "yes" if others & set(choices) else None,
                },
            )

    def _cells(self, language: str) -> Iterator[tuple[str, Sequence[str]]]:
        for file in self._files[language]:
            rows = read_cells(file)
            next(rows, None)
            for place, cells in rows:
                if len(cells) != 4:
                    raise UserError(f"{file}, {place}: {len(cells)} fields where BMLAMA has 4; download it again")
                yield f"{file.name}, {place}", [cell.replace(_ZERO_WIDTH_SPACE, "") for cell in cells]


class Mlama:
    """Facts by relation, without candidates: some are drawn from the relation's other objects.

    The draw is by Wikidata's ids and the same in every language: only objects that all chosen languages name are
    drawn, never one that is right for the same subject, nor the subject itself.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._objects: dict[str, dict[str, dict[str, str]]] = {}
        """language → relation → object's id → its name."""
        self._right: dict[tuple[str, str], set[str]] = {}
        """(relation, subject's id) → all right objects."""
        self._drawn: dict[tuple[str, str, str], list[str]] = {}
        for language in files:
            named = self._objects.setdefault(language, {})
            for _, row in self._facts(language):
                relation = str(row["predicate_id"])
                named.setdefault(relation, {}).setdefault(str(row["obj_uri"]), str(row["obj_label"]))
                self._right.setdefault((relation, str(row["sub_uri"])), set()).add(str(row["obj_uri"]))
        self._common = {
            relation: sorted(set.intersection(*(set(named.get(relation, ())) for named in self._objects.values())))
            for relation in {r for named in self._objects.values() for r in named}
        }

    def rows(self, language: str) -> Iterator[tuple[str, Row]]:
        """Facts with their candidates, the right one in its drawn place."""
        for place, row in self._facts(language):
            relation, subject, answer = str(row["predicate_id"]), str(row["sub_label"]), str(row["obj_uri"])
            uris = self._candidates(relation, str(row["sub_uri"]), answer, str(row["lineid"]))
            names = self._objects[language][relation]
            text = str(row["template"]).replace("[X]", subject)
            yield (
                place,
                {
                    **row,
                    **gap(text),
                    # The right object is named as this fact names it: an object may have several names.
                    "candidates": [str(row["obj_label"]) if uri == answer else names.get(uri, "") for uri in uris],
                    "place": uris.index(answer),
                    "knowledge_free": _knowledge_free(str(row["obj_label"]), subject),
                },
            )

    def _candidates(self, relation: str, subject: str, answer: str, line: str) -> list[str]:
        """Ids of a fact's choices; drawn once, as every language asks for them twice."""
        fact = (relation, line, answer)
        if fact not in self._drawn:
            out = self._right[relation, subject] | {subject}
            free = [uri for uri in self._common[relation] if uri not in out]
            free.sort(key=lambda uri: hashlib.blake2b(f"{relation}/{line}/{uri}".encode(), digest_size=8).digest())
            self._drawn[fact] = sorted([answer, *free[: _CANDIDATES - 1]])
        return self._drawn[fact]

    def _facts(self, language: str) -> Iterator[tuple[str, Row]]:
        """Rows of either layout: a folder of relations with a file of templates, or one table with all columns."""
        files = self._files[language]
        templates: dict[str, str] = {}
        for file in files:
            if file.name == "templates.jsonl":
                templates = {str(row["relation"]): str(row["template"]) for _, row in read_jsonl(file)}
        for file in files:
            if file.name == "templates.jsonl":
                continue
            relation = file.stem
            for place, row in TableReader({language: (file,)}).rows(language):
                if "predicate_id" in row:
                    yield place, row
                elif relation in templates:
                    yield place, {**row, "predicate_id": relation, "template": templates[relation]}


class Klar:
    """Facts with prompts of their own whose `index` is a row of BMLAMA-17; the candidates are that row's."""

    def __init__(self, files: Files, kept: Callable[[str], ProbeSet]) -> None:
        self._files = files
        self._bmlama = kept("bmlama17")
        self._row_of = {item.item_id: i for i, item in enumerate(self._bmlama.items)}

    def rows(self, language: str) -> Iterator[tuple[str, Row]]:
        """Facts with candidates; refused where most answers are not those of BMLAMA's rows."""
        probes = self._bmlama.probes.get(language)
        if probes is None:
            raise UserError(
                f"klar needs BMLAMA-17 in {language!r}, which was added without it; add all its languages: "
                "clika sets add bmlama17 FOLDER"
            )
        agree: Counter[bool] = Counter()
        found: list[tuple[str, Row]] = []
        for place, relation, template, sample in self._samples(language):
            at = self._row_of.get(str(sample["index"]))
            probe = probes[at] if at is not None else None
            if probe is not None:
                agree[probe.choices[probe.gold].casefold() == str(sample["object"]).strip().casefold()] += 1
            found.append((place, _klar_row(relation, template, sample, probe)))
        if agree[False] > agree[True]:
            raise UserError(
                f"klar in {language!r}: {agree[False]} of {agree.total()} answers are not those of the BMLAMA-17 rows "
                "they name; was BMLAMA-17 added whole and unchanged?"
            )
        yield from found

    def _samples(self, language: str) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
        for file in self._files[language]:
            try:
                document = json.loads(decode(file, read_bytes(file)))
                template = str(document["prompt_templates"][0])
                samples = list(document["samples"])
            except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
                raise UserError(f"{file}: not a relation of KLAR ({error!r}); download it again") from None
            for number, sample in enumerate(samples):
                yield f"{file.name}, sample {number}", file.stem, template, sample


def _klar_row(relation: str, template: str, sample: Mapping[str, Any], probe: Probe | None) -> Row:
    subject = str(sample["subject"])
    return {
        "index": sample["index"],
        "relation": relation,
        **gap(template.replace("<subject>", subject)),
        "subject": subject,
        "candidates": [] if probe is None else list(probe.choices),
        "place": 0 if probe is None else probe.gold,
        "knowledge_free": _knowledge_free(str(sample["object"]), subject),
    }


def reader(layout: str, files: Files, kept: Callable[[str], ProbeSet]) -> BenchmarkReader:
    """The reader of that name; `kept` gives another benchmark's set."""
    made: Mapping[str, Callable[[], BenchmarkReader]] = {
        "": lambda: TableReader(files),
        "bmlama": lambda: Bmlama(files),
        "mlama": lambda: Mlama(files),
        "klar": lambda: Klar(files, kept),
        "x-fakt": lambda: XFakt(files),
        **dict.fromkeys(WIDE, lambda: TableReader(files)),
    }
    return made[layout]()
