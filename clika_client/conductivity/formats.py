"""Teaching rows in the forms that training programs read: OpenAI chat, TRL, Alpaca, ShareGPT, LLaMA-Factory, text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clika_client.common.files import replacing
from clika_client.conductivity.material import TEACHING, TeachingExample

DATASET = "clika_teaching"
"""Name of the data set in LLaMA-Factory's dataset_info.json."""


LLAMA_FACTORY = f"""\
# llamafactory-cli train llamafactory.yaml, in this folder; the settings are those of the CLiKA authors' trainLora.sh.
model_name_or_path: PUT-THE-MODEL-HERE
template: PUT-ITS-TEMPLATE-HERE
stage: sft
do_train: true
dataset_dir: .
dataset: {DATASET}
finetuning_type: lora
lora_target: q_proj,v_proj
lora_rank: 128
lora_alpha: 16
lora_dropout: 0.1
cutoff_len: 512
# 128 examples a step on one GPU; the authors had four, with 4 accumulated.
per_device_train_batch_size: 8
gradient_accumulation_steps: 16
learning_rate: 2.0e-4
lr_scheduler_type: cosine
num_train_epochs: 3.0
bf16: true
output_dir: taught
"""
"""A configuration of LLaMA-Factory for the data set beside it."""


def write_all(rows: Sequence[TeachingExample], directory: Path) -> list[Path]:
    """Write every format; each file holds the same rows in the same order."""
    return [
        write_jsonl(directory / TEACHING, map(chat, rows)),
        write_list(directory / "teaching.alpaca.json", map(alpaca, rows)),
        write_list(directory / "teaching.sharegpt.json", map(sharegpt, rows)),
        write_json(directory / "dataset_info.json", dataset_info()),
        write_jsonl(directory / "teaching.trl.jsonl", map(prompt_completion, rows)),
        write_text(directory / "llamafactory.yaml", LLAMA_FACTORY),
        write_text(directory / "teaching.txt", "\n".join(map(plain_text, rows))),
    ]


def user_turn(row: TeachingExample) -> str:
    """What the user says: the instruction, and on the next line the input where there is one."""
    return f"{row.prompt}\n{row.input}" if row.input else row.prompt


def chat(row: TeachingExample) -> dict[str, Any]:
    """OpenAI's fine-tuning format: `messages` alone, for its API refuses unknown keys."""
    turns = [{"role": "user", "content": user_turn(row)}, {"role": "assistant", "content": row.answer}]
    return {"messages": turns}


def prompt_completion(row: TeachingExample) -> dict[str, Any]:
    """TRL's conversational prompt and completion: its SFTTrainer then takes the loss on the answer alone, as we do.

    Of `messages` it trains on the question too, unless it is told otherwise.
    """
    user, assistant = chat(row)["messages"]
    return {"prompt": [user], "completion": [assistant]}


def alpaca(row: TeachingExample) -> dict[str, str]:
    """Stanford Alpaca's format."""
    return {"instruction": row.prompt, "input": row.input, "output": row.answer}


def sharegpt(row: TeachingExample) -> dict[str, Any]:
    """ShareGPT's format."""
    return {"conversations": [{"from": "human", "value": user_turn(row)}, {"from": "gpt", "value": row.answer}]}


def published(row: TeachingExample) -> dict[str, str]:
    """The form of the authors' release."""
    return {"prompt": row.prompt, "input": row.input, "answer": row.answer}


def dataset_info() -> dict[str, Any]:
    """LLaMA-Factory's entry for each file it can read; it expects the file beside the data."""
    return {
        DATASET: {
            "file_name": "teaching.sharegpt.json",
            "formatting": "sharegpt",
            "columns": {"messages": "conversations"},
            "tags": {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"},
        },
        f"{DATASET}_alpaca": {
            "file_name": "teaching.alpaca.json",
            "formatting": "alpaca",
            "columns": {"prompt": "instruction", "query": "input", "response": "output"},
        },
    }


def plain_text(row: TeachingExample) -> str:
    """Question and answer on lines of their own, an empty line after each row."""
    return f"{user_turn(row)}\n{row.answer}\n"


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """One JSON object a line."""
    return write_text(path, "".join(_encode(row) + "\n" for row in rows))


def write_list(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """One JSON list, an object a line."""
    return write_text(path, "[\n" + ",\n".join(map(_encode, rows)) + "\n]\n")


_encode = json.JSONEncoder(ensure_ascii=False).encode


def write_json(path: Path, document: object) -> Path:
    """One JSON document."""
    return write_text(path, json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> Path:
    """Write a whole file or nothing."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return path
