"""What `teach build` writes, read by the programs it is for: `datasets`, and TRL's SFTTrainer.

They are large, so they live in an environment of their own: `make harnesses` makes it; without it these tests skip.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_real_harnesses import python_of, run

from clika_client.conductivity import folder
from clika_client.conductivity.build import TeachingPlan, build
from clika_client.sets.demo import HUGGING_FACE

SCRIPT = """
import json, sys
import torch
from datasets import load_dataset
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer

material, model, out = sys.argv[1:]
torch.set_num_threads(1)
names = ["chat.jsonl", "trl.jsonl", "alpaca.json", "sharegpt.json"]
rows = {name: load_dataset("json", data_files=f"{material}/teaching.{name}", split="train") for name in names}
chat, trl, alpaca, sharegpt = rows.values()
same = [
    (c["messages"][0]["content"], c["messages"][1]["content"])
    == (t["prompt"][0]["content"], t["completion"][0]["content"])
    == (a["instruction"] + ("\\n" + a["input"] if a["input"] else ""), a["output"])
    == tuple(turn["value"] for turn in s["conversations"])
    for c, t, a, s in zip(chat, trl, alpaca, sharegpt, strict=True)
]
tokenizer = AutoTokenizer.from_pretrained(model)
args = SFTConfig(out, max_steps=1, per_device_train_batch_size=4, use_cpu=True, report_to="none", save_strategy="no")
trainer = SFTTrainer(model, args=args, train_dataset=trl.select(range(8)), processing_class=tokenizer)
batch = next(iter(trainer.get_train_dataloader()))
learned = [[int(i) for i in row if i != -100] for row in batch["labels"]]
print("FOUND " + json.dumps({
    "rows": [len(each) for each in rows.values()],
    "same": all(same),
    "learned": [tokenizer.decode(row) for row in learned],
    "loss": trainer.train().training_loss,
}))
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("material")
    folder.write(build(TeachingPlan(("de",), k=4, continents=4, places=4)), directory)
    return directory


def test_trl_and_datasets_read_the_same_rows_and_learn_the_answers_alone(material: Path, tmp_path: Path) -> None:
    said = run(python_of("trl"), "-c", SCRIPT, str(material), str(HUGGING_FACE), str(tmp_path), HF_HUB_OFFLINE="1")
    found = json.loads(said.rpartition("FOUND ")[2])
    rows = [json.loads(line) for line in (material / folder.TEACHING).read_text("utf-8").splitlines()]
    assert found["rows"] == [len(rows)] * 4
    assert found["same"]
    answers = {row["messages"][1]["content"] for row in rows}
    for text in found["learned"]:
        assert text.removesuffix("<|end|>").strip() in answers, "the loss is on the answer and its end, on nothing else"
    assert found["loss"] > 0


def test_the_configuration_for_llama_factory_names_the_data_beside_it(material: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    told = yaml.safe_load((material / "llamafactory.yaml").read_text("utf-8"))
    info = json.loads((material / "dataset_info.json").read_text("utf-8"))
    assert (material / told["dataset_dir"] / info[told["dataset"]]["file_name"]).is_file()
    # trainLora.sh of the authors' release: 128 examples a step.
    assert told["per_device_train_batch_size"] * told["gradient_accumulation_steps"] == 128
    assert (told["lora_rank"], told["lora_alpha"], told["learning_rate"]) == (128, 16, 2e-4)
