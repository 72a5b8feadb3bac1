"""Batches at half price: sent as files, finished within a day, collected in any order."""

from clika_providers.batches.ticket import BatchDoor, BatchStatus, BatchTicket, Keyed, RequestOf, State
from clika_providers.errors import RunError
from clika_providers.options import ProviderOptions
from clika_providers.registry import parse_spec

__all__ = ["BatchDoor", "BatchStatus", "BatchTicket", "Keyed", "RequestOf", "State", "batch_door"]


def batch_door(spec: str, options: ProviderOptions | None = None) -> BatchDoor:
    """The batches of a model; raises RunError for servers whose batches are not supported here."""
    name, model = parse_spec(spec)
    options = options or ProviderOptions()
    if name in ("openai", "azure"):
        from clika_providers.batches.openai import OpenAIBatches

        return OpenAIBatches(name, model, options)
    if name == "anthropic":
        from clika_providers.batches.anthropic import AnthropicBatches

        return AnthropicBatches(name, model, options)
    raise RunError(
        f"batches are offered for openai, azure and anthropic, not for {name}; run without --batch", code="batch"
    )
