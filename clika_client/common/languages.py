"""Languages as BCP 47 tags: spelling them one way, and the script and direction that follow from a tag."""

from __future__ import annotations

import re
from functools import lru_cache

from clika_client.common.errors import UserError

# English name and ISO 15924 script of the languages that sets are most likely to hold. A tag outside the
# table is as good; only its name and script are then unknown.
_TABLE = """
af Afrikaans Latn | am Amharic Ethi | ar Arabic Arab | az Azerbaijani Latn | be Belarusian Cyrl | bg Bulgarian Cyrl
bn Bangla Beng | bs Bosnian Latn | ca Catalan Latn | ceb Cebuano Latn | cs Czech Latn | cy Welsh Latn
da Danish Latn | de German Latn | el Greek Grek | en English Latn | es Spanish Latn | et Estonian Latn
eu Basque Latn | fa Persian Arab | fi Finnish Latn | fil Filipino Latn | fr French Latn | ga Irish Latn
gl Galician Latn | gu Gujarati Gujr | ha Hausa Latn | he Hebrew Hebr | hi Hindi Deva | hr Croatian Latn
hu Hungarian Latn | hy Armenian Armn | id Indonesian Latn | ig Igbo Latn | is Icelandic Latn | it Italian Latn
ja Japanese Jpan | jv Javanese Latn | ka Georgian Geor | kk Kazakh Cyrl | km Khmer Khmr | kn Kannada Knda
ko Korean Kore | ky Kyrgyz Cyrl | lo Lao Laoo | lt Lithuanian Latn | lv Latvian Latn | mk Macedonian Cyrl
ml Malayalam Mlym | mn Mongolian Cyrl | mr Marathi Deva | ms Malay Latn | my Burmese Mymr | nb Norwegian_Bokmål Latn
ne Nepali Deva | nl Dutch Latn | nn Norwegian_Nynorsk Latn | or Odia Orya | pa Punjabi Guru | pl Polish Latn
ps Pashto Arab | pt Portuguese Latn | qu Quechua Latn | ro Romanian Latn | ru Russian Cyrl | sd Sindhi Arab
si Sinhala Sinh | sk Slovak Latn | sl Slovenian Latn | so Somali Latn | sq Albanian Latn | sr Serbian Cyrl
su Sundanese Latn | sv Swedish Latn | sw Swahili Latn | ta Tamil Taml | te Telugu Telu | tg Tajik Cyrl
th Thai Thai | tk Turkmen Latn | tr Turkish Latn | ug Uyghur Arab | uk Ukrainian Cyrl | ur Urdu Arab
uz Uzbek Latn | vi Vietnamese Latn | xh Xhosa Latn | yi Yiddish Hebr | yo Yoruba Latn | yue Cantonese Hant
zh Chinese Hans | zu Zulu Latn
"""
_NAMES: dict[str, str] = {}
_SCRIPTS: dict[str, str] = {}
for _entry in _TABLE.replace("\n", "|").split("|"):
    if _entry.strip():
        _tag, _name, _script = _entry.split()
        _NAMES[_tag] = _name.replace("_", " ")
        _SCRIPTS[_tag] = _script

# BCP 47 wants the shortest code; these three-letter ones are what other projects' files commonly use.
_SHORTER = {
    "ara": "ar", "ben": "bn", "bul": "bg", "cat": "ca", "ces": "cs", "chi": "zh", "cze": "cs", "dan": "da",
    "deu": "de", "dut": "nl", "ell": "el", "eng": "en", "fas": "fa", "fin": "fi", "fra": "fr", "fre": "fr",
    "ger": "de", "gre": "el", "heb": "he", "hin": "hi", "hrv": "hr", "hun": "hu", "ind": "id", "ita": "it",
    "jpn": "ja", "kor": "ko", "may": "ms", "msa": "ms", "nld": "nl", "nob": "nb", "per": "fa", "pol": "pl",
    "por": "pt", "ron": "ro", "rum": "ro", "rus": "ru", "spa": "es", "swa": "sw", "swe": "sv", "tam": "ta",
    "tel": "te", "tgl": "fil", "tha": "th", "tur": "tr", "ukr": "uk", "urd": "ur", "vie": "vi", "zho": "zh",
    "iw": "he", "in": "id", "ji": "yi",
}  # fmt: skip
_RTL = frozenset({"Adlm", "Arab", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa"})
_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)(?P<private>-x(?:-[a-z0-9]{1,8})+)?"
)


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The BCP 47 tag for `text`: case and underscores put right, `deu` as `de`, `ZH_cn` as `zh-CN`.

    Raises UserError, with the cure, for what is not a tag.
    """
    match = _TAG.fullmatch(text.strip().replace("_", "-").lower())
    if match is None:
        by_name = {name.casefold(): tag for tag, name in _NAMES.items()}
        known = by_name.get(text.strip().casefold())
        cure = f"write {known!r}" if known else "write a tag such as 'de', 'zh' or 'pt-BR'"
        raise UserError(f"{text!r} is not a language tag (BCP 47); {cure}")
    language = _SHORTER.get(match["language"], match["language"])
    parts = [language]
    if match["script"]:
        parts.append(match["script"].title())
    if match["region"]:
        parts.append(match["region"].upper())
    return "-".join(parts) + match["variants"] + (match["private"] or "")


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
