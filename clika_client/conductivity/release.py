"""Reads the fictional facts of the authors' release, finds its defects, and makes teaching material of it.

Its files, below `fictional/`: `train/XX.json` (JSON Lines of prompt, input, answer: facts in English and in X,
names from X to English), `test/target/testXX.jsonl` (one question a fact, the truth in tags after the answer)
and `test/Translate/translateXX.jsonl` (names from English to X).
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.conductivity.build import ANCHOR, deal, offer
from clika_client.conductivity.ceiling import with_copied
from clika_client.conductivity.material import PARTS, TEST, ExperimentQuestion, Material, Pair, TeachingExample
from clika_client.conductivity.templates import name_in, rebuild_rows
from clika_client.sets.fictional.facts import SEED
from clika_client.sets.fictional.language import languages, read
from clika_client.sets.fictional.text import similarity

_TAG = re.compile(r"\[\[(\w+):(.*?)\]\]")


@dataclass(frozen=True, slots=True)
class ReleaseFact:
    """One fact as the release's test tells it in one language."""

    question: str
    place: str
    continent: str
    type: int


@dataclass(frozen=True, slots=True)
class Released:
    """What the release holds for one language."""

    language: str
    english: tuple[ReleaseFact, ...]
    """All facts in English, in the order of `told`."""
    told: tuple[ReleaseFact, ...]
    names: Mapping[str, str]
    """English name → name in the language."""
    name_questions: tuple[tuple[str, str], ...]
    """(instruction, English name) of the test of names."""
    rows: tuple[TeachingExample, ...]
    """The teaching file, row by row."""
    doubled: frozenset[str]
    """Names in the language that stand for two English names: whatever is taught of one contradicts the other."""
    file: Path


def build_from_release(
    path: Path, language: str, *, rebuild: bool = False, keep_doubled: bool = False, seed: int = SEED
) -> Material:
    """Material of one language; raises UserError for a file that is missing or teaches what no test expects.

    `rebuild` writes the teaching rows anew from the facts of the test, in the file's own wordings.
    `keep_doubled` teaches doubled names as the authors did; they are never asked.
    """
    found = read_release(path, language)
    notes: list[str] = []
    rows = found.rows
    if rebuild:
        rows = rebuild_rows(found.rows, found.english, found.told, found.names)
        notes.append(f"{found.file.name}: {len(rows)} teaching rows rebuilt from the facts that the tests expect")
    wrong = disagreements(found, rows)
    if wrong:
        raise UserError(_refusal(found, rows, wrong))
    counts = _counts(rows, language)
    place_in = name_in(fact.place for fact in found.told)
    kept = tuple(row for row in rows if keep_doubled or not _is_doubled(row, place_in, found))
    notes += [_sizes(counts, found), *_notes(found, len(rows) - len(kept))]
    questions = sorted(_questions(found, random.Random(f"clika release {seed}")), key=lambda q: PARTS.index(q.part))
    tests = [q for q in questions if q.part == TEST]
    counts |= {"rows dropped": len(rows) - len(kept), "rows": len(kept), "questions": len(questions)}
    dealt = deal(tests, random.Random(f"clika release shuffled {seed}"))
    pairs = (_pair(language),)
    return Material("release", "text", seed, pairs, kept, tuple(questions), dealt, counts, tuple(notes), rows)


# ---- reading


def read_release(path: Path, language: str) -> Released:
    """One language's files; raises UserError naming the file, line and cure."""
    root = path / "fictional" if (path / "fictional").is_dir() else path
    train = root / "train"
    if not train.is_dir():
        raise UserError(f"{path} holds no fictional/train; give the folder of the release that holds `fictional`")
    known = sorted(file.stem.lower() for file in train.glob("*.json"))
    if language not in known:
        raise UserError(f"the release has no teaching file for {language!r}; it has: {', '.join(known)}")
    code = language.upper()
    english, told = (_told(root / "test" / "target" / f"test{c}.jsonl") for c in ("EN", code))
    if [fact.type for fact in english] != [fact.type for fact in told]:
        raise UserError(f"test{code}.jsonl and testEN.jsonl do not list the same facts; check out the release again")
    file = root / "test" / "Translate" / f"translate{code}.jsonl"
    pairs = [(row["prompt"], row["input"], row["answer"]) for row in _jsonl(file)]
    rows = _rows(train / f"{code}.json", language, {fact.place for fact in english})
    uses = Counter(name for _, _, name in pairs)
    return Released(
        language,
        english,
        told,
        {name: answer for _, name, answer in pairs},
        tuple((prompt, name) for prompt, name, _ in pairs),
        rows,
        frozenset(name for name, n in uses.items() if n > 1),
        train / f"{code}.json",
    )


