"""The words that announce, join, reject or refuse an answer, per language, read from `words/*.toml`.

Adding a language is adding a file. A user's own file or folder, named in the environment variable
CLIKA_ANSWER_WORDS, is merged over the built-in ones and shows in the reading's version.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from clika_client.answers.rules.normalise import clean, fold
from clika_client.common.errors import UserError

ENVIRONMENT = "CLIKA_ANSWER_WORDS"


class Role:
    """What a word does in a reply; a word may have several roles, in one language or across languages.

    Bits of plain integers: an enum.IntFlag costs a microsecond an operation, too much here.
    """

    ANSWER = 1
    OPTION = 2
    CORRECT = 4
    WRONG = 8
    FINAL = 16
    IS = 32
    CHOOSE = 64
    FILL = 128
    AND = 256
    OR = 512
    NOT = 1024
    NOT_BEFORE = 2048
    """Rejects what stands before it in the clause: `ではなく`, `değil`."""
    NOT_AFTER = 4096
    """Rejects what follows: `instead of`, `而不是`."""
    BUT = 8192
    BECAUSE = 16384
    QUESTION = 32768
    BETTER = 65536
    """Prefers an option: `more plausible`, `likelier`, `更合理`."""
    THAN = 131072
    """Sets apart what an option is preferred to, which follows it: `than`, `чем`, `比`."""
    THAN_BEFORE = 262144
    """The same, standing after it: `より`, `보다`, `से`."""
    REMAINS = 524288
    """Tells what an elimination leaves over: `that leaves`, `bleibt`, `只能是`."""
    YES = 1048576
    """A verdict beside an option in a list: `Yes!`, `True`."""
    KIND = 2097152
    """What kind of thing a name is of: `river`, `city`; part of no other name."""
    SO = 4194304
    """Draws the conclusion: `so`, `therefore`, `所以`."""
    RETRACT = 8388608
    """Takes back what was said before: `wait`, `actually`, `correction`."""
    HEDGE = 16777216
    """Leaves it open: `could`, `also`."""
    TITLE = 33554432
    """A letter before a name: `M. Dupont`, `د. أحمد`."""
    RELATIVE = 67108864
    """Opens a clause that describes, and gives no reason: `which`, `who`."""


HINTS = Role.YES | Role.KIND | Role.SO | Role.RETRACT | Role.HEDGE | Role.TITLE | Role.RELATIVE
"""Roles that help some rules and do not make a word a known one, as plain sentences need."""
ROLES: Mapping[str, int] = {name.lower(): bit for name, bit in vars(Role).items() if name.isupper()}
PHRASES = ("none", "all", "unknown", "refusal")
"""Keys of set phrases, in order of precedence."""

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\u1100-\u11ff\U00020000-\U0003ffff]"
)
"""Letters of scripts whose words are written without spaces, or with particles attached (Hangul)."""


@dataclass(frozen=True, slots=True)
class Words:
    """The tables of all languages, inverted for look-up."""

    single: Mapping[str, tuple[tuple[str, int], ...]]
    """Folded word → (language, roles) pairs."""
    phrases: Mapping[str, tuple[tuple[tuple[str, ...], int], ...]]
    """First folded word of a multi-word entry → (its words, roles), longest first."""
    unspaced: Mapping[str, tuple[str, ...]]
    """First letter → entries of unspaced scripts that begin with it, longest first."""
    statements: Mapping[str, tuple[tuple[int, str, bool], ...]]
    """`opening` of a phrase → (rank of its kind in PHRASES, folded text, whether it may stand anywhere in a
    reply and not only alone)."""
    exact: Mapping[str, tuple[tuple[str, int], ...]]
    """As `single`, by the word as written: `ή` is "or" in Greek, and `η` is "the"."""
    ordinals: Mapping[tuple[str, ...], int]
    """Folded words of an ordinal → the position it means, from 0."""
    ordinal_openings: frozenset[str]
    """The first words of `ordinals`."""
    alone: Mapping[str, frozenset[str]]
    """Kind of PHRASES → folded texts, for replies that are nothing else."""
    articles: frozenset[str]


@cache
def tables() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Language → key → entries as written, from the built-in files and the user's.

    Raises UserError when a file of the user's cannot be read or has an unknown key.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for name, text in _sources():
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{name}: not valid TOML ({error}); see docs/answers.md for the form") from error
        for language, entries in raw.items():
            _merge(name, found.setdefault(language, {}), language, entries)
    return {lang: {key: tuple(values) for key, values in table.items()} for lang, table in found.items()}


def _sources() -> Iterable[tuple[str, str]]:
    folder = resources.files(__package__).joinpath("words")
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            yield entry.name, entry.read_text("utf-8")
    extra = os.environ.get(ENVIRONMENT)
    if extra:
        path = Path(extra)
        files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        for file in files:
            try:
                yield str(file), file.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(f"{ENVIRONMENT}={extra}: cannot read {file} ({error}); correct or unset it") from error


def _merge(name: str, table: dict[str, list[str]], language: str, entries: object) -> None:
    if not isinstance(entries, dict):
        raise UserError(f"{name}: [{language}] must be a table of word lists")
    for key, values in entries.items():
        if key not in ROLES and key not in PHRASES and key not in ("article", "ordinal"):
            known = ", ".join([*ROLES, *PHRASES, "article", "ordinal"])
            raise UserError(f"{name}: [{language}] has unknown key {key!r}; known keys: {known}")
        if not isinstance(values, list) or not all(isinstance(v, str) and v.strip() for v in values):
            raise UserError(f"{name}: [{language}] {key} must be a list of non-empty strings")
        table.setdefault(key, []).extend(values)


@cache
def extension_digest() -> str:
    """Eight hex digits of the user's own word files, or an empty string without any."""
    if not os.environ.get(ENVIRONMENT):
        return ""
    built_in = len([e for e in resources.files(__package__).joinpath("words").iterdir() if e.name.endswith(".toml")])
    own = "\n".join(text for _, text in list(_sources())[built_in:])
    return hashlib.blake2b(own.encode(), digest_size=4).hexdigest()


