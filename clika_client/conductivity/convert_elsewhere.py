"""Conversion by llama.cpp's own script, for families that ours does not know: BLOOM, Baichuan2 and many more."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.conductivity.learner import import_torch, load

TEMPLATE = "chat_template.jinja"


def convert_with(
    script: Path,
    model_dir: Path,
    out: Path,
    quantization: str,
    adapter: Path | None = None,
    template: str | None = None,
) -> Path:
    """What `convert.to_gguf` does, by `convert_hf_to_gguf.py` of a llama.cpp checkout, run with this Python.

    An adapter is merged by peft first. Raises UserError with the script's last words when it fails.
    """
    if not script.is_file():
        raise UserError(f"{script} does not exist; it is convert_hf_to_gguf.py of a checkout of llama.cpp")
    with tempfile.TemporaryDirectory(prefix="clika-convert-", dir=out.parent) as temporary:
        source = Path(temporary) / "model"
        if adapter:
            _merge(model_dir, adapter, source)
        else:
            _mirror(model_dir, source)
        if template and not _has_template(source):
            (source / TEMPLATE).write_text(template, encoding="utf-8")
        part = Path(temporary) / "model.gguf"
        command = [sys.executable, str(script), str(source), "--outfile", str(part), "--outtype", quantization]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode or not part.exists():
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
            raise UserError(f"{script} could not convert {model_dir}: {' '.join(said)[:500]}")
        part.replace(out)
    return out


def _merge(model_dir: Path, adapter: Path, target: Path) -> None:
    """A model directory with the adapter's changes in its weights, and the tokenizer it was taught with."""
    import_torch()
    import peft

    model = load("AutoModelForCausalLM", model_dir, dtype="auto", trust_remote_code=False)
    peft.PeftModel.from_pretrained(model, str(adapter)).merge_and_unload().save_pretrained(target)
    load("AutoTokenizer", adapter).save_pretrained(target)


def _mirror(model_dir: Path, target: Path) -> None:
    """The same files under another name, so that nothing is written into the user's folder."""
    target.mkdir()
    for path in model_dir.iterdir():
        (target / path.name).symlink_to(path.resolve())


def _has_template(model_dir: Path) -> bool:
    settings = model_dir / "tokenizer_config.json"
    return (model_dir / TEMPLATE).exists() or (
        settings.is_file() and '"chat_template"' in settings.read_text(encoding="utf-8")
    )
