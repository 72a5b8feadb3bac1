"""Bring a reply and the options to one plain form, so that later steps compare like with like."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

HEAD, TAIL = 4_000, 8_000
"""Characters kept from the start and end of a long reply: answers stand there, and work stays bounded."""

_ZEROS = "٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰０"
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u200b\u200c\u200d\u200e\u200f"
    "\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u206a\u206b"
    "\u0331\u0332\u0333\u0305\u206c\u206d\u206e\u206f\u20e3\u3164\ufe0e\ufe0f\ufeff\uffa0\u0640"
)


def _table() -> dict[int, str | None]:
    table: dict[int, str | None] = {ord(c): None for c in _INVISIBLE}
    for code in [*range(0x00, 0x09), 0x0B, *range(0x0E, 0x20), 0x7F, *range(0x80, 0x85), *range(0x86, 0xA0)]:
        table[code] = None
    for zero in _ZEROS:
        table |= {ord(zero) + n: str(n) for n in range(10)}
    for first in (0x1F150, 0x1F170, 0x1F1E6):  # circled, squared and regional-indicator letters
        table |= {first + n: chr(ord("A") + n) for n in range(26)}
    for first in (0x2776, 0x2780, 0x278A, 0x24F5):  # filled and sans-serif circled digits
        table |= {first + n: str(n + 1) for n in range(10)}
    table |= dict.fromkeys(map(ord, "“”„‟«»〝〞〟＂″❝❞"), '"')
    table |= dict.fromkeys(map(ord, "‘’‚‛‹›ʼ′`´ʹ＇׳՚❛❜"), "'")
    table |= dict.fromkeys(map(ord, "「『《〈【〔〖［｛❨❪"), "(") | dict.fromkeys(map(ord, "」』》〉】〕〗］｝❩❫"), ")")
    table |= dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－⁃➖"), "-")
    table |= {0x0130: "I", 0x00DF: "ss", 0x1E9E: "SS", 0x85: "\n", 0x2028: "\n", 0x2029: "\n", ord("״"): '"'}
    table |= {ord("、"): ",", ord("،"): ",", ord("؟"): "?", ord("；"): ";", ord("؛"): ";"}
    # A full stop that is no abbreviation point: with a space, so that `B。A项` is two sentences and no `B.A`.
    table |= dict.fromkeys(map(ord, "।॥۔։።᙮။၊။؞。｡"), ". ")
    table |= {ord("፡"): " ", ord("："): ":", ord("︰"): ":", ord("→"): ":", ord("⇒"): ":"}
    table |= {ord("➜"): ":", ord("➡"): ":", ord("➔"): ":", ord("፦"): ":", ord("׃"): ":"}
    return table


_TABLE = _table()

_OPEN_THINK = re.compile(
    r"<(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis|seed:think)\b[^<>\n]{0,40}>"
    r"|\[THINK\]|◁think▷|<\|(?:begin_of_thought|START_THINKING)\|>|<unused94>",
    re.IGNORECASE,
)
_CLOSE_THINK = re.compile(
    r"</(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis|seed:think)\s?>"
    r"|\[/THINK\]|◁/think▷|<\|(?:end_of_thought|END_THINKING)\|>|<unused95>",
    re.IGNORECASE,
)
_FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*final\b[^<]{0,60}<\|message\|>|assistantfinal")
_ANY_CHANNEL = re.compile(r"<\|channel\|>")


_SHOWN = "Thinking...\n", "...done thinking."
"""Around reasoning, as ollama prints it."""


def strip_thinking(text: str) -> str | None:
    """The reply without its reasoning; None when a reasoning block was opened and never closed."""
    if text.lstrip().startswith(_SHOWN[0]) and _SHOWN[1] in text:
        return text.partition(_SHOWN[1])[2]
    if "<" not in text and "[" not in text and "◁" not in text and "assistantfinal" not in text:
        return text
    finals = list(_FINAL_CHANNEL.finditer(text))
    if finals and (finals[-1].group() != "assistantfinal" or text.lstrip().startswith("analysis")):
        text = text[finals[-1].end() :]
    elif _ANY_CHANNEL.search(text):
        return None
    closes = list(_CLOSE_THINK.finditer(text))
    opens = list(_OPEN_THINK.finditer(text))
    if opens and (not closes or opens[-1].start() > closes[-1].start()):
        return None
    if not closes:
        return text
    after = text[closes[-1].end() :]
    if after.strip() or not opens or opens[0].start() > closes[0].start():
        return after
    return text[: opens[0].start()]


_END_TOKEN = re.compile(
    r"</s>|<\|(?:im_end|eot_id|endoftext|end|return|end_of_text|eom_id|im_start|user|eos|EOT|END_OF_TURN_TOKEN|call)\|>"
    r"|<(?:eos|end_of_turn|start_of_turn|eod|endoftext|end_of_utterance)>|<｜end▁of▁sentence｜>|<\|end▁of▁sentence\|>"
    r"|\[/?INST\]|<\|start_header_id\|>"
)
_TOKEN = re.compile(r"<[|｜][^<>|｜\n]{1,40}[|｜]>|</?(?:s|bos|pad|unk|mask)>|<0x[0-9A-Fa-f]{2}>|▁")
_TAG = re.compile(
    r"</?(?:b|i|u|em|strong|p|div|span|code|pre|mark|sup|sub|font|center|h[1-6]|li|ul|ol|answer|final_answer|final|"
    r"response|output|result|choice|option|label|text|body|html|xml|root|reply)\b[^<>\n]{0,60}>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<(?:br|hr)\s*/?>", re.IGNORECASE)
_COMMAND = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|normal|color\{[a-z]{1,20}\})?|math(?:bf|rm|it|sf|tt|bb|cal)|boldsymbol|bold|bm|fbox|boxed|underline|emph"
    r"|operatorname|displaystyle|left|right|quad|qquad|bf|rm|it|large|Large|huge|Huge|mbox|hbox|color\{[a-z]{1,20}\}|begin\{[a-z*]{1,20}\}|end\{[a-z*]{1,20}\})(?![a-zA-Z])"
    r"|\\[()\[\],;:! ]"
)
_UNDERSCORES = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_STRUCK = re.compile(r"~~[^~\n]{1,300}~~|<(?:s|del|strike)>[^<\n]{1,300}</(?:s|del|strike)>", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*[\w+-]{0,20}[ \t]*$", re.MULTILINE)
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_LINE_MARK = re.compile(r"^[ \t]*(?:>[ \t]*|\[[xX✓✔]\][ \t]+|#{1,6}[ \t]+|[*+•·▪◦●○■□‣–-][ \t]+)+", re.MULTILINE)
_TICKED = re.compile(r"^[ \t]*(?:[*+-][ \t]+)?\[[xX✓✔]\](?=[ \t])", re.MULTILINE)
_UNTICKED = re.compile(r"^[ \t]*(?:[*+-][ \t]+)?\[ ?\](?=[ \t])", re.MULTILINE)
_LITERAL_BREAK = re.compile(r"\\n(?![a-z])")
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"[ \t]*\n\s*")


_PLAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9,.'!?():;&/-]| (?=[^ ]))*)?")


def bounded(text: str) -> str:
    """The text itself, or the head and tail of a very long one, with a line break between."""
    return text if len(text) <= HEAD + TAIL else text[:HEAD] + "\n" + text[-TAIL:]


def clean(text: str) -> str:
    """Plain text: end tokens, markup, LaTeX and invisible characters gone, NFKC, native digits as 0-9.

    Letter case and line breaks stay: both are evidence to later rules.
    """
    if _PLAIN.fullmatch(text):
        return text
    if "<" in text or "[" in text or "▁" in text:
        text = _untagged(text)
    elif "~~" in text:
        text = _STRUCK.sub(" ", text)
    if "\\" in text:
        text = _LITERAL_BREAK.sub("\n", _COMMAND.sub(" ", text))
    if "```" in text or "~~~" in text:
        text = _FENCE.sub("", text)
    if "[" in text:
        text = _UNTICKED.sub("❌ ", _TICKED.sub("✅ ", text))
    text = _LINE_MARK.sub("", text)
    for mark in ("*", "`", "$"):
        if mark in text:
            text = text.replace(mark, "")
    if "_" in text:
        text = _UNDERSCORES.sub(" ", text)
    if not text.isascii():
        text = _FLAG.sub(" ", text)
        text = unicodedata.normalize("NFKC", text.translate(_TABLE)).translate(_TABLE)
    elif not text.isprintable():
        text = text.translate(_TABLE)
    return _LINES.sub("\n", _SPACES.sub(" ", text)).strip()


def _untagged(text: str) -> str:
    """Up to the first end token that has something before it (`<s>B</s>`), without tags, tokens and what is struck."""
    cut = _END_TOKEN.search(text)
    while cut and not text[: cut.start()].strip():
        text = text[cut.end() :]
        cut = _END_TOKEN.search(text)
    if cut:
        text = text[: cut.start()]
    return _BREAK.sub("\n", _TAG.sub(" ", _TOKEN.sub(" ", _STRUCK.sub(" ", text))))


def lower(text: str) -> str:
    """Lower case, character by character, so that positions stay those of `text`."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


