"""What can stand in an option or argument of `clika`: the values a shell offers where a word is completed.

Each source is a function of the word being typed; `offered_where.py` says which option has which. Everything here is
quick, looks at this machine alone, and makes no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias, get_args

from clika_client.store.listed import listed

Offer: TypeAlias = "str | tuple[str, str]"
"""A value, or a value and what is said of it in shells that show it."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The word being typed: its beginning, and what stands before it on the line."""

    start: str
    options: Mapping[str, Any]
    """Name of an option or argument → what was given for it."""

    @property
    def database(self) -> Path:
        """The file that the command would use."""
        from clika_client.cli.common import database_path

        given = self.options.get("db")
        return database_path(Path(given) if given else None)

    def given(self, *names: str) -> list[str]:
        """What was given for the first of these names that has anything, one by one."""
        for name in names:
            value = self.options.get(name)
            if value:
                return [value] if isinstance(value, str) else [str(each) for each in value]
        return []


Source: TypeAlias = Callable[[Typed], Iterator[Offer]]


def stored(what: str) -> Source:
    """Names of this kind in the database."""
    return lambda typed: iter(listed(typed.database, what, typed.start))


def words(*known: Offer) -> Source:
    """Always these."""
    return lambda typed: iter(known)


def known_in(module: str, name: str) -> Source:
    """What a constant, or a type of literals, names; its module is loaded when it is asked for."""

    def values(typed: Typed) -> Iterator[Offer]:
        found = getattr(import_module(module), name)
        return iter(get_args(found) or found)

    return values


def several(source: Source) -> Source:
    """The same for a list with commas: what is offered follows what stands there, which is not offered again."""

    def follow(typed: Typed) -> Iterator[Offer]:
        before, comma, last = typed.start.rpartition(",")
        there = set(before.split(","))
        for offer in source(Typed(last, typed.options)):
            value = offer if isinstance(offer, str) else offer[0]
            if value not in there:
                longer = f"{before}{comma}{value}"
                yield longer if isinstance(offer, str) else (longer, offer[1])

    return follow


def languages_stored(typed: Typed) -> Iterator[Offer]:
    """In which there are answers."""
    return _with_names(listed(typed.database, "languages", typed.start))


def languages_to_ask(typed: Typed) -> Iterator[Offer]:
    """Those of the sets that are named, as far as that is known without reading files; else all tags there are."""
    from clika_client.common.languages import TAGS
    from clika_client.sets.catalogue import listed_languages

    named = [tag for name in typed.given("sets", "probe_set", "name") for tag in listed_languages(name) or ()]
    return _with_names(dict.fromkeys(named) or TAGS)


def languages_taught(typed: Typed) -> Iterator[Offer]:
    """In which facts can be invented, beside English."""
    from clika_client.sets.catalogue import listed_languages

    return _with_names(tag for tag in listed_languages("fictional") or () if tag != "en")


def _with_names(tags: Iterable[str]) -> Iterator[Offer]:
    from clika_client.common.languages import name

    return ((tag, name(tag)) for tag in tags)


def sets(typed: Typed) -> Iterator[Offer]:
    """Those that can be asked now."""
    from clika_client.sets.catalogue import known_names, load_registry

    return iter(known_names(load_registry()))


def sets_removable(typed: Typed) -> Iterator[Offer]:
    """Those that the user added."""
    from clika_client.sets.catalogue import BUILTIN, RELEASE
    from clika_client.sets.release import RELEASE_SETS

    for name in sets(typed):
        if name not in BUILTIN:
            yield RELEASE if name in RELEASE_SETS else name


def benchmarks(typed: Typed) -> Iterator[Offer]:
    """Those that are known by name."""
    from clika_client.sets.benchmarks.table import benchmark, names

    return ((name, benchmark(name).title) for name in names())


def sets_to_add(typed: Typed) -> Iterator[Offer]:
    """Names that mean certain files; one of the user's own is as good."""
    from clika_client.sets.catalogue import RELEASE

    yield RELEASE
    yield from benchmarks(typed)


