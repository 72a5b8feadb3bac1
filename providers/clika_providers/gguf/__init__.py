"""Local GGUF models, run in process by llama.cpp; nothing heavy is imported before a model is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clika_providers.options import ProviderOptions
from clika_providers.types import Json

if TYPE_CHECKING:
    from clika_providers.gguf.discover import LocalModel
    from clika_providers.gguf.provider import GgufProvider

__all__ = ["connect", "describe_build", "list_local"]


def connect(model: str, options: ProviderOptions) -> GgufProvider:
    """A provider for `gguf/MODEL`: a path, a name from `list_local`, or `hf:OWNER/REPO:FILE`; raises RunError."""
    from clika_providers.gguf.model_setup import connect as make

    return make(model, options)


def list_local(models_dir: Path | None = None) -> list[LocalModel]:
    """The GGUF models in the usual places, sorted by name."""
    from clika_providers.gguf.discover import list_local as find

    return find(models_dir)


def describe_build() -> dict[str, Json]:
    """What the installed llama.cpp can do, which devices it sees, and what to do if it is slow; never raises."""
    from clika_providers.gguf.build import describe_build as describe

    return describe()