_MARKS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670]+")
_ALEF = str.maketrans({"ٱ": "ا", "ى": "ي", "ی": "ي", "ک": "ك", "ھ": "ه", "ہ": "ه", "ۀ": "ه", "ة": "ه"})


def fold(word: str) -> str:
    """Lower case without accents, niqqud or harakat: for comparing words that people spell both ways."""
    low = word.casefold()
    if low.isascii():
        return low
    bare = _MARKS.sub("", unicodedata.normalize("NFD", low))
    return unicodedata.normalize("NFC", bare).translate(_ALEF)


fold_word = lru_cache(maxsize=32_768)(fold)
"""`fold` for single words, which come back in reply after reply."""

# Shapes of the capitals, which `Витамин В` is written with.
_LOOK_ALIKES = str.maketrans("авсекмнортхіјѕαβεικονρτχ", "abcekmhoptxijsabeikovptx")
_ALONE = re.compile(r"(?<![^\W_])[^\W\d_](?![^\W_])")


def plain_letters(low: str) -> str:
    """Lower-case text without accents, and with Latin letters for their look-alikes that stand alone.

    Positions stay: every character becomes one character. `Витамин A` is written with a Latin or a Cyrillic A.
    """
    if low.isascii():
        return low
    low = "".join(c if c.isascii() or len(bare := fold_word(c)) != 1 else bare for c in low)
    return _ALONE.sub(lambda match: match.group().translate(_LOOK_ALIKES), low)


