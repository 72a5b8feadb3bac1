"""From a model's name and options to a provider: finds the file, checks it, and names what will answer."""

from __future__ import annotations

from pathlib import Path

from clika_providers.errors import RunError
from clika_providers.gguf import discover as find
from clika_providers.gguf import files
from clika_providers.gguf import hardware as machine
from clika_providers.gguf import llama_cpp as native
from clika_providers.gguf.context import FIRST_CONTEXT, Settings
from clika_providers.gguf.engine import ENGINE_VERSION
from clika_providers.gguf.files import ModelFile
from clika_providers.gguf.generate import sampling_options
from clika_providers.gguf.provider import GgufProvider
from clika_providers.gguf.template import digest as template_digest
from clika_providers.gguf.trial import refuse_crashing
from clika_providers.options import ProviderOptions
from clika_providers.types import Json

DEFAULT_CONTEXT = 8192
"""Most tokens a context may grow to unless asked otherwise; it starts small and grows with the prompts."""


def connect(model: str, options: ProviderOptions) -> GgufProvider:
    """A provider for `gguf/MODEL`; nothing is loaded yet. Raises RunError saying what is wrong and what helps."""
    version = native.package_version()
    opened = files.open_model(find.resolve(model, options.models_dir))
    if options.lora is not None:
        files.open_adapter(options.lora, opened)
    refuse_crashing(opened.path, native.instruction_set())
    settings = _settings(opened, options)
    first_context = min(settings.n_ctx_limit, FIRST_CONTEXT * settings.n_sequences)
    machine.refuse_if_too_big(opened, first_context, _device_memory(settings))
    return GgufProvider(_row_name(model, options.lora), opened, settings, _identity(opened, options, settings, version))


def _row_name(model: str, lora: Path | None) -> str:
    name = model if model.startswith(find.HUB) else Path(model).name
    return f"{name}+{lora.name}" if lora is not None else name


def _settings(model: ModelFile, options: ProviderOptions) -> Settings:
    header = model.header
    trained = header.context_length or DEFAULT_CONTEXT
    # Beyond the original context some models switch to other position factors, and with them all answers.
    original = header.of_architecture("rope.scaling.original_context_length", trained)
    limit = options.n_ctx or min(trained, original, DEFAULT_CONTEXT)
    sampling_options(options.extra_body)
    asked = {"--n-ctx": options.n_ctx, "--threads": options.n_threads, "--n-sequences": options.n_sequences}
    for name, value in asked.items():
        if value is not None and value < 1:
            raise RunError(f"{name} must be 1 or more, not {value}")
    if limit > trained:
        raise RunError(f"--n-ctx {limit} is more than the {trained} tokens {model.path.name!r} was trained for")
    return Settings(
        n_ctx_limit=limit,
        n_threads=options.n_threads or machine.free_cores(),
        n_gpu_layers=_gpu_layers(model, options.n_gpu_layers),
        n_sequences=options.n_sequences or 1,
        adapter=options.lora,
        sampling=options.extra_body,
    )


def _gpu_layers(model: ModelFile, asked: int | None) -> int:
    """As many layers as the devices' free memory holds, unless asked otherwise; 0 where there is no device."""
    gpus = [device for device in native.devices() if device.is_gpu]
    if asked and not gpus:
        raise RunError(
            f"--gpu-layers {asked} needs a GPU, and this build of llama.cpp sees none: leave it out to compute on the "
            "CPU, or see `clika doctor`"
        )
    if asked is not None:
        return asked
    free = sum(device.free for device in gpus)
    if not free:
        return 0
    need = machine.estimate(model, FIRST_CONTEXT)
    layers = model.header.of_architecture("block_count") + 1  # the output counts as one
    return -1 if need <= 0.9 * free else int(layers * 0.9 * free / need)


def _device_memory(settings: Settings) -> int:
    return sum(device.free for device in native.devices() if device.is_gpu) if settings.n_gpu_layers else 0


def _identity(model: ModelFile, options: ProviderOptions, settings: Settings, version: str) -> dict[str, Json]:
    identity: dict[str, Json] = {
        "provider": "gguf",
        "model": model.label,
        "weights": files.weights_digest(model.parts),
        "llama_cpp_python": version,
        "chat_template": template_digest(model.header.chat_template),
        "flash_attention": False,
        "engine": ENGINE_VERSION,
        "build": native.instruction_set(),
    }
    if options.extra_body:
        identity["sampling"] = dict(options.extra_body)
    if options.lora is not None:
        identity["lora"] = files.digest(options.lora)
    if settings.n_sequences > 1:
        identity["packed"] = settings.n_sequences
    if settings.n_gpu_layers:
        # Not how many layers: that is chosen by the memory that happens to be free.
        identity["device"] = ", ".join(d.description or d.name for d in native.devices() if d.is_gpu)
    original = model.header.of_architecture("rope.scaling.original_context_length")
    if original and settings.n_ctx_limit > original:
        identity["n_ctx"] = settings.n_ctx_limit
    return identity
