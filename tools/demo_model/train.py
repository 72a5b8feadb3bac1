"""Train the demo model, `python -m demo_model.train`: one seed, a fixed number of steps, one thread."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clika_client.prompts import catalogue
from clika_client.prompts import style as prompts
from clika_client.sets import demo as demo_model
from clika_client.sets.atlas import wording
from clika_client.sets.fictional import language as fictional
from clika_client.sets.probes import Probe, ProbeSet
from demo_model import evaluate
from demo_model.corpus import Lesson, Render, Teacher, World, build_world


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the trained weights, apart from the data."""

    seed: int = 20240409
    steps: int = 5000
    batch: int = 48
    peak_rate: float = 2e-3
    final_rate: float = 5e-5
    warmup: int = 50
    width: int = 128
    layers: int = 4
    heads: int = 4
    inner: int = 256
    vocabulary: int = 4096
    context: int = 512
    first_pool: int = 8
    growth: int = 3
    mastered: float = 0.9
    """Running accuracy at which the pool of names grows."""


def new_model(recipe: Recipe, vocabulary: int, bos: int, eos: int) -> Any:
    """A freshly initialised Llama of the recipe's size (about 1.2 M parameters, tied embeddings)."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.width,
        intermediate_size=recipe.inner,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=recipe.context,
        tie_word_embeddings=True,
        bos_token_id=bos,
        eos_token_id=eos,
        attn_implementation="sdpa",
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_(std=0.08)
        for layer in model.model.layers:
            # Half of the heads start as "attend to what resembles me": matching names begins sooner.
            half = recipe.width // 2
            query, key = layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight
            query.normal_(std=0.06)
            key.normal_(std=0.06)
            key[:half] = query[:half]
    return model


def collate(lessons: Sequence[Lesson], encode: Callable[[Lesson], tuple[list[int], int]]) -> Any:
    """Token ids padded on the right; rows, columns and targets of every token in the loss; its weight, 1 per lesson.

    Causal attention never looks right, so the padding needs no mask.
    """
    import torch

    rows = [encode(lesson) for lesson in lessons]
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    cells, weights = [], list[float]()
    for r, (tokens, start) in enumerate(rows):
        ids[r, : len(tokens)] = torch.tensor(tokens)
        cells += [(r, c - 1, tokens[c]) for c in range(start, len(tokens))]
        weights += [1 / (len(tokens) - start)] * (len(tokens) - start)
    return ids, torch.tensor(cells).T, torch.tensor(weights)


def encoder(tokenizer: Any) -> Callable[[Lesson], tuple[list[int], int]]:
    """Lesson → its token ids and the index of the first token of the answer."""

    def encode(lesson: Lesson) -> tuple[list[int], int]:
        prompt = f"<s><|user|>{lesson.prompt}<|end|><|assistant|>"
        head = tokenizer.encode(prompt, add_special_tokens=False).ids
        tail = tokenizer.encode(lesson.answer + "<|end|>", add_special_tokens=False).ids
        return head + tail, len(head)

    return encode


def rate_at(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then a cosine down to the final rate."""
    if step < recipe.warmup:
        return recipe.peak_rate * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.final_rate + (recipe.peak_rate - recipe.final_rate) * (1 + math.cos(math.pi * done)) / 2


SHARES = {"echo": 8, "translation": 21, "fact": 40, "recall": 6, "paraphrase": 14, "spelling": 11}
"""How often each kind of lesson is drawn once names can be matched."""


class Curriculum:
    """First matching names from a growing pool; then translations and facts as well."""

    def __init__(self, teacher: Teacher, recipe: Recipe, *, ready: bool = False) -> None:
        self.teacher = teacher
        self.recipe = recipe
        self.size = len(teacher.pool) if ready else recipe.first_pool
        self.running = 0.25
        self.ready = ready

    def lesson(self) -> Lesson:
        """The next lesson."""
        if not self.ready:
            return self.teacher.echo(self.size)
        (kind,) = self.teacher.rng.choices(tuple(SHARES), tuple(SHARES.values()))
        return self.teacher.echo(self.size) if kind == "echo" else getattr(self.teacher, kind)()

    def note(self, accuracy: float) -> None:
        """Take the accuracy of the last batch; grow the pool, or go on to facts, when it is mastered."""
        self.running = 0.9 * self.running + 0.1 * accuracy
        if self.ready or self.running < self.recipe.mastered:
            return
        if self.size >= len(self.teacher.pool):
            self.ready = True
        self.size = min(self.size * self.recipe.growth, len(self.teacher.pool))
        self.running = 0.5


