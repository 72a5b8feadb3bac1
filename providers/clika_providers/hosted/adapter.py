"""What every hosted adapter is apart from its wire format: its name, its identity, its limits."""

from __future__ import annotations

from collections.abc import Mapping

from clika_providers.hosted.capabilities import Capabilities
from clika_providers.hosted.rejected_fields import RejectedFields
from clika_providers.hosted.servers import Server
from clika_providers.options import ProviderOptions
from clika_providers.traffic.http_errors import Where
from clika_providers.traffic.retry import Caller
from clika_providers.types import Json, Request


class Adapter:
    """The shared part of a hosted Provider; the attributes are set by the adapter's own constructor."""

    adapter_version: Json
    options: ProviderOptions
    capabilities: Capabilities
    where: Where
    lessons: RejectedFields
    caller: Caller
    _server: Server
    _model: str

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
