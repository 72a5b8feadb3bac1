"""`clika teach study` and `plan`: many experiments from one file, and what they can show before they are begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, err, out, print_json
from clika_client.common.errors import IncompleteRun
from clika_client.common.safe_text import shown
from clika_client.common.wording import counted

if TYPE_CHECKING:
    from clika_client.conductivity.material import Material
    from clika_client.conductivity.study import Study, StudyExperiment

StudyFile = Annotated[Path, typer.Argument(help="Study file (TOML): models, languages, directions, seeds.")]
StudyFolder = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder of the study [default: beside the file, of its name].")
]


def study(file: StudyFile, output: StudyFolder = None, as_json: AsJson = False) -> None:
    """Run every experiment of a study file; resumes where it stopped, and several processes share the work."""
    from clika_client.cli.teach_progress import Watch
    from clika_client.conductivity import study as studies

    found = studies.read_study(file, output)
    cells = list(found.cells())
    console = err()

    def told(cell: StudyExperiment) -> None:
        line = f"[{cells.index(cell) + 1} of {len(cells)}] {shown(cell.name)} {cell.condition} seed {cell.seed}"
        console.print(line + (": done before" if cell.done else ""), markup=False, highlight=False, soft_wrap=True)

    left = studies.run(found, Watch(console), told)
    _show_status(found, as_json)
    if not as_json and any(cell.done for cell in cells):
        from clika_client.conductivity.between import between
        from clika_client.conductivity.report_between import render

        render(between([found.out]), out())
    if left:
        raise IncompleteRun(
            f"{len(left)} of {len(cells)} experiments are left to another process that is at work in them; "
            "the same command looks again"
        )


def study_status(file: Path, as_json: bool) -> None:
    """How far each experiment of a study file is."""
    from clika_client.conductivity.study import read_study

    _show_status(read_study(file), as_json)


def _show_status(found: Study, as_json: bool) -> None:
    rows = [_row(cell) for cell in found.cells()]
    if as_json:
        print_json({"folder": str(found.out), "experiments": rows})
        return
    for row in rows:
        line = f"{row['state']:8} {row['done']}/{row['steps']}  "
        line += f"{shown(row['model'])} {row['condition']} seed {row['seed']}"
        if row["passed"] is not None:
            line += f"  gate {'passed' if row['passed'] else 'failed'}, {row['rounds']} rounds"
        out().print(line, markup=False, highlight=False, soft_wrap=True)
    done = sum(row["state"] == "done" for row in rows)
    out().print(f"{done} of {len(rows)} experiments are done, in {found.out}", markup=False, soft_wrap=True)


def _row(cell: StudyExperiment) -> dict[str, Any]:
    import json

    from clika_client.conductivity.experiment_folder import ROUNDS, SCORE

    steps = cell.steps()
    done = sum(there for _, there in steps)
    passed = None
    if (cell.out / SCORE).exists():
        scores = json.loads((cell.out / SCORE).read_text("utf-8"))["scores"]
        passed = not any(row["failed_gates"] for score in scores for row in score["languages"])
    return {
        "model": cell.name,
        "condition": cell.condition,
        "seed": cell.seed,
        "state": "done" if cell.done else "begun" if steps else "to do",
        "done": done,
        "steps": len(steps),
        "passed": passed,
        "rounds": 1 + len(list((cell.out / ROUNDS).glob(f"*/{SCORE}"))),
        "folder": str(cell.out),
    }


def plan(
    file: StudyFile,
    difference: Annotated[
        float | None, typer.Option(help="A difference between two pairs that has to be found, as .2.")
    ] = None,
    seed_spread: Annotated[
        float, typer.Option(help="Standard deviation of XRR between seeds; a first study measures it.")
    ] = 0.1,
    as_json: AsJson = False,
) -> None:
    """Say what a study could show and what it would take: facts, seeds, power, minutes, memory. Teaches nothing."""
    from clika_client.conductivity import planning
    from clika_client.conductivity.build import build
    from clika_client.conductivity.study import read_study

    found = read_study(file)
    built = {cell.condition: build(cell.plan) for cell in found.cells() if cell.seed == 1}
    models = [_cost(found, built, name, path) for name, path in found.models.items()]
    facts, chance = _facts(found, built)
    pairs = len(found.directions) * len(found.languages) * len(found.models)
    power = planning.Detectable(facts, found.seeds, chance, pairs, seed_spread)
    wanted = None if difference is None else planning.needed_facts(difference, found.seeds, pairs, seed_spread)
    if as_json:
        print_json(
            {
                "experiments": len(list(found.cells())),
                "facts": facts,
                "seeds": found.seeds,
                "chance": chance,
                "comparisons": pairs,
                "above_chance": round(power.above_chance - chance, 4),
                "between": round(power.between, 4),
                "difference": difference,
                "facts_for_difference": wanted,
                "models": models,
            }
        )
        return
    lines = [
        f"{counted(len(list(found.cells())), 'experiment')}: {counted(len(models), 'model')}, "
        f"{', '.join(found.directions)}, {', '.join(found.languages)}, {found.seeds} seeds; {facts} test facts in each",
        f"found with power {planning.POWER:.0%} at level {planning.LEVEL:.0%} over {counted(pairs, 'pair')}, if seeds "
        f"spread by {seed_spread:g}: accuracy {power.above_chance - chance:.0%} above chance ({chance:.0%}), "
        f"or {power.between:.0%} between two pairs",
    ]
    if difference is not None:
        lines.append(
            f"a difference of {difference:.0%} takes {wanted} facts in each pair with {found.seeds} seeds"
            if wanted is not None
            else f"a difference of {difference:.0%} cannot be found with {found.seeds} seeds and any number of facts"
        )
    lines += [
        f"{shown(m['model'])}: about {m['gib']:.1f} GiB on {m['device']}; {m['steps']:,} steps of about "
        f"{m['tokens_per_step']:,} tokens, {m['minutes']:.0f} minutes of teaching in all, with one round each"
        for m in models
    ]
    for line in lines:
        out().print(line, markup=False, highlight=False, soft_wrap=True)


def _facts(found: Study, built: Mapping[str, Material]) -> tuple[int, float]:
    """Test facts of a pair, and chance in the first form."""
    from clika_client.conductivity.material import TEST

    cell = next(iter(found.cells()))
    material = built[cell.condition]
    tests = material.asked(cell.languages[0], TEST)
    form = (found.forms or (material.form,))[0]
    return len(tests), 1 / (len(tests[0].choices) if form == "choice" else len({test.answer for test in tests}))


def _cost(found: Study, built: Mapping[str, Material], name: str, path: Path) -> dict[str, Any]:
    """What a model of the study takes, from its files, the tokens of the material and the speed of this machine."""
    import math
    import random

    from clika_client.conductivity import planning
    from clika_client.conductivity.examples import Example, encode, with_template
    from clika_client.conductivity.formats import user_turn
    from clika_client.conductivity.learner import load, resolved

    settings = resolved(found.settings, path)
    settings = replace(settings, micro_batch=min(settings.micro_batch, settings.batch_size))
    tokenizer = with_template(load("AutoTokenizer", path))
    size = planning.size_of(path)
    longest, steps, tokens = 0, 0, 0
    for material in built.values():
        sample = random.Random(0).sample(material.rows, min(len(material.rows), 100))
        lengths = [
            len(encode(Example((("user", user_turn(row)),), row.answer), tokenizer, settings.max_length).ids)
            for row in sample
        ]
        longest = max(longest, *lengths)
        more = found.seeds * max(1, round(math.ceil(len(material.rows) / settings.batch_size) * settings.epochs))
        steps += more
        tokens += round(more * settings.batch_size * sum(lengths) / len(lengths))
    seconds = planning.operations(size, settings, tokens) / planning.speed(settings.device)
    return {
        "model": name,
        "parameters": size.parameters,
        "device": settings.device,
        "dtype": settings.dtype,
        "gib": round(planning.memory(size, settings, longest) / 2**30, 2),
        "steps": steps,
        "tokens_per_step": tokens // steps,
        "minutes": round(seconds / 60, 1),
    }