OUTER = " \t\n\"'()[]{}<>.,;:!?-=~^|/\\+&#@¡¿·…•"


def core(text: str) -> str:
    """Lower-case text without the quotes, brackets and punctuation around it; for whole-reply comparison."""
    return strip_symbols(lower(text)).replace("\n", " ")


_OUTER_KINDS = ("So", "Ps", "Pe", "Pi", "Pf", "Po", "Pd", "Sk", "Cc", "Cf")


def strip_symbols(text: str) -> str:
    """Cut punctuation and symbols (emoji, ticks) from both ends, but keep signs that carry meaning in numbers."""
    if text[:1].isalnum() and text[-1:].isalnum():
        return text
    start, end = 0, len(text)
    while start < end and _is_outer(text[start]):
        if text[start] == "-" and start + 1 < end and text[start + 1].isdigit():
            break
        start += 1
    while end > start and _is_outer(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_outer(char: str) -> bool:
    if char.isalnum():
        return False
    if char in OUTER:
        return char not in "+#"
    if char.isspace():
        return True
    return unicodedata.category(char) in _OUTER_KINDS and char not in "%°‰"


_NON_WORD = re.compile(r"[^\w%°+#-]+")
_FIRST_WORD = re.compile(r"(\w+)(?:\s+|')(?=\S)")


def loose(text: str, articles: frozenset[str]) -> str:
    """`core` without accents, inner punctuation or a leading article: the last resort of comparison."""
    low = fold(core(text))
    article = _FIRST_WORD.match(low)
    if article and article.group(1) in articles:
        low = low[article.end() :]
    return " ".join(_NON_WORD.sub(" ", low).split())
