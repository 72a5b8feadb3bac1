"""The root of all errors of the three packages, and what can go wrong between a request and its completion.

ClikaError                  the root; the cache's and the evaluation's errors descend from it too
 └── ProviderError
      ├── RetryableError     may succeed later: throttled, overloaded, timed out, connection lost
      ├── ItemError          final for this request: refused as malformed, too long, filtered
      └── RunError           final for every request to this model: key, quota, unknown model, wrong setup
           └── UnreachableError   nothing answers at the address at all
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from clika_providers.types import Usage

ErrorCode = Literal[
    "access",  # the key may not use this model
    "address",  # no chat service there
    "batch",  # a batch ended without this answer
    "certificates",
    "circuit",  # given up after a time without any success
    "connection",  # broke after the request was sent
    "content_filter",
    "grammar",  # output cannot be constrained
    "key",
    "likelihood",  # no probabilities of given texts from this server
    "logprobs",  # no probabilities from this model
    "model",  # not known there
    "not_connected",  # nothing was sent
    "proxy",
    "quota",  # the account's money or allowance is used up
    "redirect",
    "refused",  # every request was refused
    "setup",  # a setting or file of the user's
    "shape",  # a reply that is none: worth few retries
    "spec",  # no provider is called that
    "template",
    "timeout",
    "too_long",
    "unreachable",
    "wait",  # longer than we wait
]
"""What kind of failure it was, where something is decided by it; what a server calls it stands in the message."""


class ClikaError(Exception):
    """Root of every error a user can mend; `except ClikaError` catches them all."""

    exit_code = 2
    """What the command line ends with."""


class ProviderError(ClikaError):
    """A request that produced no completion.

    Messages are for the user: what happened, the value, the cure; never a key, never markup.
    """

    kind = "error"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: ErrorCode | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers: Mapping[str, str] = {}
        """Response headers, for the rate limits they tell; never shown."""
        self.retry_after = retry_after
        """Seconds the server asked us to wait, if it did."""
        self.usage = Usage()
        """Tokens of a reply that was billed and is of no use."""
        self.sent = False
        """Whether the model may have worked, and be billed, without telling us what for."""

    @property
    def billed(self) -> bool:
        """Whether the server told tokens for this failure."""
        return self.usage.input_tokens is not None or self.usage.output_tokens is not None


class RetryableError(ProviderError):
    """Trying again later may help."""

    kind = "retryable"


class ItemError(ProviderError):
    """This request will never succeed as it is; others may."""

    kind = "item"


class RunError(ProviderError):
    """No request to this model can succeed until the user changes something."""

    kind = "run"


class UnreachableError(RunError):
    """Nothing answers at the model's address."""

    kind = "unreachable"
    exit_code = 1
