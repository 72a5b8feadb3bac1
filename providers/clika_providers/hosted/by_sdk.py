"""HTTP through the openai SDK and its httpx2: for servers behind a proxy, and for the files of batches.

The SDK's own retries are off, because they would hide refusals from the flow control.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from clika_providers.hosted import bounded
from clika_providers.hosted.adapter import CONNECT_S, Exchanged, connection_error, unanswered
from clika_providers.hosted.environment import made, trusted
from clika_providers.options import ProviderOptions
from clika_providers.traffic.http_errors import Where
from clika_providers.types import Json

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class BySdk:
    """The SDK's client for one server; see adapter.Carrier."""

    def __init__(self, where: Where, address: str, key: str | None, concurrency: int, options: ProviderOptions) -> None:
        self._where, self._address, self._concurrency = where, address, concurrency
        self._timeout_s = options.timeout_s
        self._key = key
        self._client: AsyncOpenAI | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def exchange(
        self, method: Literal["GET", "POST"], path: str, body: Mapping[str, Json] | None = None
    ) -> Exchanged:
        """See adapter.Carrier."""
        import httpx2
        import openai

        sdk = self.client()
        try:
            if method == "GET":
                response = await sdk.get(path, cast_to=httpx2.Response)
            else:
                response = await sdk.post(path, cast_to=httpx2.Response, body=body)
        except openai.APIStatusError as error:
            return Exchanged(error.response.status_code, error.response.content, error.response.headers)
        except openai.APITimeoutError as error:
            if isinstance(error.__cause__, httpx2.ConnectTimeout | httpx2.PoolTimeout):
                raise connection_error(self._where, error.__cause__) from None
            raise unanswered(self._where.server) from None
        except openai.APIConnectionError as error:
            raise connection_error(self._where, error.__cause__) from None
        return Exchanged(response.status_code, response.content, response.headers)

    def client(self) -> AsyncOpenAI:
        """The SDK's client, made on first use: importing openai takes a second."""
        if self._client is None:
            import httpx2
            import openai

            class Client(httpx2.AsyncClient):
                """A client whose replies have a bounded size."""

                async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
                    reply: httpx2.Response = await bounded.send(httpx2, super().send, request, **options)
                    return reply

            limits = httpx2.Limits(max_connections=self._concurrency, max_keepalive_connections=self._concurrency)
            timeout = httpx2.Timeout(self._timeout_s, connect=min(CONNECT_S, self._timeout_s))
            self._client = openai.AsyncOpenAI(
                base_url=self._address,
                api_key=self._key or "no-key",
                max_retries=0,
                timeout=timeout,
                default_headers={"accept-encoding": bounded.ACCEPTED},
                http_client=made(lambda: Client(limits=limits, timeout=timeout, verify=trusted(httpx2))),
            )
        return self._client