def train(
    model: Any, tokenizer: Any, teacher: Teacher, recipe: Recipe, say: Callable[[str], None], *, ready: bool = False
) -> None:
    """Train in place. `say` gets a line every hundred steps: running accuracy per kind of lesson.

    A model that is `ready` can match names already and begins with the facts.
    """
    import torch
    import torch.nn.functional as functional

    encode = encoder(tokenizer.backend_tokenizer)
    curriculum = Curriculum(teacher, recipe, ready=ready)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.peak_rate, betas=(0.9, 0.98), weight_decay=0.01)
    started, running = time.process_time(), dict[str, float]()
    model.train()
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(recipe, step)
        lessons = [curriculum.lesson() for _ in range(recipe.batch)]
        ids, (rows, columns, targets), weights = collate(lessons, encode)
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[rows, columns])
        loss = (functional.cross_entropy(logits, targets, reduction="none") * weights).sum() / recipe.batch
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        first = _first_token_right(rows.tolist(), (logits.argmax(-1) == targets).tolist())
        for lesson, hit in zip(lessons, first, strict=True):
            running[lesson.kind] = 0.99 * running.get(lesson.kind, 0.25) + 0.01 * hit
        curriculum.note(sum(first) / len(first))
        if (step + 1) % 100 == 0:
            shown = " ".join(f"{kind} {value:.2f}" for kind, value in sorted(running.items()))
            seconds = time.process_time() - started
            say(f"step {step + 1}/{recipe.steps} names {curriculum.size} {shown} ({seconds:.0f} CPU s)")


def _first_token_right(rows: list[int], hits: list[bool]) -> list[bool]:
    """Per lesson, whether the first token of its answer was predicted; `rows` ascends."""
    first: dict[int, bool] = {}
    for row, hit in zip(rows, hits, strict=True):
        first.setdefault(row, hit)
    return list(first.values())


def tokenizer_text(world: World, questions: ProbeSet) -> Iterator[str]:
    """What the tokenizer is trained on: the wording, a little, and the names, more."""
    for tag in world.languages:
        table = wording.read(tag)
        yield from (table.instruction, table.question_word, table.answer_word) * 50
        yield from (text.replace("{", "").replace("}", "") for text in _other_words(tag) for _ in range(20))
        for probe in questions.probes[tag]:
            yield from (probe.question,) * 2
        for index in world.translated[tag]:
            yield from (world.names[index][tag], " " + world.names[index][tag]) * 3


def _other_words(tag: str) -> tuple[str, ...]:
    """The wordings in which invented facts and names are asked."""
    words = fictional.read(tag)
    names = [fictional.name_wording(use) for use in ("teach", "test")] if tag == "en" else []
    asked = [text for wording in names for text in (*wording.to_english, *wording.from_english)]
    return (*words.teach, *words.test, words.answer, *asked)


def plain(questions: ProbeSet) -> Render:
    """The user turn of the prompt style `plain`, exactly as the tool sends it."""
    style = catalogue.get_style("plain")

    def render(probe: Probe) -> str:
        (message,) = prompts.render(probe, style, questions).messages
        return message.content

    return render


def make(recipe: Recipe, out: Path, say: Callable[[str], None], start: Path | None = None) -> Path:
    """Train and write both forms of the model below `out`; returns the GGUF file's path.

    From nothing, or from the model in the Hugging Face folder `start`, with its tokenizer.
    """
    import torch

    from demo_model import export, tokenizer

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    questions = demo_model.demo_set()
    world = build_world(questions, demo_model.schooling(), recipe.seed)
    if start is None:
        pieces = tokenizer.train_pieces(tokenizer_text(world, questions), recipe.vocabulary)
        coder = tokenizer.build(pieces)
        model = new_model(recipe, len(pieces), pieces.index("<s>"), pieces.index("<|end|>"))
    else:
        model, coder = _begun(start)
    say(f"{model.num_parameters():,} parameters; {questions.n} facts; {len(world.names)} names")
    teacher = Teacher(world, plain(questions), recipe.seed)
    train(model, coder, teacher, recipe, say, ready=start is not None)
    return export.export(model.eval(), coder, out)


def _begun(folder: Path) -> tuple[Any, Any]:
    """A trained model and its tokenizer, to go on with."""
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)


def assess(gguf: Path, recipe: Recipe) -> list[evaluate.Result]:
    """What the model in `gguf` knows of the demo questions, through llama.cpp."""
    questions = demo_model.demo_set()
    world = build_world(questions, demo_model.schooling(), recipe.seed)
    stated = {tag: {fact.item_id for fact in facts} for tag, facts in world.stated.items()}
    return evaluate.evaluate(gguf, questions, stated, plain(questions))


def main() -> None:
    """Train the demo model and print its evaluation."""
    parser = argparse.ArgumentParser(prog="python -m demo_model.train", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=demo_model.DATA, help="directory to write to")
    parser.add_argument("--steps", type=int, default=Recipe().steps, help="training steps (default: %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=Recipe().peak_rate, help="peak learning rate (default: %(default)s)"
    )
    parser.add_argument("--start", type=Path, help="Hugging Face folder of a model to go on with, instead of a new one")
    arguments = parser.parse_args()
    recipe = replace(Recipe(), steps=arguments.steps, peak_rate=arguments.rate)
    gguf = make(recipe, arguments.out, lambda line: print(line, flush=True), arguments.start)
    print(evaluate.table(assess(gguf, recipe)))


if __name__ == "__main__":
    main()