def specs(typed: Typed) -> Iterator[Offer]:
    """Models to ask: those with a known price, those asked before, files on this machine, what `mock/` can do."""
    from clika_providers.prices import known_prices
    from clika_providers.registry import provider_names

    found = [price.model for price in known_prices()]
    found += [spec for spec in listed(typed.database, "specs", typed.start) if not spec.startswith("gguf/")]
    found += [str(offer) for offer in local_models(typed)] + ["mock/random", "mock/pick:0", "mock/say:"]
    providers = provider_names()
    known = [spec for spec in dict.fromkeys(found) if spec.partition("/")[0] in providers]
    yield from known
    yield from (f"{name}/" for name in providers if not any(spec.startswith(f"{name}/") for spec in known))


def local_models(typed: Typed) -> Iterator[Offer]:
    """GGUF files on this machine, by name, unopened."""
    from clika_providers.gguf.discover import candidates

    folder = typed.options.get("models_dir")
    if "gguf/".startswith(typed.start[:5]):
        yield from dict.fromkeys(f"gguf/{name}" for name, _, _ in candidates(Path(folder) if folder else None))


def providers(typed: Typed) -> Iterator[Offer]:
    """What can stand before the slash of a model."""
    from clika_providers.registry import provider_table

    return ((row.name, row.title or row.note) for row in provider_table())


def styles(typed: Typed) -> Iterator[Offer]:
    """Those that come with the tool; a path is as good."""
    from clika_client.prompts.catalogue import builtin_styles

    return ((style.name, style.about) for style in builtin_styles())


def readings(typed: Typed) -> Iterator[Offer]:
    """Of choices and of open answers, and the judgements that are stored."""
    from clika_client.answers.cells import known_readings

    yield from known_readings()
    yield from listed(typed.database, "judges", typed.start)


def figures(typed: Typed) -> Iterator[Offer]:
    """Those of a language."""
    from clika_client.scoring.metrics.catalogue import CELL_METRICS

    return ((metric.field, metric.name) for metric in CELL_METRICS)


def gates(typed: Typed) -> Iterator[Offer]:
    """`FIGURE=` and, once a figure is there, `FIGURE.LANGUAGE=`; the limit is the user's."""
    from clika_client.scoring.metrics.catalogue import CELL_METRICS, SUMMARY_METRICS

    figure, dot, start = typed.start.partition(".")
    fields = [metric.field for metric in CELL_METRICS]
    if dot and figure in fields:
        yield from (f"{figure}.{tag}=" for tag in listed(typed.database, "languages", start.partition("=")[0]))
        return
    yield from ((f"{metric.field}=", metric.name) for metric in (*CELL_METRICS, *SUMMARY_METRICS))


def runs(typed: Typed) -> Iterator[Offer]:
    """Ids and tags."""
    found = listed(typed.database, "runs", "")
    return iter(["last", *found] if found else [])


def tags(typed: Typed) -> Iterator[Offer]:
    """`TAG` and `TAG=VALUE` of the sets that are named, else of what is stored."""
    from clika_client.sets.catalogue import listed_tags

    named = [tag for name in typed.given("sets", "probe_set") for tag in listed_tags(name)]
    found = named or listed(typed.database, "tags", typed.start)
    return iter(dict.fromkeys([*(tag.partition("=")[0] for tag in found), *found]))


def tag_names(typed: Typed) -> Iterator[Offer]:
    """Tags without their values."""
    return (tag for tag in map(str, tags(typed)) if "=" not in tag)


def tiers(typed: Typed) -> Iterator[Offer]:
    """How hard the items of the named sets are."""
    return (tag.removeprefix("tier=") for tag in map(str, tags(Typed("tier=", typed.options))) if "tier=" in tag)


def holding(*names: str) -> Source:
    """Folders below the one being typed that hold one of these files."""

    def folders(typed: Typed) -> Iterator[Offer]:
        above = typed.start[: typed.start.rfind("/") + 1]
        found = {file.parent.name for name in names for file in Path(above or ".").expanduser().glob(f"*/{name}")}
        return (f"{above}{name}" for name in sorted(found))

    return folders
