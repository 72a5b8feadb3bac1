"""The `standard` reading: a ladder of rules from the surest evidence to the weakest, and reasons for no answer."""

from __future__ import annotations

import json
import re

from clika_client.answer_reading.grammar import Reply
from clika_client.answer_reading.labels import AMBIGUOUS, NOT_SHOWN
from clika_client.answer_reading.normalise import bounded, clean, core, fold, loose, lower, strip_thinking
from clika_client.answer_reading.question import Question
from clika_client.answer_reading.result import Answer
from clika_client.answer_reading.tokens import tokenise
from clika_client.answer_reading.words import UNSPACED, Role, base_language, words

_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_TAGGED = re.compile(r"<(answer|final_answer|final|response|choice|option|output|result)>([^<]{0,400})</\1\s*>", re.IGNORECASE)
_JSON_TRIES = 6
STATEMENTS = (("none", "none"), ("all", "multiple"), ("unknown", "none"), ("refusal", "refusal"))
"""Kinds of set phrases and the reason each gives, in order of precedence."""
RULES = (
    "empty",
    "thinking",
    "tag",
    "boxed",
    "option",
    "label",
    "label-text",
    "json",
    "anchored",
    "leading",
    "chosen",
    "plain",
    "none",
    "all",
    "unknown",
    "refusal",
    "several",
    "contained",
    "cut",
    "unread",
    "finish",
    "first-letter",
)
"""Every rule id, in the ladder's order; `finish` and `first-letter` are given outside the ladder."""


def read_standard(text: str, question: Question, language: str | None = None) -> Answer:
    """Read one reply; the rules and their order are in docs/answers.md."""
    if not text or not text.strip():
        return Answer(None, "empty", "empty")
    said = strip_thinking(bounded_thinking(text))
    if said is None:
        return Answer(None, "truncated", "thinking")
    said = bounded(said)
    tag = base_language(language)
    for field, rule in _fields(said):
        answer = _whole(clean(field), question, rule) or _sentences(clean(field), question, tag, rule)
        if answer is not None and (answer.choice is not None or answer.reason in ("multiple", "none")):
            return answer
    plain = clean(said)
    if not plain:
        return _in_angles(said, question) or Answer(None, "empty", "empty")
    return (
        _whole(plain, question)
        or _from_json(plain, question, tag)
        or _sentences(_this_question_only(plain), question, tag)
        or Answer(None, "unreadable", "unread")
    )


def bounded_thinking(text: str) -> str:
    """A text of any length with its middle left out, unless the middle may hold the end of a reasoning block."""
    if len(text) <= 200_000:
        return text
    return text[:100_000] + text[-100_000:]


def _answer(choice: int, rule: str) -> Answer:
    if choice == AMBIGUOUS:
        return Answer(None, "multiple", rule)
    if choice == NOT_SHOWN:
        return Answer(None, "none", rule)
    return Answer(choice, None, rule)


# -------------------------------------------------------------------- fields


def _fields(text: str) -> list[tuple[str, str]]:
    """The last `<answer>` element and the contents of `\\boxed{}`, as (content, rule)."""
    found: list[tuple[str, str]] = []
    if "</" in text:
        tagged = [match.group(2) for match in _TAGGED.finditer(text)]
        found += [(tagged[-1], "tag")] if tagged else []
    if "\\" in text:
        boxes = [content for match in _BOXED.finditer(text) if (content := _braced(text, match.end())) is not None]
        if boxes:
            found.append((" , ".join(dict.fromkeys(box.strip() for box in boxes)), "boxed"))
    return found


