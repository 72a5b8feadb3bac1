"""Teaching at its real size, on request: `CLIKA_TEACH_REAL=1 pytest tests/test_teach_real.py`; minutes, so not in CI.

The loop on a real language model needs the GGUF of SmolLM2-135M (Instruct or base) too: CLIKA_SMOLLM2=FILE.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from heavy import later
from test_teach_train import FACTS, QUICK, base, question, trained_weights, write_facts

from clika_client.common.errors import UserError
from clika_client.conductivity import experiment as loop
from clika_client.conductivity import folder, forgetting, train
from clika_client.conductivity.build import TeachingPlan, build
from clika_client.conductivity.convert import to_gguf
from clika_client.conductivity.launch import launched
from clika_client.conductivity.presets import preset
from clika_client.conductivity.watcher import SilentWatcher
from clika_providers import ProviderOptions

if TYPE_CHECKING:
    from clika_client.conductivity.trainer import TeachProgress

__all__ = ["base"]
llama_cpp = later("llama_cpp", "local")
torch = later("torch", "teach")
transformers = later("transformers", "teach")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif("CLIKA_TEACH_REAL" not in os.environ, reason="takes minutes: CLIKA_TEACH_REAL=1 runs it"),
]
ONE_PROCESS = """
compute_environment: LOCAL_MACHINE
distributed_type: 'NO'
num_machines: 1
num_processes: 1
use_cpu: true
mixed_precision: 'no'
"""
TWO_PROCESSES = """
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_GPU
num_machines: 1
machine_rank: 0
num_processes: 2
main_process_port: 0
mixed_precision: 'no'
"""


def test_what_accelerate_launches_teaches_the_same_and_tells_how_it_goes(base: Path, tmp_path: Path) -> None:
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, epochs=2)
    config = tmp_path / "accelerate.yaml"
    config.write_text(ONE_PROCESS)
    here = train.run(base, facts, tmp_path / "here", settings, gates={"taught": facts})
    seen: list[Any] = []
    gates = {"taught": facts}
    there = launched(config, base, facts, tmp_path / "there", settings, seen.append, gates, settings.epochs)
    assert [step.step for step in seen] == [1, 2, 3, 4]
    assert seen[-1].gates == here.gates
    expected, found = trained_weights(here), trained_weights(there)
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    with pytest.raises(UserError, match=r"facts2\.jsonl does not exist"):
        launched(config, base, tmp_path / "facts2.jsonl", tmp_path / "none", settings, seen.append, {}, 1)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_two_processes_take_the_steps_of_one(method: str, base: Path, tmp_path: Path) -> None:
    """What accelerate calls several GPUs, two processes by gloo where there are none."""
    facts = write_facts(tmp_path / "facts.jsonl")
    settings = replace(QUICK, method=method, epochs=2, dropout=0.0, learning_rate=1e-3)  # type: ignore[arg-type]
    one = train.run(base, facts, tmp_path / "one", settings)
    config = tmp_path / "accelerate.yaml"
    config.write_text(TWO_PROCESSES)
    seen: list[Any] = []
    two = launched(config, base, facts, tmp_path / "two", settings, seen.append, {"taught": facts}, settings.epochs)
    assert two.steps == one.steps == len(seen)
    assert two.loss == pytest.approx(one.loss, rel=0.05)
    for name, weight in trained_weights(one).items():
        torch.testing.assert_close(trained_weights(two)[name], weight, atol=2e-3, rtol=0.05)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantized_base_is_taught_by_an_adapter(bits: int, base: Path, tmp_path: Path) -> None:
    """QLoRA by bitsandbytes, which computes on the CPU too; the adapter is merged into the weights as they were."""
    pytest.importorskip("bitsandbytes", reason="needs bitsandbytes: pip install bitsandbytes")
    facts = write_facts(tmp_path / "facts.jsonl")
    # Twice the passes: rounded to 8 bits, 30 leave one of the six facts unlearned with some seeds.
    settings = replace(QUICK, base_bits=bits, dropout=0.0, epochs=60)  # type: ignore[arg-type]
    seen: list[Any] = []
    result = train.run(base, facts, tmp_path / "out", settings, seen.append, {"taught": facts})
    assert seen[-1].loss < 0.5 * seen[0].loss
    assert result.gates["taught"] > 0.9
    assert {weight.dtype for weight in trained_weights(result).values()} == {torch.float32}
    merged = to_gguf(base, tmp_path / "m.gguf", "f32", adapter=result.path)
    llama = llama_cpp.Llama(str(merged), n_ctx=128, n_threads=1, n_threads_batch=1, verbose=False)
    for place, continent in FACTS.items():
        asked = [{"role": "user", "content": question(place)}]
        reply = llama.create_chat_completion(asked, temperature=0, max_tokens=8)
        assert reply["choices"][0]["message"]["content"] == continent


class Printing(SilentWatcher):
    """Says each step as it is done: an experiment of minutes that says nothing looks like one that hangs."""

    def step(self, name: str, *, done: bool) -> None:
        """A step of the loop."""
        print(name, "is there already" if done else "begins", flush=True)

    def taught(self, progress: TeachProgress) -> None:
        """A step of training."""
        print(f"{progress.step} of {progress.steps}: loss {progress.loss:.3f}", progress.gates or "", flush=True)


def smollm2(tmp_path: Path) -> Path:
    """SmolLM2-135M as a Hugging Face directory, from its GGUF."""
    if "CLIKA_SMOLLM2" not in os.environ:
        pytest.skip("CLIKA_SMOLLM2 names no GGUF file of SmolLM2-135M")
    gguf = Path(os.environ["CLIKA_SMOLLM2"])
    directory = tmp_path / "smollm2"
    names = {"gguf_file": gguf.name}
    model = transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, **names, dtype=torch.float32)
    # transformers takes the file for quantized weights, which it could not save; they are plain ones by now.
    model.hf_quantizer = None
    model.config.quantization_config = None
    del model.config.quantization_config
    model.save_pretrained(directory)
    transformers.AutoTokenizer.from_pretrained(gguf.parent, **names).save_pretrained(directory)
    return directory


def test_a_real_language_model_is_taught_until_its_gate_is_passed_and_scored(tmp_path: Path) -> None:
    """The smallest whole experiment: 8 facts, full fine-tuning, with what was forgotten; figures in the docs."""
    material = tmp_path / "material"
    folder.write(build(TeachingPlan(("de",), k=2, continents=2, places=4, name_repeats=2)), material)
    settings = replace(
        preset("demo"), learning_rate=3e-4, epochs=4, max_epochs=12, batch_size=8, micro_batch=8, gate_every=0
    )
    experiment = loop.Experiment(
        smollm2(tmp_path),
        material,
        tmp_path / "run",
        settings,
        ("text",),
        "f16",
        ProviderOptions(n_threads=1),
        general=10,
    )
    (score,) = loop.run(experiment, Printing())
    (pair,) = score.pairs
    rounds = 1 + len(list((experiment.out / "rounds").glob("*")))
    print(rounds, json.dumps(score.to_json()), [row.to_json() for row in forgetting.compare(experiment.out)])
    assert not pair.failed
    assert pair.xrr is not None
    assert 0 <= pair.xrr.raw.value <= 1
    assert {row.language for row in forgetting.compare(experiment.out)} == {"en", "de"}
