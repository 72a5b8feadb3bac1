"""The network guard, for the suite itself and for every Python process a test starts.

Only loopback addresses may be connected to or looked up; anything else ends the test with an error
instead of a cent spent or a request sent by accident.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any

_LOCAL_NAMES = {"localhost", "", "0.0.0.0", "::", "127.0.0.1", "::1"}


class NetworkForbidden(RuntimeError):
    """A test tried to reach something that is not on this machine."""


def _is_local(host: object) -> bool:
    if host is None:
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    if text in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(text.split("%")[0]).is_loopback
    except ValueError:
        return False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not _is_local(address[0]):
            raise NetworkForbidden(f"a test tried to connect to {address[0]}:{address[1]}")
    elif event == "socket.getaddrinfo" and not _is_local(arguments[0]):
        raise NetworkForbidden(f"a test tried to look up {arguments[0]!r}")


if not os.environ.get("CLIKA_TESTS_UNGUARDED"):
    sys.addaudithook(_hook)
