"""Finds a probe set by name or path: built-in sets, registered ones, the authors' release, plain files.

What the user registers is kept in `sets.json` in the user's data folder: where the release lies, and for each
file its path, mapping and reference. The files themselves stay where they are.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.common.files import replacing
from clika_client.common.paths import home
from clika_client.sets.benchmarks import kept, table
from clika_client.sets.probes import ProbeSet
from clika_client.sets.release import RELEASE_SETS, read_release
from clika_client.sets.spreadsheets import SUFFIXES
from clika_client.sets.user import read_user_set

RELEASE = "clika-release"
"""The name under which a checkout of the authors' release is registered."""
BUILTIN = ("atlas", "atlas-names", "fictional")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Registered:
    """A file, or files of one set such as one per language, that the user gave a name."""

    paths: tuple[Path, ...]
    mapping: tuple[str, ...] = ()
    reference: float | None = None


@dataclass(frozen=True, slots=True)
class Registry:
    """What the user has registered."""

    release: Path | None = None
    files: Mapping[str, Registered] = field(default_factory=dict)


def resolve(
    name_or_path: str, *, mapping: Sequence[str] = (), reference: float | None = None, k: int | None = None
) -> ProbeSet:
    """The set of that name, or in the file of that path.

    `mapping` and `reference` replace what was registered; a reference never replaces a published one. `k` is the
    number of choices, for the built-in sets, which can offer more or fewer. Raises UserError listing the known names
    for an unknown one.
    """
    if name_or_path in BUILTIN:
        found = _builtin(name_or_path, k)
    elif k is not None:
        raise UserError(
            f"--k works with the built-in sets ({', '.join(BUILTIN)}); {name_or_path!r} has its own choices"
        )
    else:
        found = _find(name_or_path, tuple(mapping))
    if reference is not None and found.name not in RELEASE_SETS:
        found = replace(found, reference=reference)
    _check_reference(found)
    return found


def _check_reference(found: ProbeSet) -> None:
    """RA divides by A - 1/k: a set stored with another reference could never be scored."""
    if found.reference is not None and not found.chance < found.reference <= 1:
        raise UserError(
            f"--reference {found.reference:g} cannot be used for set {found.name!r}: it is an accuracy as a fraction, "
            f"such as 0.95, above chance ({found.chance:g}) and not above 1"
        )


def outline(name: str) -> tuple[ProbeSet, tuple[str, ...]]:
    """A set for a list of sets, and its languages; the set may hold its first language only.

    What a list says of a built-in set is the same in each language, and all languages take seconds to make.
    """
    if name not in BUILTIN:
        found = resolve(name)
        return found, found.languages
    languages = _builtin_languages(name)
    return _builtin(name, None, languages[:1]), languages


def listed_languages(name: str) -> tuple[str, ...]:
    """The languages of a set, as far as that is known without reading its questions; else none."""
    if name in BUILTIN:
        return _builtin_languages(name)
    here = kept.added()
    return here[name].languages if name in here else ()


def listed_tags(name: str) -> list[str]:
    """`TAG=VALUE`, or `TAG` where it has no value, of a built-in set; of others, which would have to be read, none."""
    if name not in BUILTIN:
        return []
    items = outline(name)[0].items
    return sorted({f"{tag}={value}" if value else tag for item in items for tag, value in item.tags.items()})


def _builtin_languages(name: str) -> tuple[str, ...]:
    from clika_client.sets import atlas, fictional

    return fictional.languages() if name == "fictional" else atlas.languages()


def _builtin(name: str, k: int | None, languages: Sequence[str] | None = None) -> ProbeSet:
    if name == "fictional":
        from clika_client.sets import fictional

        return fictional.load(languages) if k is None else fictional.load(languages, k=k)
    from clika_client.sets import atlas

    return atlas.load(languages, name=name) if k is None else atlas.load(languages, name=name, k=k)


def _find(name: str, mapping: tuple[str, ...]) -> ProbeSet:
    registry = load_registry()
    if name in registry.files:
        entry = registry.files[name]
        return read_user_set(entry.paths, name=name, mapping=mapping or entry.mapping, reference=entry.reference)
    if name in RELEASE_SETS and registry.release is not None:
        return read_release(registry.release, name)
    if table.known(name):
        return kept.read(name)
    path = Path(name).expanduser()
    if path.is_dir() and path.resolve().name in RELEASE_SETS:
        return read_release(path.resolve().parent, path.resolve().name)
    if path.exists() or path.suffix.lower() in SUFFIXES or os.sep in name:
        return read_user_set(path, mapping=mapping)
    raise UserError(_unknown(name, registry))


