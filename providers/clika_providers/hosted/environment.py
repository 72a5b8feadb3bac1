"""Clients that take proxies and certificates from the environment, whose mistakes are told in a sentence."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import TypeVar

from clika_providers.errors import RunError

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
T = TypeVar("T")
_EXCEPTIONS = ("NO_PROXY", "no_proxy")


def made(make: Callable[[], T]) -> T:
    """The client that `make` makes; raises RunError naming the variable that has to be changed."""
    with _plain_exceptions():
        try:
            return make()
        except OSError as error:
            name = next((name for name in _CERTIFICATES if os.environ.get(name)), None)
            if name is None:
                raise
            raise RunError(
                f"{name} names {os.environ[name]}, which cannot be read as certificates ({error.strerror or error}); "
                "correct it or unset it",
                code="certificates",
            ) from None
        except ImportError as error:
            if "socks" not in str(error).lower():
                raise
            raise RunError(
                f"{_proxy()} names a SOCKS proxy, which needs one more package: pip install socksio; or unset it",
                code="proxy",
            ) from None
        except Exception as error:
            # Both libraries have an InvalidURL of their own, which is no ValueError.
            if not isinstance(error, ValueError) and type(error).__name__ != "InvalidURL":
                raise
            raise RunError(
                f"{_proxy()} cannot be used as a proxy ({error}); correct it or unset it", code="proxy"
            ) from None


def trusted(library: ModuleType) -> ssl.SSLContext:
    """What httpx or httpx2 checks servers' certificates against; read once for all clients, as the bundle is long."""
    return _trusted(library, tuple(os.environ.get(name) for name in _CERTIFICATES))


@cache
def _trusted(library: ModuleType, named: tuple[str | None, ...]) -> ssl.SSLContext:
    """`named` is what the environment says: another answer, other certificates."""
    context: ssl.SSLContext = library.create_ssl_context()
    return context


def _proxy() -> str:
    return next((name for name in _PROXIES if os.environ.get(name)), "the proxy in the environment")


@contextmanager
def _plain_exceptions() -> Iterator[None]:
    """NO_PROXY without its networks of IPv6 addresses, such as `::1/128`: httpx takes them for a broken URL.

    They stand beside `localhost` and `127.0.0.1` where container programs set them, and no host is named by them.
    """
    before = {name: os.environ[name] for name in _EXCEPTIONS if name in os.environ}
    try:
        for name, value in before.items():
            kept = [part for part in value.split(",") if not (part.count(":") > 1 and "/" in part)]
            os.environ[name] = ",".join(kept)
        yield
    finally:
        os.environ.update(before)