def _braced(text: str, start: int) -> str | None:
    depth = 1
    for at in range(start, min(len(text), start + 400)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if not depth:
                return text[start:at]
    return None


def _from_json(text: str, question: Question, language: str | None) -> Answer | None:
    """The answer field of the first JSON object in the reply."""
    if "{" not in text or ":" not in text:
        return None
    decoder = json.JSONDecoder(strict=False)
    at = text.find("{")
    for _ in range(_JSON_TRIES):
        if at < 0:
            return None
        try:
            value, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        values = _answer_values(value, 0)
        read = [_json_value(v, question, language) for v in values]
        answers = [a for a in read if a is not None]
        if not answers:
            return None
        chosen = {a.choice for a in answers if a.choice is not None}
        if len(chosen) == 1 and all(a.choice is not None or a.reason == "unreadable" for a in answers):
            return Answer(chosen.pop(), None, "json")
        return Answer(None, "multiple", "json") if len(chosen) > 1 else answers[0]
    return None


def _answer_values(value: object, depth: int) -> list[object]:
    """Values under keys that mean answer, option, choice or correct, in this object or the first below it."""
    if not isinstance(value, dict) or depth > 4:
        return []
    found: list[object] = []
    for key, content in value.items():
        parts = fold(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(key)).replace("_", " ").replace("-", " ")).split()
        role = 0
        for part in (*parts, " ".join(parts)):
            for _, one in words().single.get(part, ()):
                role |= one
        wanted = Role.ANSWER | Role.OPTION | Role.FINAL | Role.CORRECT
        if (role & wanted or parts in (["label"], ["selected"], ["selection"])) and not {"index", "idx", "id"} & set(parts):
            found.append(content)
    if found:
        return found
    for content in value.values():
        if inner := _answer_values(content, depth + 1):
            return inner
    return []


def _json_value(value: object, question: Question, language: str | None) -> Answer | None:
    if isinstance(value, dict):
        inner = [_json_value(v, question, language) for v in _answer_values(value, 0)]
        return next((a for a in inner if a is not None), None)
    if isinstance(value, list):
        value = " , ".join(str(v) for v in value if isinstance(v, str | int)) or None
    if value is None or isinstance(value, bool | float):
        return None
    text = clean(str(value))
    if not text:
        return None
    return _whole(text, question, "json") or _sentences(text, question, language, "json")


# -------------------------------------------------------------------- the whole reply


def _whole(text: str, question: Question, rule: str = "") -> Answer | None:
    """The reply is nothing but an option's text or a label, whatever the decoration."""
    if len(text) > 2_000:
        return None
    bare = core(text)
    found = question.by_core.get(bare)
    if found is not None:
        return _answer(AMBIGUOUS if bare in question.clash else found, rule or "option")
    if not bare:
        raw = text.strip().lower()
        at = question.by_core.get(raw)
        return _answer(at, rule or "option") if at is not None else None
    if len(bare) <= 8 and " " not in bare:
        # Letter case is evidence for look-alikes, so the label is taken from the text as written.
        start = text.lower().find(bare)
        written = text[start : start + len(bare)] if start >= 0 else bare
        named = question.labels.resolve(written)
        if named is not None and named >= 0 and not question.labels.shows(written) and question.begins(bare):
            return None  # cut off within an option's text, or a label by position: no telling which
        if named is not None and (named != NOT_SHOWN or len(bare) == 1 or bare.isdecimal()):
            return _answer(AMBIGUOUS if bare in question.clash else named, rule or "label")
    return _label_and_text(text, question, rule) or _loosely(bare, question, rule) or _alone(bare, rule)


_LEAD = re.compile(r"[(\[\"']?([^\W_]{1,3})(\s?[.):\]\-,]{1,3}|(?=\s))\s*(\S[^\n]*)")


def _label_and_text(text: str, question: Question, rule: str) -> Answer | None:
    """`B. Paris`, `B Paris`, or `B. Par` where the reply was cut: a label and its own option's text, no more."""
    match = _LEAD.fullmatch(text)
    if not match:
        return None
    label, joint, rest = match.groups()
    index = question.labels.resolve(label)
    if index is None or index < 0:
        return None
    said = core(rest)
    own = question.cores[index]
    if said and (own == said or (joint and own.startswith(said))):
        return _answer(index, rule or "label-text")
    return None


def _in_angles(text: str, question: Question) -> Answer | None:
    """`<B>`, which looks like a tag and is a label."""
    index = question.labels.exact.get(text.strip(" \n<>"), AMBIGUOUS)
    return Answer(index, None, "label") if index >= 0 else None


