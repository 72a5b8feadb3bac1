"""What to cite, as BibTeX: the metrics' paper, this tool, and the probe sets that were asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from clika_client.report.documents.formats import for_latex
from clika_client.sets.probes import ProbeSet
from clika_providers.install import own_version

PAPER = """@inproceedings{gao-etal-2024-multilingual,
  title = {Multilingual Pretraining and Instruction Tuning Improve Cross-Lingual Knowledge Alignment, But Only Shallowly},
  author = {Gao, Changjiang and Hu, Hongda and Hu, Peng and Chen, Jiajun and Li, Jixing and Huang, Shujian},
  booktitle = {Proceedings of the 2024 Conference of the North American Chapter of the Association for Computational Linguistics},
  year = {2024},
  eprint = {2404.04659},
  archiveprefix = {arXiv}
}"""  # noqa: E501


AUTHORS, YEAR = "The clika-client developers", "2026"
"""As the licence has them."""


def bibtex(sets: Iterable[ProbeSet]) -> str:
    """All entries; a set says what its source asks to be cited, or where it is from."""
    seen: dict[str, str] = {}
    for probe_set in sets:
        key = re.sub(r"[^a-z0-9]+", "-", probe_set.name.lower()).strip("-") or "set"
        while key in seen:
            key += "x"
        seen[key] = _set(key, probe_set)
    return "\n\n".join([PAPER, _tool(), *seen.values()]) + "\n"


def _tool() -> str:
    version = own_version()
    fields = {
        "author": f"{{{AUTHORS}}}",  # one name, not "developers, The clika-client"
        "title": "{clika}: alignment of a language model's knowledge across languages",
        "year": YEAR,
        "version": _text(version),
        "howpublished": f"Software, version {_text(version)}, MIT licence",
    }
    return _misc("clika", fields)


def _set(key: str, probe_set: ProbeSet) -> str:
    fields = {
        "key": probe_set.name,  # styles sort what has no author by this
        "title": f"Probe set {probe_set.name}",
        "version": probe_set.version,
        "note": probe_set.meta.get("citation") or probe_set.source,
        "howpublished": f"Licence: {probe_set.licence}" if probe_set.licence != "unknown" else "",
    }
    return _misc(f"set-{key}", {name: _text(value) for name, value in fields.items()})


def _misc(key: str, fields: Mapping[str, str]) -> str:
    """An entry of the one type that every style knows; biblatex's `software` is a warning in BibTeX."""
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
    return f"@misc{{{key},\n{lines}\n}}"


def _text(value: str) -> str:
    """As LaTeX takes it; BibTeX counts braces, also those behind a backslash."""
    return "".join(_BRACES.get(c) or for_latex(c) for c in value)


_BRACES = {"{": r"\textbraceleft{}", "}": r"\textbraceright{}"}
