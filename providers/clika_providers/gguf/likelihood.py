"""How likely each option is as the continuation of a prompt: the prompt evaluated once, the options as one tree.

log P(option | prompt) is the sum over the option's tokens, each given the prompt and the tokens before it, as
log-softmax over the whole vocabulary. Prompt and option are tokenized together, because a tokenizer may join what
meets at the seam; what all of them share with the prompt by itself is the beginning that the rest is conditioned
on, the same for every option. Options often begin alike ("the United States", "the United Kingdom"): equal
beginnings are evaluated once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clika_providers.errors import ItemError
from clika_providers.gguf.context import MAX_OUTPUTS
from clika_providers.gguf.engine import Engine, Node
from clika_providers.gguf.scorer import Path, log_probabilities


@dataclass(frozen=True, slots=True)
class OptionTokens:
    """A prompt and its options as tokens."""

    prompt: Path
    """What every option is conditioned on; never empty."""
    paths: tuple[Path, ...]
    """Per option, its tokens after `prompt`; never empty."""

    @property
    def n_tokens(self) -> int:
        """Tokens of the prompt and of every option, nothing shared."""
        return len(self.prompt) + sum(map(len, self.paths))


def tokenize(engine: Engine, text: str, options: Sequence[str]) -> OptionTokens:
    """Plain text and its continuations; raises ItemError when an option is empty."""
    alone = _tokens(engine, text)
    together = [_tokens(engine, text + option) for option in options]
    for option, whole in zip(options, together, strict=True):
        if not option.strip() or len(whole) < len(alone):
            raise ItemError(f"the option {option!r} adds nothing to the prompt; give it a text")
    shared = min(min(_common(alone, whole), len(whole) - 1) for whole in together)
    # Options that begin a text, in a vocabulary that marks no beginning: after the end of another text.
    beginning = tuple(alone[:shared]) or (engine.boundary(),)
    return OptionTokens(beginning, tuple(tuple(whole[shared:]) for whole in together))


def _tokens(engine: Engine, text: str) -> list[int]:
    return engine.tokenize(text, add_special=True, parse_special=False)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    n = 0
    while n < min(len(one), len(other)) and one[n] == other[n]:
        n += 1
    return n


def score_options(engine: Engine, asked: OptionTokens) -> tuple[float, ...]:
    """log P(option | prompt) per option, natural; leaves only the prompt in the engine's cache."""
    deepest = max(len(path) for path in asked.paths)
    nodes, places = tree(asked.paths)
    if engine.branches:
        engine.room_for_branches(len(asked.paths))
        engine.room_for(len(asked.prompt) + len(nodes) + 1)  # one row may be added to the last four
    else:
        engine.room_for(len(asked.prompt) + deepest)
    engine.evaluate(asked.prompt)
    first = log_probabilities(engine.logits(), {path[0] for path in asked.paths})
    wanted = [{path[place.depth + 1] for path in _through(place, asked.paths)} for place in nodes]
    later = _evaluate(engine, asked, nodes, wanted)
    return tuple(
        first[path[0]] + sum(later[at][path[depth + 1]] for depth, at in enumerate(steps))
        for path, steps in zip(asked.paths, places, strict=True)
    )


def tree(paths: Sequence[Path]) -> tuple[list[Node], list[list[int]]]:
    """(nodes depth first, per path the node of each of its tokens but the last, which need not be evaluated)."""
    branches: dict[Path, list[int]] = {}
    for number, path in enumerate(paths):
        for depth in range(1, len(path)):
            branches.setdefault(path[:depth], []).append(number)
    order = sorted(branches)
    index = {start: at for at, start in enumerate(order)}
    nodes = [Node(start[-1], len(start) - 1, tuple(branches[start])) for start in order]
    return nodes, [[index[path[:depth]] for depth in range(1, len(path))] for path in paths]


def _through(node: Node, paths: Sequence[Path]) -> list[Path]:
    return [paths[branch] for branch in node.branches]


def _evaluate(
    engine: Engine, asked: OptionTokens, nodes: Sequence[Node], wanted: Sequence[set[int]]
) -> list[dict[int, float]]:
    """Per node, the log-probability of each token that follows it in some option."""
    if not nodes:
        return []
    if engine.branches:
        rows = iter(wanted)
        at = len(asked.prompt)
        return engine.evaluate_tree(nodes, len(asked.paths), at, lambda logits: log_probabilities(logits, next(rows)))
    # One state a sequence: each option by itself, in the order of the paths.
    found: dict[Path, dict[int, float]] = {}
    for path in sorted(set(asked.paths)):
        for begin in range(0, len(path) - 1, MAX_OUTPUTS):
            part = path[begin : min(begin + MAX_OUTPUTS, len(path) - 1)]
            engine.decode(part, len(asked.prompt) + begin, last_only=False, all_logits=True)
            for offset in range(len(part)):
                depth = begin + offset + 1
                known = found.setdefault(path[:depth], {})
                known |= log_probabilities(engine.logits(offset), [path[depth]])
        if not engine.forget_after(len(asked.prompt)):
            engine.evaluate(asked.prompt)
    order = sorted({path[:depth] for path in asked.paths for depth in range(1, len(path))})
    return [found[start] for start in order]