def _alone(bare: str, rule: str) -> Answer | None:
    """The reply is nothing but a set phrase: `none of the above`, `N/A`, `both`."""
    folded = fold(bare)
    for kind, reason in STATEMENTS:
        if folded in words().alone[kind]:
            return Answer(None, reason, rule or kind)
    return None


def _loosely(bare: str, question: Question, rule: str) -> Answer | None:
    articles = words().articles
    if question.loose_cache is None:
        table: dict[str, int] = {}
        for index, text in enumerate(question.cores):
            key = loose(text, articles)
            if key and not key.isdecimal():
                table[key] = AMBIGUOUS if key in table and question.cores[table[key]] != text else index
        question.loose_cache = table
    found = question.loose_cache.get(loose(bare, articles))
    if found is None or found == AMBIGUOUS or len(bare) < 2:
        return None
    if question.by_core.get(question.cores[found]) == AMBIGUOUS:
        return _answer(AMBIGUOUS, rule or "option")
    return _answer(found, rule or "option")


# -------------------------------------------------------------------- sentences


_NEXT_QUESTION = re.compile(r"\n\s*([^\W\d_][^\n:.]{0,24}?)\s*\d{0,3}\s*[:.]")


def _this_question_only(text: str) -> str:
    """Cut where a base model goes on to invent the next question: `B\\n\\nQuestion: …`."""
    for match in _NEXT_QUESTION.finditer(text):
        word = fold(match.group(1))
        if any(role & Role.QUESTION for _, role in words().single.get(word, ())) and match.start() > 0:
            return text[: match.start()]
    return text


_ECHO_JOINTS = re.compile(r"[\s,/|]|\bor\b|\band\b|-")


def _without_echo(text: str, question: Question) -> str:
    """Drop a repeated list of all labels before a colon: `A/B/C/D: B`."""
    head, tail = ([*re.split(r"[:?\n]|\.\s", text, maxsplit=1), ""])[:2]
    if len(head) > 80 or not tail.strip():
        return text
    rest = re.sub(r"[()\[\]{}]", " ", head)
    listed = re.search(r"[\s,/|]*(?:and|or|-)?[\s,/|]*".join(map(re.escape, question.labels.shown)), rest)
    if listed is None and len(question.labels.shown) > 2:
        listed = re.search(rf"{re.escape(question.labels.shown[0])}\s*-\s*{re.escape(question.labels.shown[-1])}", rest)
    if listed is None or listed.end() == listed.start():
        return text
    return (rest[: listed.start()] + rest[listed.end() :]).strip() + ":" + tail


def _sentences(text: str, question: Question, language: str | None, rule: str = "") -> Answer | None:
    text = _without_echo(text, question)
    reply = Reply(tokenise(text, question, language), lower(text), question.cores)
    lead = reply.leading()
    hits = [hit for hit in reply.hits() if not (hit.choice == NOT_SHOWN and reply.tokens[hit.at].role)]
    strong = [hit for hit in hits if hit.strength == 2]
    if strong:
        last = strong[-1].choice
        later = {hit.choice for hit in hits if hit.at > strong[-1].at and hit.choice >= 0}
        contradicted = bool(later - {last}) or (lead is not None and lead >= 0 and lead != last and _only_label(reply))
        same = {h.choice for h in strong if reply.clause[h.at] == reply.clause[strong[-1].at]}
        return _answer(AMBIGUOUS if contradicted or len(same) > 1 else last, rule or "anchored")
    if lead is not None:
        weak = {hit.choice for hit in hits if hit.choice >= 0}
        return _answer(AMBIGUOUS if weak - {lead} and lead >= 0 else lead, rule or "leading")
    if hits:
        choices = {hit.choice for hit in hits}
        return _answer(choices.pop() if len(choices) == 1 else AMBIGUOUS, rule or "chosen")
    return _plain(reply, rule) or _statements(reply, text, question, rule) or _contained(reply, text, rule)


def _only_label(reply: Reply) -> bool:
    """Whether the first line is a label alone."""
    first = []
    for token in reply.tokens:
        if token.kind == "line":
            break
        first.append(token)
    return sum(token.kind in ("word", "number", "option") for token in first) == 1 and len(first) < len(reply.tokens)


