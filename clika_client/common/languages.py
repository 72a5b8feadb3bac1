"""Languages as BCP 47 tags: spelling them one way, and the script and direction that follow from a tag.

Benchmarks write the same language as `swh_Latn`, `swa`, `sw`, `Swahili` or `SW-KE`. All that means one language
becomes one tag here, and nowhere else, so that sets, imports and options agree.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from clika_client.common.errors import UserError
from clika_client.common.language_table import LANGUAGES, SHORTER


def _entries(table: str) -> list[list[str]]:
    return [entry.split() for entry in table.replace("\n", "|").split("|") if entry.strip()]


_NAMES = {tag: name.replace("_", " ") for tag, name, _ in _entries(LANGUAGES)}
_SCRIPTS = {tag: script for tag, _, script in _entries(LANGUAGES)}
# Standard varieties fold into their macrolanguage, as everybody who writes `ar` or `sw` means them. Varieties that are
# tested for their own sake (ars, ary, arz, acm, apc, yue, …) stay apart, and so do `no` and `nb`.
_FOLDED = {
    "als": "sq", "arb": "ar", "ayr": "ay", "azj": "az", "cmn": "zh", "dik": "din", "ekk": "et", "fuc": "ff",
    "gaz": "om", "gug": "gn", "khk": "mn", "kmr": "ku", "knc": "kr", "lvs": "lv", "npi": "ne", "ory": "or", "pbt": "ps",
    "pbu": "ps", "pes": "fa", "plt": "mg", "quz": "qu", "src": "sc", "twi": "ak", "tw": "ak",
    "swh": "sw", "uzn": "uz", "ydd": "yi", "zsm": "ms",
    "tgl": "fil", "tl": "fil", "iw": "he", "in": "id", "ji": "yi", "jap": "ja", "jp": "ja", "jw": "jv", "mol": "ro",
    "mo": "ro",
}  # fmt: skip
_SHORTER = {**dict(_entries(SHORTER)), **_FOLDED}
# Names that data sets use beside CLDR's; compared without case.
_BY_NAME = {name.casefold(): tag for tag, name in _NAMES.items()} | {
    "bengali": "bn", "burmese": "my", "castilian": "es", "farsi": "fa", "flemish": "nl", "mandarin": "zh",
    "simplified mandarin": "zh", "simplified chinese": "zh", "chinese simplified": "zh",
    "traditional mandarin": "zh-Hant", "traditional chinese": "zh-Hant", "chinese traditional": "zh-Hant",
    "moldavian": "ro", "north macedonian": "mk",
    "norwegian bokmal": "nb", "oriya": "or", "pushto": "ps", "rajasthani": "raj",
    "punjabi": "pa", "panjabi": "pa", "sinhalese": "si",
    "tagalog": "fil", "uighur": "ug", "valencian": "ca-valencia", "kirghiz": "ky", "bangla": "bn", "haitian": "ht",
    "dutch-flemish": "nl", "dutch flemish": "nl", "modern greek": "el", "brazilian portuguese": "pt-BR",
}  # fmt: skip
# Global PIQA names the place in four letters: `por_latn_braz`. Where that is a country, it is the tag's region.
_PLACES = {
    "braz": "BR", "cana": "CA", "fran": "FR", "jord": "JO", "leba": "LB", "mexi": "MX", "pale": "PS", "peru": "PE",
    "port": "PT", "spai": "ES", "syri": "SY",
}  # fmt: skip
# Regions that say nothing, or have a number in BCP 47 (MMMLU's AR-XY and ES-LA).
_REGIONS = {"XY": None, "LA": "419"}
_SAME_SCRIPT = {"Hang": "Kore", "Hira": "Jpan", "Kana": "Jpan", "Hani": "Hans"}
_RTL = frozenset({"Adlm", "Arab", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa"})
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3})|-(?P<place>[a-z]{4}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)(?P<private>-x(?:-[a-z0-9]{1,8})+)?"
)


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The BCP 47 tag for a tag, code or English name: `deu_Latn` as `de`, `swh` as `sw`, `ZH_cn` as `zh-CN`.

    A script that the language is usually written in is left out. Raises UserError, with the cure, for what is none.
    """
    match = _TAG.fullmatch(text.strip().replace("_", "-").lower())
    named = _BY_NAME.get(re.sub(r"[_()]+", " ", text.strip().casefold()).replace("  ", " ").strip())
    if named is not None and (match is None or not known(match["language"])):
        return named
    if match is None:
        raise UserError(f"{text!r} is not a language tag (BCP 47); write a tag such as 'de', 'zh' or 'pt-BR'")
    language = _SHORTER.get(match["language"], match["language"])
    region, private = _region(language, match), match["private"] or ""
    if match["place"] and region is None:
        private = f"-x-{match['place']}"
    parts = [language, *([region] if region else [])]
    script_ = match["script"].title() if match["script"] else None
    if script_ is not None and _SAME_SCRIPT.get(script_, script_) != _SCRIPTS.get(language):
        parts.insert(1, script_)
    return "-".join(parts) + match["variants"] + private


def _region(language: str, match: re.Match[str]) -> str | None:
    if match["place"]:
        return _PLACES.get(match["place"])
    region = match["region"].upper() if match["region"] else None
    if region in _REGIONS and (language, region) in (("ar", "XY"), ("es", "LA")):
        return _REGIONS[region]
    return region


def is_script(code: str) -> bool:
    """Whether four letters name a script that some language is written in."""
    return code.title() in _SCRIPTS.values() or code.title() in _SAME_SCRIPT


def known(code: str) -> bool:
    """Whether a two- or three-letter code is a language that this tool has a name for."""
    return _SHORTER.get(code, code) in _NAMES


TAGS = tuple(_NAMES)
"""Every language with a name, by its shortest tag."""


def name(tag: str) -> str:
    """English name of a language, or the tag itself where the table has none."""
    return _NAMES.get(tag.split("-")[0], tag)


def script(tag: str) -> str | None:
    """ISO 15924 code of the script a tag is written in; None where unknown."""
    for part in tag.split("-")[1:]:
        if len(part) == 4 and part.isalpha():
            return part
        if len(part) == 1:
            break
    if tag in ("zh-TW", "zh-HK", "zh-MO"):
        return "Hant"
    return _SCRIPTS.get(tag.split("-")[0])


def direction(tag: str) -> str:
    """`rtl` for languages written from right to left, else `ltr`."""
    return "rtl" if script(tag) in _RTL else "ltr"


def direction_in(text: str, tag: str) -> str:
    """The direction to lay out a text that belongs to a language: the language's where any letter runs that way.

    The first letter, by which browsers guess, is often foreign: a label, a name, an English opening.
    """
    own = direction(tag)
    ways = {"rtl" if unicodedata.bidirectional(c) in ("R", "AL") else "ltr" for c in text if c.isalpha()}
    return own if own in ways or not ways else ways.pop()
