"""API keys: where they come from, and the one place that keeps them out of every text.

Every key that is found is remembered here for the life of the process, so that `redact` can remove it
from any text, whoever wrote it: servers echo keys in their error messages.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence

from clika_providers.errors import RunError
from clika_providers.types import Json

_COMMAND_TIMEOUT_S = 30.0
_SHORTEST = 6  # a shorter "key" (local servers take any word) would blank ordinary text
_known: dict[str, re.Pattern[str]] = {}
"""Every secret that was found, with the pattern of all the ways in which it can be spelt in a text."""
_LOOKS_LIKE_KEY = re.compile(
    r"""(?x) \b(?:sk|pk|rk|xai|gsk|key|tgp|hf|csk|nvapi)[-_][A-Za-z0-9_*.\-]{8,}   # vendor prefixes, masked or not
    | \bAIza[A-Za-z0-9_\-]{20,}
    | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)                                               # user:password in an address
    | (?i:(?<=bearer\s)\S{8,})
    | (?i:(?<=api[_-]key[=:])[^\s&"']{6,}) | (?<=[?&]key=)[^\s&"']{6,}
    """
)


def remember(key: str) -> str:
    """Note a secret so that `redact` removes it everywhere; returns it."""
    if len(key) >= _SHORTEST and key not in _known:
        _known[key] = re.compile(r"\x00?".join(map(_spellings, key)))
    return key


def _spellings(character: str) -> str:
    """A pattern of one character as it is, and as JSON, URLs, HTML and shells escape it, any number of times."""
    code = ord(character)
    forms = (rf"u00{code:02x}", rf"x{code:02x}")
    escaped = "|".join(f"(?i:{form})" for form in forms)
    elsewhere = rf"(?i:%{code:02x}|&\#x0*{code:x};)|&\#0*{code};"
    return rf"(?:\\{{0,4}}(?:{re.escape(character)}|{escaped})|{elsewhere})"


def reply_text(body: bytes) -> str:
    """A reply's body as text without known keys, and otherwise as it came: what a model says is not touched.

    UTF-16 and UTF-32 are recognised as JSON readers do.
    """
    return without_keys(body.decode(json.detect_encoding(body), "replace"))


def without_keys(text: str) -> str:
    """The text without known keys, however they are escaped in it."""
    for key, spellings in sorted(_known.items(), key=lambda pair: -len(pair[0])):
        if _may_hold(text, key):
            text = spellings.sub("[key]", text)
    return text


def _may_hold(text: str, key: str) -> bool:
    """A quick look before the slow one: escapes apart, a text holds a key only where it holds its ending."""
    return key[-_SHORTEST:] in text or "\\" in text or "%" in text or "&#" in text or "\x00" in text


def redact(text: str) -> str:
    """The text without known keys and without anything that looks like one."""
    return _LOOKS_LIKE_KEY.sub("[key]", without_keys(text))


_SECRET_NAME = re.compile(
    r"(?i)(^|[_-])(api[_-]?key|authorization|auth|password|passwd|secret|credentials?|bearer|cookie"
    r"|(access|auth|session|id|refresh|api)[_-]?token|private[_-]?key|access[_-]?key)$|^(token|key)$"
)


def refuse_secrets(fields: Mapping[str, Json], option: str) -> None:
    """Raise RunError for a field that looks like a secret: such fields are part of a model's stored identity."""
    for name, value in fields.items():
        text = json.dumps(value, ensure_ascii=False)
        if _SECRET_NAME.search(name) or redact(text) != text:
            raise RunError(
                f"{option} {name} looks like a secret, and would be stored with every reply; keys go into the "
                "provider's environment variable or --key-command",
                code="setup",
            )
        if isinstance(value, dict):
            refuse_secrets(value, f"{option} {name}:")


def find_key(key_env: Sequence[str], key_command: str | None) -> str | None:
    """The key printed by the command, else the first variable that is set; None when there is neither.

    Raises RunError when the command fails: its output never appears in the message.
    """
    if key_command:
        return remember(_from_command(key_command))
    for name in key_env:
        value = os.environ.get(name, "").strip()
        if value:
            return remember(_checked(value, f"the variable {name}"))
    return None


def _from_command(command: str) -> str:
    try:
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise RunError(f"the key command did not finish in {_COMMAND_TIMEOUT_S:.0f} s", code="key") from None
    if done.returncode != 0:
        raise RunError(f"the key command ended with exit code {done.returncode}; try it by hand", code="key")
    lines = done.stdout.strip().splitlines()
    if len(lines) != 1:
        raise RunError(f"the key command printed {len(lines)} lines; it must print the key alone", code="key")
    return _checked(lines[0].strip(), "the key command")


def _checked(key: str, source: str) -> str:
    # A line break or a non-ASCII character fails deep inside the HTTP library, with the key in the message.
    if not key.isascii() or not key.isprintable() or " " in key:
        raise RunError(f"{source} holds characters that no API key has; copy the key again", code="key")
    return key
