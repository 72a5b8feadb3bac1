"""What every hosted adapter is apart from its wire format: its name, identity, key, limits, and how calls fail."""

from __future__ import annotations

import asyncio
import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from clika_providers.errors import ProviderError, RetryableError, RunError
from clika_providers.hosted.capabilities import Capabilities, capabilities_for
from clika_providers.hosted.rejected_fields import RejectedFields
from clika_providers.hosted.servers import Server, is_local, known_servers, refuse_clear_text
from clika_providers.keys import find_key, refuse_secrets
from clika_providers.options import ProviderOptions
from clika_providers.provider import BaseProvider, Provider
from clika_providers.traffic.circuit_breaker import CircuitBreaker
from clika_providers.traffic.http_errors import Where, quoted
from clika_providers.traffic.limiter import RateLimiter, shared_flow
from clika_providers.traffic.retry import Caller, Flow, TransportReply
from clika_providers.types import Completion, Json, Request

_LOCAL_PATIENCE_S, _REMOTE_PATIENCE_S = 12.0, 120.0
_TIMEOUTS_OF_PATIENCE = 2.5
T = TypeVar("T")
CONNECT_S = 10.0
"""The most that making a connection may take."""


class Adapter(BaseProvider, ABC):
    """The shared part of a hosted Provider; a wire format adds the two below, `_attempt`, `get`, `aclose`."""

    adapter_version: Json
    """Raised when the body that is sent for a Request, or the way a reply is read, changes an answer; begins at 1."""
    models_path: str
    """Where the server lists its models."""

    def __init__(self, server: Server, model: str, options: ProviderOptions, address: str) -> None:
        self._server, self._model, self.options, self.address = server, model, options, address
        self.capabilities: Capabilities = capabilities_for(server.name, model, options.capabilities)
        self.where = Where(server.name, model, server.address_class(address), server.key_env)
        self._key = key_for(server, address, options)
        refuse_secrets(dict(options.extra_body), "--extra")
        self._extra: dict[str, Json] = {**server.body, **dict(options.extra_body)}
        self.lessons = RejectedFields(model)
        self._flow_here: tuple[asyncio.AbstractEventLoop, RateLimiter] | None = None
        self.caller = Caller(self._flow, breaker_for(self.spec, address, options), options)

    @abstractmethod
    async def _attempt(self, request: Request) -> TransportReply:
        """One try; a rejected field is dropped and the request sent again at once, which is no retry."""

    @abstractmethod
    async def get(self, path: str) -> dict[str, Any] | list[Any]:
        """The JSON of a GET; raises ProviderError."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connections."""

    async def complete(self, request: Request) -> Completion:
        """Answer one request; see Provider.complete."""

        async def attempt() -> TransportReply:
            return await self._attempt(request)

        return await self.caller.call(attempt, estimated_tokens(request))

    async def attempt(self, request: Request) -> TransportReply:
        """One try, for those who keep pace, retries and circuit themselves; raises ProviderError."""
        return await self.in_time(self._attempt(request))

    async def in_time(self, exchange: Awaitable[T]) -> T:
        """What an exchange brings within the time that one may take; calls by `caller` are timed there."""
        try:
            async with asyncio.timeout(self.options.timeout_s):
                return await exchange
        except TimeoutError:
            raise unanswered(self._server.name) from None

    def share(self, flow: Callable[[], Flow]) -> None:
        """Take the pace from a limiter that other machines share."""
        self.caller = Caller(flow, self.caller.breaker, self.options)

    @property
    def adapter(self) -> Adapter:
        """Itself, which makes its exchanges."""
        return self

    @property
    def spec(self) -> str:
        """`server/model`."""
        return f"{self._server.name}/{self._model}"

    @property
    def identity(self) -> Mapping[str, Json]:
        """Server, model, address class, adapter version, and body fields the user added."""
        named: dict[str, Json] = {
            "provider": self._server.name,
            "model": self._model,
            "base_url": self.where.address,
            "adapter": self.adapter_version,
        }
        if self.options.extra_body:
            named["extra_body"] = dict(self.options.extra_body)
        return named

    def drain(self) -> None:
        """Start no more calls; those that are with the server go on."""
        self.caller.drain()

    def most_output(self, request: Request) -> int:
        """Tokens a reply can be billed for at most."""
        return self.capabilities.most_output(request.max_tokens, request.thinking)

    @property
    def concurrency(self) -> int:
        """Requests in flight that are useful at most."""
        return self.options.concurrency or self._server.concurrency

    @property
    def notes(self) -> list[str]:
        """What the user should know about how this model was asked."""
        return self.lessons.notes

    def flow_name(self) -> str:
        """What all models behind this address and key have in common."""
        digest = hashlib.blake2b((self._key or "").encode(), digest_size=8).hexdigest()
        return f"{self._server.name} {self.address} {digest}"

    def _flow(self) -> RateLimiter:
        """The flow shared by all models behind this address and key."""
        loop = asyncio.get_running_loop()
        if self._flow_here is None or self._flow_here[0] is not loop:
            flow = shared_flow(self.flow_name(), self.concurrency, rpm=self.options.rpm, tpm=self.options.tpm)
            self._flow_here = loop, flow
        return self._flow_here[1]