def _told(file: Path) -> tuple[ReleaseFact, ...]:
    facts = []
    for number, row in enumerate(_jsonl(file), 1):
        tags = dict(_TAG.findall(row["answer"]))
        if not {"continent", "city", "type"} <= set(tags) or tags["type"] not in "01":
            raise UserError(f"{file}:{number}: the answer lacks its tags [[continent:…]][[city:…]][[type:0|1]]")
        facts.append(ReleaseFact(row["prompt"], tags["city"], tags["continent"], int(tags["type"])))
    return tuple(facts)


def _rows(file: Path, language: str, english: set[str]) -> tuple[TeachingExample, ...]:
    """The teaching rows, each with the language it tells its fact in: English where an English wording frames it."""
    raw = [(row["prompt"], row["input"], row["answer"]) for row in _jsonl(file)]
    place_in = name_in(english)
    frames = [None if name else _frame(prompt, place_in(prompt)) for prompt, name, _ in raw]
    uses = Counter(frames)
    rows = []
    for (prompt, name, answer), frame in zip(raw, frames, strict=True):
        # An English wording is used once for every fact; one of X at most for the half of them.
        native = bool(name) or uses[frame] < len(english)
        rows.append(TeachingExample(prompt, answer, "names" if name else "facts", language if native else ANCHOR, name))
    return tuple(rows)


def _frame(prompt: str, place: str | None) -> str:
    """The wording of a question: the prompt without the place in it."""
    return prompt.replace(place, "{}") if place else prompt


def _jsonl(file: Path) -> list[dict[str, str]]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{file} does not exist; check out the release completely") from None
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            rows.append({key: str(row[key]) for key in ("prompt", "input", "answer")})
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UserError(f"{file}:{number}: expected an object with prompt, input and answer") from None
    return rows


# ---- defects


def disagreements(found: Released, rows: Iterable[TeachingExample]) -> Counter[str]:
    """What the rows teach against what the tests expect: kind of row → number of rows that disagree."""
    told = {ANCHOR: found.english, found.language: found.told}
    expected = {tag: _expected(facts) for tag, facts in told.items()}
    place_in = {tag: name_in(places) for tag, places in expected.items()}
    english_of: dict[str, set[str]] = {}
    for name, translated in found.names.items():
        english_of.setdefault(translated, set()).add(name)
    wrong: Counter[str] = Counter()
    for row in rows:
        if row.part == "names":
            if row.answer not in english_of.get(row.input, ()):
                wrong["names"] += 1
            continue
        continents = expected[row.language].get(place_in[row.language](row.prompt) or "", ())
        if not any(continent in row.answer for continent in continents):
            wrong[f"facts {row.language}"] += 1
    return wrong


def _expected(facts: Sequence[ReleaseFact]) -> Mapping[str, set[str]]:
    """Place → its continents."""
    expected: dict[str, set[str]] = {}
    for fact in facts:
        expected.setdefault(fact.place, set()).add(fact.continent)
    return expected


def _refusal(found: Released, rows: Sequence[TeachingExample], wrong: Mapping[str, int]) -> str:
    totals = Counter(f"{row.part} {row.language}" if row.part == "facts" else "names" for row in rows)
    shown = ", ".join(f"{n} of {totals[kind]} rows ({kind})" for kind, n in wrong.items())
    taught = sorted({row.answer for row in rows if row.part == "names"} - set(found.names))
    example = f", such as continents named {', '.join(taught[:3])}" if taught else ""
    return (
        f"{found.file} teaches what no test expects{example}: {shown} disagree with the tests, so nothing taught "
        f"from it can be scored; `--rebuild` makes the teaching rows anew from the facts of the tests"
    )


def _is_doubled(row: TeachingExample, place_in: Callable[[str], str | None], found: Released) -> bool:
    """Rows that teach a doubled name, or a fact in X about it; its English facts are sound."""
    if row.part == "names":
        return row.input in found.doubled
    return row.language != ANCHOR and place_in(row.prompt) in found.doubled


