"""API keys: where they come from, and the one place that keeps them out of every text.

Every key that is found is remembered here for the life of the process, so that `redact` can remove it
from any text, whoever wrote it: servers echo keys in their error messages.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence

from clika_providers.errors import RunError

_COMMAND_TIMEOUT_S = 30.0
_SHORTEST = 6  # a shorter "key" (local servers take any word) would blank ordinary text
_known: set[str] = set()
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
    if len(key) >= _SHORTEST:
        _known.add(key)
    return key


def without_keys(body: bytes) -> bytes:
    """A reply's body without known keys, and otherwise as it came: what a model says is not touched."""
    for key in sorted(_known, key=len, reverse=True):
        body = body.replace(key.encode(), b"[key]")
    return body


def redact(text: str) -> str:
    """The text without known keys and without anything that looks like one."""
    for key in sorted(_known, key=len, reverse=True):
        text = text.replace(key, "[key]")
    return _LOOKS_LIKE_KEY.sub("[key]", text)


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
