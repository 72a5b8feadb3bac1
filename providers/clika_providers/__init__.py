"""clika_providers: a request goes in, a completion comes out; knows nothing of probes."""

from clika_providers.errors import ClikaError, ItemError, ProviderError, RetryableError, RunError, UnreachableError
from clika_providers.mock import MockProvider
from clika_providers.options import ProviderOptions
from clika_providers.provider import BaseProvider, Provider
from clika_providers.registry import connect, parse_spec, provider_names, provider_table
from clika_providers.types import AskMode, Completion, Json, Message, Request, Usage

__all__ = [
    "AskMode",
    "BaseProvider",
    "ClikaError",
    "Completion",
    "ItemError",
    "Json",
    "Message",
    "MockProvider",
    "Provider",
    "ProviderError",
    "ProviderOptions",
    "Request",
    "RetryableError",
    "RunError",
    "UnreachableError",
    "Usage",
    "connect",
    "parse_spec",
    "provider_names",
    "provider_table",
]