_RUN = re.compile(r"\w+")


def openings(text: str) -> set[str]:
    """What the phrases within a folded text may begin with: the first letters of its words, or single letters of
    unspaced scripts."""
    found = {run[:4] for run in _RUN.findall(text)}
    return found | set(text) if UNSPACED.search(text) else found


def _by_opening(statements: Mapping[str, Mapping[str, bool]]) -> dict[str, tuple[tuple[int, str, bool], ...]]:
    found: dict[str, list[tuple[int, str, bool]]] = {}
    for rank, kind in enumerate(PHRASES):
        for text, anywhere in statements[kind].items():
            run = _RUN.search(text)
            opening = text[0] if UNSPACED.match(text) or run is None else run.group()[:4]
            found.setdefault(opening, []).append((rank, text, anywhere))
    return {opening: tuple(entries) for opening, entries in found.items()}


def _is_verb(key: str, text: str) -> bool:
    """Whether a phrase of one word tells by itself: a declined answer does (`yanıtlayamam`), an "all" does not."""
    return key in ("unknown", "refusal") or bool(UNSPACED.search(text))


FINAL_COPULA = frozenset(
    [
        *("am", "az", "bn", "eu", "fa", "gu", "hi", "hy", "ja", "ka", "kk", "kn", "ko"),
        *("ml", "mr", "my", "ne", "pa", "si", "ta", "te", "tr", "ur"),
    ]
)
"""Languages in which a statement may end in "is": `B है` is whole, `B is` breaks off."""


@cache
def words() -> Words:
    """All languages' tables as one index; built once, on the first reply that needs words."""
    single: dict[str, dict[str, int]] = {}
    phrases: dict[tuple[str, ...], int] = {}
    unspaced: set[str] = set()
    statements: dict[str, dict[str, bool]] = {kind: {} for kind in PHRASES}
    articles: set[str] = set()
    exact: dict[str, dict[str, int]] = {}
    ordinals: dict[tuple[str, ...], int] = {}
    for language, table in tables().items():
        for place, forms in enumerate(table.get("ordinal", ())):
            for form in forms.split("/"):
                ordinals.setdefault(tuple(fold(clean(form)).split()), place)
                unspaced.update(fold(clean(form)) for _ in "." if UNSPACED.match(fold(clean(form))))
        for key, entries in table.items():
            for entry in entries if key != "ordinal" else ():
                text = fold(clean(entry))
                parts = tuple(text.split())
                if key in PHRASES:
                    telling = len(text) > (2 if UNSPACED.search(text) else 5)
                    statements[key][text] = len(parts) > 1 or (telling and _is_verb(key, text))
                    continue
                if key == "article":
                    articles.add(text)
                role = ROLES.get(key, Role.FILL)
                if len(parts) > 1:
                    phrases[parts] = phrases.get(parts, 0) | role
                    continue
                roles = single.setdefault(text, {})
                roles[language] = roles.get(language, 0) | role
                written = exact.setdefault(clean(entry).casefold(), {})
                written[language] = written.get(language, 0) | role
                if UNSPACED.match(text):
                    unspaced.add(text)
    return Words(
        single={word: tuple(roles.items()) for word, roles in single.items()},
        phrases=_by_first((parts[0], (parts, role)) for parts, role in phrases.items()),
        unspaced=_by_first((text[0], text) for text in unspaced),
        statements=_by_opening(statements),
        alone={kind: frozenset(found) for kind, found in statements.items()},
        # A language without this very form means the form that it has: `si` is "yes" in Italian, too.
        exact={word: tuple({**single.get(fold(word), {}), **roles}.items()) for word, roles in exact.items()},
        ordinals=ordinals,
        ordinal_openings=frozenset(parts[0] for parts in ordinals),
        articles=frozenset(articles),
    )


def base_language(tag: str | None) -> str | None:
    """The table that a BCP 47 tag uses: its primary subtag."""
    if not tag:
        return None
    base = tag.replace("_", "-").split("-")[0].lower()
    return {"no": "nb", "nn": "nb", "tl": "fil", "bs": "hr", "iw": "he", "in": "id"}.get(base, base)


def _by_first(pairs: Iterable[tuple[str, object]]) -> dict[str, tuple]:  # type: ignore[type-arg]
    found: dict[str, list] = {}  # type: ignore[type-arg]
    for first, entry in pairs:
        found.setdefault(first, []).append(entry)
    return {f: tuple(sorted(es, key=lambda e: -len(e if isinstance(e, str) else e[0]))) for f, es in found.items()}
