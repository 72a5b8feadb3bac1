"""The table of named servers as values: where each lives, where its key is, what it needs."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal
from urllib.parse import urlsplit

from clika_providers.errors import RunError
from clika_providers.keys import redact
from clika_providers.types import Json
from clika_providers.userfiles import UserFile, builtin, checked


@dataclass(frozen=True, slots=True)
class Server:
    """One row of servers.toml."""

    name: str
    title: str
    kind: Literal["openai", "anthropic", "gguf", "mock"] = "openai"
    base_url: str | None = None
    base_url_env: str | None = None
    base_url_suffix: str = ""
    key_env: tuple[str, ...] = ()
    key: Literal["required", "optional"] = "required"
    concurrency: int = 16
    body: Mapping[str, Json] = field(default_factory=dict)
    """Fields added to every request."""
    logprobs: str = ""
    likelihood: str = ""
    """How the server tells the probability of a text that was given to it; empty where it is not known to."""
    thinking_off: str = ""
    note: str = ""

    def address(self, given: str | None) -> str:
        """The base URL in use, without a trailing slash; raises RunError when it is none."""
        url = given or self._from_environment() or self.base_url
        if not url:
            raise RunError(
                f"{self.name} has no fixed address: give --base-url"
                + (f" or set {self.base_url_env}" if self.base_url_env else ""),
                code="setup",
            )
        return sound_address(url)

    def _from_environment(self) -> str | None:
        url = os.environ.get(self.base_url_env, "").strip() if self.base_url_env else ""
        if url and self.base_url_suffix and not url.rstrip("/").endswith(self.base_url_suffix):
            url = url.rstrip("/") + self.base_url_suffix
        return url or None

    def address_class(self, address: str) -> str:
        """The address as part of a model's identity: the server's name at its usual place, else host and path.

        Without user, password and query, so that no secret enters the cache key or the database.
        """
        if self.base_url and address == self.base_url.rstrip("/"):
            return self.name
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.hostname}{port}{parts.path}".rstrip("/")


def sound_address(url: str) -> str:
    """A base URL without its trailing slash; raises RunError when it is none."""
    wrong = _wrong_with(url)
    if wrong:
        raise RunError(f"the base URL {redact(url)!r} {wrong}", code="setup")
    return url.rstrip("/")


def _wrong_with(url: str) -> str | None:
    """What keeps a text from being a base URL, in words that follow it."""
    if not url.isprintable() or " " in url:
        return "holds characters that no address has; copy it again"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"is not an address: {error}"
    if parts.scheme not in ("http", "https") or not host:
        return "is not an http:// or https:// address"
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        return (
            "has a part after ? or #, to which no path can be added; leave it out: keys go into the provider's "
            "environment variable, further body fields into --extra"
        )
    return None


def is_local(address: str) -> bool:
    """Whether an address is on this machine."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def refuse_clear_text(who: str, address: str, insecure_http: bool) -> None:
    """Raise RunError when a key would go over plain http to another machine and nobody allowed it."""
    if address.startswith("http:") and not is_local(address) and not insecure_http:
        raise RunError(
            f"{who} is asked over plain http, where everybody on the way can read the API key; use an https:// "
            "address, leave the key unset, or allow it with --insecure-http",
            code="setup",
        )


def known_servers() -> dict[str, Server]:
    """Every named server, the user's file applied over the built-in table; raises RunError naming what is wrong."""
    return _known_servers(UserFile.now("servers.toml"))


@cache
def _known_servers(mine: UserFile) -> dict[str, Server]:
    built_in = builtin("servers.toml")
    servers = {name: _server(name, row, "servers.toml") for name, row in built_in.items()}
    for name, row in mine.table().items():
        where = f"{mine.path}: [{name}]"
        if not isinstance(row, dict):
            raise RunError(f"{where}: {name!r} must be a table [{name}]", code="setup")
        servers[name] = _server(name, {**built_in.get(name, {"title": name}), **row}, where)
    return servers


def _server(name: str, row: dict[str, object], where: str) -> Server:
    server = Server(name=name, **checked(Server, row, where, given={"name": name}))
    if server.concurrency < 1:
        raise RunError(f"{where}: concurrency must be 1 or more, not {server.concurrency}", code="setup")
    for variable in server.key_env:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]+", variable):
            raise RunError(f"{where}: key_env names {variable!r}, which is no environment variable", code="setup")
    return server