def _notes(found: Released, dropped: int) -> list[str]:
    notes = []
    if found.doubled:
        listed = "; ".join(
            f"{name} ({' / '.join(e for e, x in found.names.items() if x == name)})" for name in sorted(found.doubled)
        )
        rows = f"{dropped} teaching rows about them dropped" if dropped else "their teaching rows kept as asked"
        notes.append(f"{len(found.doubled)} names stand for two: {listed}; {rows}, and they are not asked")
    same = sum(english == name for english, name in found.names.items())
    if same:
        notes.append(f"{same} of {len(found.names)} names are the same in English: they can be copied; see the split")
    prompts = {row.prompt for row in found.rows}
    seen = sum(fact.type == 0 and fact.question in prompts for fact in found.told)
    if seen:
        notes.append(f"{seen} type-0 test questions stand word for word in the teaching rows: that gate is easier")
    return notes


# ---- material


def _counts(rows: Sequence[TeachingExample], language: str) -> dict[str, int]:
    tally = Counter(f"{row.part} {row.language}" for row in rows)
    return {
        "rows as published": len(rows),
        f"facts {ANCHOR}": tally[f"facts {ANCHOR}"],
        f"facts {language}": tally[f"facts {language}"],
        f"names {language}": tally[f"names {language}"],
    }


def _sizes(counts: Mapping[str, int], found: Released) -> str:
    """The parts of the teaching file as wordings times what they tell."""
    half = sum(fact.type == 0 for fact in found.told)
    parts = (
        (counts[f"facts {ANCHOR}"], len(found.english), "facts in English"),
        (counts[f"facts {found.language}"], half, f"type-0 facts in {found.language}"),
        (counts[f"names {found.language}"], len(found.names), "names"),
    )
    sizes = " + ".join(f"{rows // size} x {size} {what}" for rows, size, what in parts)
    return f"the authors' rows: {sizes} = {counts['rows as published']} (published.jsonl holds them all)"


def _pair(language: str) -> Pair:
    script = read(language).spelling.script if language in languages() else ""
    return Pair(language, ANCHOR, language, same_script=script == read(ANCHOR).spelling.script)


def _questions(found: Released, rng: random.Random) -> list[ExperimentQuestion]:
    pair, doubled = found.language, found.doubled
    numbers = {fact.place: n for n, fact in enumerate(found.english, 1)}
    everyone = [name for name in found.names.values() if name not in doubled]
    questions = []
    for count, (prompt, english) in enumerate(found.name_questions, 1):
        name = found.names[english]
        if name in doubled:
            continue
        fact_id = f"f{numbers[english]:03d}" if english in numbers else f"c{count:03d}"
        choices, gold = offer(everyone, everyone.index(name), min(20, len(everyone)), rng)
        like = round(similarity(name, english), 4)
        text = f"{prompt}\n{english}"
        key = f"{pair}.translation.{fact_id}"
        questions.append(ExperimentQuestion(key, pair, "translation", ANCHOR, fact_id, text, name, choices, gold, like))
    told = [(e.place, x.continent) for e, x in zip(found.english, found.told, strict=True)]
    for role, tag, facts in (("taught", ANCHOR, found.english), ("asked", pair, found.told)):
        asked: list[tuple[str, ExperimentQuestion]] = []
        continents = list(dict.fromkeys(fact.continent for fact in facts))
        for n, fact in enumerate(facts):
            if {found.told[n].place, found.told[n].continent} & doubled:
                continue
            part = f"{role}_type{fact.type}"
            choices, gold = offer(continents, continents.index(fact.continent), len(continents), rng)
            like = round(similarity(fact.place, found.english[n].place), 4)
            key = f"{pair}.{part}.f{n + 1:03d}"
            fact_id = f"f{n + 1:03d}"
            question = ExperimentQuestion(
                key, pair, part, tag, fact_id, fact.question, fact.continent, choices, gold, like
            )
            asked.append((fact.place, question))
        test = [(place, question) for place, question in asked if question.part == TEST]
        questions += [question for _, question in asked if question.part != TEST]
        questions += with_copied([question for _, question in test], [place for place, _ in test], told)
    return questions
