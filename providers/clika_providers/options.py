"""Settings a user may give for a model, apart from its name; none of them is a question."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clika_providers.types import Json


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """How to reach and run a model. Fields that do not apply to a provider are ignored by it."""

    base_url: str | None = None
    more_urls: tuple[str, ...] = ()
    """Further addresses of the same model; the row is named by `base_url`."""
    key_command: str | None = None
    """A shell command that prints the API key, for those who keep keys in a vault."""
    need_key: bool = True
    """False where nothing will be sent, as in a dry run: then no key is looked for."""
    concurrency: int | None = None
    rpm: float | None = None
    tpm: float | None = None
    timeout_s: float = 60.0
    """Total time for one call, from connecting to the last byte of the reply."""
    max_retries: int = 6
    backoff_s: float = 0.5
    """First pause between two attempts; doubled each time, with jitter."""
    max_wait_s: float = 120.0
    """A server that asks for a longer pause than this ends the run instead."""
    patience_s: float | None = None
    """Seconds without any success after which a failing server is given up.

    Default 120; 12 for a server on this machine that fails, which does not come back by itself. One that says it is
    busy is waited for wherever it runs.
    """
    insecure_http: bool = False
    """Allow a key to be sent over plain http to another machine."""
    capabilities: Path | None = None
    """A capability file of the user's, applied over the built-in table."""
    extra_body: tuple[tuple[str, Json], ...] = ()
    n_gpu_layers: int | None = None
    n_ctx: int | None = None
    n_threads: int | None = None
    n_sequences: int | None = None
    lora: Path | None = None
    models_dir: Path | None = None