@runtime_checkable
class HostedProvider(Provider, Protocol):
    """A Provider whose exchanges an Adapter makes, in this process or on other machines."""

    @property
    def adapter(self) -> Adapter:
        """What knows the wire format."""
        ...


def key_for(server: Server, address: str, options: ProviderOptions) -> str | None:
    """The API key; raises RunError when the server's own address needs one and there is none."""
    if not options.need_key:
        return None
    key = find_key(server.key_env, options.key_command)
    if key is not None:
        refuse_clear_text(f"{server.name} at {server.address_class(address)}", address, options.insecure_http)
    if key is None and server.key == "required" and not is_local(address) and options.base_url is None:
        names = " or ".join(server.key_env)
        raise RunError(f"{server.name} needs an API key: set {names} or give --key-command", code="key")
    return key


def breaker_for(spec: str, address: str, options: ProviderOptions) -> CircuitBreaker:
    """A circuit breaker that is less patient with a server on this machine: it does not come back by itself."""
    usual = _LOCAL_PATIENCE_S if is_local(address) else _REMOTE_PATIENCE_S
    patience_s = usual if options.patience_s is None else options.patience_s
    return CircuitBreaker(
        spec,
        patience_s,
        slow_patience_s=_TIMEOUTS_OF_PATIENCE * options.timeout_s,
        # A gateway on this machine passes on the limits of somebody far away.
        busy_patience_s=_REMOTE_PATIENCE_S if options.patience_s is None else options.patience_s,
    )


def estimated_tokens(request: Request) -> float:
    """A rough count for the token pace, corrected by each reply: four bytes of UTF-8 to a token."""
    return math.ceil(sum(len(m.content.encode()) for m in request.messages) / 4) + 8


class Exchanged(NamedTuple):
    """What came back for one request."""

    status: int
    content: bytes
    headers: Mapping[str, str]
    """Names are found in any case."""


class Carrier(Protocol):
    """What takes requests to a server and brings replies back, within bounded.MOST_REPLY bytes; follows no redirect."""

    async def exchange(
        self, method: Literal["GET", "POST"], path: str, body: Mapping[str, Json] | None = None
    ) -> Exchanged:
        """One exchange with a path below the server's address, or with an address; raises RetryableError."""
        ...

    async def aclose(self) -> None:
        """Close the connections; another exchange opens them again."""
        ...


def connection_error(where: Where, cause: BaseException | None) -> ProviderError:
    """A failure of httpx's or httpx2's: a connection that could not be made, or broke before the reply was complete."""
    if isinstance(cause, ProviderError):  # told by our own client, inside the library's
        return cause
    name = type(cause).__name__ if cause is not None else "connection error"
    words = str(cause) if cause is not None and str(cause) else name
    unmade = name in ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol")
    return not_connected(where, words) if unmade else broken_off(where, words)


def not_connected(where: Where, words: str) -> RetryableError:
    """A connection that could not be made: nothing was sent."""
    place = known_servers()[where.server].base_url if where.address == where.server else where.address
    return RetryableError(f"no connection to {where.server} at {place}: {quoted(words)}", code="not_connected")


def broken_off(where: Where, words: str) -> RetryableError:
    """A connection that broke before the reply was complete: the model may have answered, and bill it."""
    error = RetryableError(f"the connection to {where.server} broke: {quoted(words)}", code="connection")
    error.sent = True
    return error


def unanswered(server: str) -> RetryableError:
    """A request that was sent and got no reply in time: the model may have answered it, and bill it."""
    error = RetryableError(f"{server} did not answer in time", code="timeout")
    error.sent = True
    return error
