"""Write the trained demo model in its two forms: a Hugging Face directory (F16) and one GGUF file (Q8_0)."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from clika_client.conductivity import convert
from clika_client.sets import demo as demo_model


def export(model: Any, tokenizer: Any, directory: Path) -> Path:
    """Write `hf/` and the GGUF file below `directory`; returns the GGUF file's path.

    The GGUF file is made from the directory just written, so that both hold the same weights.
    """
    import torch

    folder = directory / demo_model.HUGGING_FACE.name
    copy.deepcopy(model).to(torch.float16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # The name that every version of transformers knows; version 5 writes one of its own.
    settings = folder / "tokenizer_config.json"
    settings.write_text(settings.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast"))
    (folder / "model.safetensors").chmod(0o644)  # written as 0600, which an installed package must not be
    return convert.to_gguf(folder, directory / demo_model.GGUF.name, "q8_0", name="clika-demo")
