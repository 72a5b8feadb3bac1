"""Writes the month names that open answers are read with, from the Unicode CLDR data of the pinned Babel."""

from __future__ import annotations

from pathlib import Path

from babel import Locale, localedata

from clika_client.answers.rules.words import tables
from clika_client.sets.fictional.text import plain

OUT = Path(__file__).parent.parent / "clika_client" / "answers" / "open" / "months.toml"
HEAD = """\
# Month names of Unicode CLDR, January first, in the plain form that names are compared in: full and short, standing
# alone and inside a date. Made by tools/make_months.py with the Babel that is pinned for teaching.
"""

SPELT_ALSO = {("bn", 1): "জানুয়ারি", ("bn", 2): "ফেব্রুয়ারি"}
"""(language, month) → how it is written today where CLDR has an older spelling: atlas writes its dates so."""


def names(language: str) -> list[list[str]]:
    """Twelve lists of plain names."""
    # Babel shares the lists that several languages inherit, and fills them with the first one's names: start afresh.
    localedata._cache.clear()
    months = Locale.parse(language).months
    found = []
    for number in range(1, 13):
        written = [
            months[form][width][number] for form in ("format", "stand-alone") for width in ("wide", "abbreviated")
        ]
        written.append(SPELT_ALSO.get((language, number), ""))
        flat = [plain(str(name)).replace(" ", "") for name in written]
        found.append([name for name in dict.fromkeys(flat) if name and not name.isdigit()])
    return found


def main() -> None:
    """Write the file whole."""
    rows = []
    for language in sorted(tables()):
        months = ", ".join("[" + ", ".join(f'"{name}"' for name in one) + "]" for one in names(language))
        rows.append(f"{language} = [{months}]\n")
    OUT.write_text(HEAD + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