def _unknown(name: str, registry: Registry) -> str:
    if name in RELEASE_SETS:
        return (
            f"{name!r} belongs to the CLiKA authors' release, which is not part of this tool; get their repository "
            f"RiverGao/CLiKA and run: clika sets add {RELEASE} FOLDER"
        )
    known = known_names(registry)
    close = get_close_matches(name, (*known, *table.names()), n=1) or get_close_matches(
        name.lower(), table.names(), n=1
    )
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"no probe set {name!r}; {hint}known: {', '.join(known)}, or the path of a file ({', '.join(SUFFIXES)})"


def known_names(registry: Registry) -> tuple[str, ...]:
    """Every name that `resolve` finds now, in the order they are listed."""
    released = RELEASE_SETS if registry.release is not None else ()
    return (*BUILTIN, *released, *kept.added(), *registry.files)


def registry_path() -> Path:
    """The file that keeps what is registered; it may not exist yet."""
    return home() / "sets.json"


def load_registry() -> Registry:
    """What is registered; empty at first. Raises UserError for a file that this tool did not write."""
    path = registry_path()
    try:
        doc = json.loads(path.read_text("utf-8"))
        return Registry(
            release=None if doc["release"] is None else Path(doc["release"]),
            files={
                name: Registered(
                    tuple(map(Path, entry["paths"])), tuple(map(str, entry["mapping"])), entry["reference"]
                )
                for name, entry in doc["files"].items()
            },
        )
    except (FileNotFoundError, NotADirectoryError):
        return Registry()
    except OSError as error:
        raise UserError(f"{path}: cannot read the registered sets: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{path}: not the list of registered sets; remove the file and add your sets again") from None


def save_registry(registry: Registry) -> None:
    """Write what is registered, whole or not at all; raises UserError where it cannot be written."""
    path = registry_path()
    doc: dict[str, Any] = {
        "release": None if registry.release is None else str(registry.release),
        "files": {
            name: {"paths": list(map(str, entry.paths)), "mapping": list(entry.mapping), "reference": entry.reference}
            for name, entry in registry.files.items()
        },
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            part.write_text(json.dumps(doc, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        cure = "set CLIKA_HOME to a folder you can write to"
        raise UserError(f"{path}: cannot keep the registered sets here: {error.strerror}; {cure}") from None


def add(name: str, *files: Path, mapping: Sequence[str] = (), reference: float | None = None) -> tuple[ProbeSet, ...]:
    """Register the files of one set under `name`, or the release under `clika-release`; returns the sets it holds.

    Everything is read and checked first. Raises UserError for a name that is taken by another file.
    """
    registry = load_registry()
    paths = tuple(path.expanduser().resolve() for path in files)
    if name == RELEASE:
        if len(paths) > 1:
            raise UserError(f"{RELEASE} is one folder; name only that")
        if mapping or reference is not None:
            raise UserError(f"{RELEASE} needs neither --map nor --reference: both are known")
        sets = tuple(read_release(paths[0], known) for known in RELEASE_SETS)
        save_registry(replace(registry, release=paths[0]))
        return sets
    if name in BUILTIN or name in RELEASE_SETS or table.known(name):
        raise UserError(f"the name {name!r} is taken by a set of its own; choose another")
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot name a set; use letters, digits, '.', '_' and '-', such as my-set")
    entry = Registered(paths, tuple(mapping), reference)
    if name in registry.files and not set(registry.files[name].paths) <= set(paths):
        taken = _listed(registry.files[name].paths)
        raise UserError(f"the name {name!r} is taken by {taken}; choose another, or run: clika sets remove {name}")
    found = read_user_set(paths, name=name, mapping=mapping, reference=reference)
    _check_reference(found)
    save_registry(replace(registry, files={**registry.files, name: entry}))
    return (found,)


def _listed(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))


def remove(name: str) -> tuple[Path, ...]:
    """Forget a registered name; returns where its files lie, which stay. Raises UserError for an unknown name."""
    registry = load_registry()
    if name == RELEASE and registry.release is not None:
        save_registry(replace(registry, release=None))
        return (registry.release,)
    here = kept.added()
    if name in here:
        kept.remove(name)
        return (Path(here[name].path),)
    if name not in registry.files:
        mine = [RELEASE] * (registry.release is not None) + [*here, *registry.files]
        raise UserError(f"{name!r} is not a set you registered; yours: {', '.join(mine) or 'none'}")
    save_registry(replace(registry, files={n: entry for n, entry in registry.files.items() if n != name}))
    return registry.files[name].paths