def _plain(reply: Reply, rule: str) -> Answer | None:
    """Sentences of known words only: `I'd say B`, `It's B!`; they must agree."""
    choices = [c for members in reply.sentences.values() if (c := reply.plain(members)) is not None]
    if not choices:
        return None
    distinct = set(choices)
    if len(distinct) > 1 or AMBIGUOUS in distinct:
        return Answer(None, "multiple", rule or "plain")
    choice = choices[0]
    if choice >= 0 and reply.named() - {choice}:
        return Answer(None, "multiple", rule or "plain")
    return _answer(choice, rule or "plain")


def _statements(reply: Reply, text: str, question: Question, rule: str) -> Answer | None:
    """Replies that choose nothing on purpose, decline, or name all options."""
    folded = re.sub(r"\s+", " ", fold(text))
    alone = core(folded)
    opening = re.split(r"[.,;:!?\n]", folded, maxsplit=1)[0].strip(" \"'([-")
    for kind, reason in STATEMENTS:
        for phrase, anywhere in words().statements[kind]:
            if phrase in folded and (alone == phrase or opening == phrase or (anywhere and _stands(folded, phrase))):
                if kind == "none" and len(reply.named(labels=False)) == 1 and alone != phrase and opening != phrase:
                    continue
                return Answer(None, reason, rule or kind)
    mentions = {t.choice for t in reply.tokens if t.choice is not None and t.choice >= 0}
    if len(mentions) == len(question.cores) == len({reply.tokens[a].choice for a in reply.rejected} & mentions):
        return Answer(None, "none", rule or "none")
    return None


def _stands(text: str, phrase: str) -> bool:
    """Whether the phrase occurs between word boundaries, where its script has them."""
    at = text.find(phrase)
    while at >= 0:
        end = at + len(phrase)
        before = at == 0 or not text[at - 1].isalnum() or bool(UNSPACED.match(text[at]))
        after = end == len(text) or not text[end].isalnum() or bool(UNSPACED.match(text[end]))
        if before and (after or len(phrase) > 7):
            return True
        at = text.find(phrase, at + 1)
    return False


def _contained(reply: Reply, text: str, rule: str) -> Answer | None:
    """Exactly one option's text stands in the reply; or several options are named; or the reply breaks off."""
    named = reply.named()
    if len(named) > 1 or any(t.choice == AMBIGUOUS for t in reply.tokens):
        return Answer(None, "multiple", rule or "several")
    if len(named) == 1:
        choice = next(iter(named))
        spans = [at for at, t in enumerate(reply.tokens) if t.kind == "option" and at not in reply.rejected]
        if any(_freestanding(reply, at) for at in spans):
            return Answer(choice, None, rule or "contained")
    if _breaks_off(reply, text):
        return Answer(None, "truncated", rule or "cut")
    return None


def _freestanding(reply: Reply, at: int) -> bool:
    """Whether an option's text is not part of a longer name or number: `York` in `New York`."""
    token = reply.tokens[at]
    if UNSPACED.match(token.text):
        if len(token.text) < 2:
            return False
    elif len(token.text) < 3 and (not token.text.isdecimal() or any(t.kind == "number" for t in reply.tokens)):
        return False
    for side in (reply.get(at - 1), reply.get(at + 1)):
        if side is not None and side.kind == "word" and not side.role:
            if UNSPACED.match(side.text) and (side.end == token.start or side.start == token.end):
                return False
            if side.text[:1].isupper() and token.text[:1].isupper():
                return False
    return True


def _breaks_off(reply: Reply, text: str) -> bool:
    """Whether the reply ends while announcing an answer: `The correct answer i`."""
    if not text or text[-1] in ".!?)\"']}" or not reply.tokens:
        return False
    last = reply.sentences[max(reply.sentences)]
    roles = [reply.tokens[at].role for at in last]
    for place, role in enumerate(roles):
        if role & (Role.ANSWER | Role.CORRECT | Role.CHOOSE) and len(roles) - place <= 5:
            return not any(r & Role.NOT for r in roles)
    return False
