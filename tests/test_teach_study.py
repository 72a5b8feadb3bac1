"""Studies: one file, many experiments; resumable, shared by processes, and planned before they are begun."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clika import clika

from clika_client.common.errors import UserError
from clika_client.common.holding import Busy, held
from clika_client.conductivity import experiment as loop
from clika_client.conductivity import experiment_folder, folder, planning, study
from clika_client.conductivity.presets import preset
from clika_client.sets.demo import HUGGING_FACE

SMALL = """
models = ["{model}"]
languages = ["de", "ru"]
directions = ["from-en", "to-en"]
seeds = 2
{more}
[material]
form = "choice"
k = 4
continents = 4
places = 4
[teach]
preset = "demo"
learning-rate = 2e-3
epochs = 0.1
checkpoint-every = 5
device = "cpu"
"""


def write(tmp_path: Path, more: str = "", text: str = SMALL) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(text.format(model=HUGGING_FACE, more=more), "utf-8")
    return path


def test_a_study_is_every_model_direction_language_and_seed_the_first_seed_of_all_first(tmp_path: Path) -> None:
    found = study.read_study(write(tmp_path))
    told = [(cell.condition, cell.seed) for cell in found.cells()]
    once = ["de.from-en", "ru.from-en", "de.to-en", "ru.to-en"]
    assert told == [(name, seed) for seed in (1, 2) for name in once]
    assert found.settings.learning_rate == 2e-3
    assert found.settings.checkpoint_s == 5
    assert len({cell.out for cell in found.cells()}) == 8


def test_languages_taught_together_share_a_model_only_where_the_test_stays_a_test(tmp_path: Path) -> None:
    found = study.read_study(write(tmp_path, "together = true"))
    assert [cell.condition for cell in found.cells()][:3] == ["de+ru.from-en", "de.to-en", "ru.to-en"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds = 2", "x = 1", "'x' is no setting of study; there are directions"),
        ("seeds = 2", "seeds = [", "not a study file"),
        ("seeds = 2", "forgetting = 'many'", "forgetting must be a whole number"),
        ("seeds = 2", "seeds = 0", "seeds must be a whole number of at least 1, got 0"),
        ('["de", "ru"]', '["de", "tlh"]', "no language 'tlh'"),
        ('"to-en"', '"sideways"', "no direction 'sideways'; there are from-en, to-en"),
        ("places = 4", "plaices = 4", "'plaices' is no setting of [material]"),
        ("epochs = 0.1", "epoch = 0.1", "'epoch' is no setting of [teach]"),
        ("epochs = 0.1", 'epochs = "many"', "of another kind"),
        ('device = "cpu"', 'device = "quatsch"', "device must be one of auto, cpu, cuda, mps"),
        ('preset = "demo"', 'preset = "x"', "no preset 'x'"),
        ('models = ["{model}"]', "models = []", "models names nothing"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_is_made(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in SMALL
    path = write(tmp_path, text=SMALL.replace(old, new))
    done = clika("teach", "status", path, check=2)
    assert "small.toml: " in done.stderr
    assert said in done.stderr
    assert not (tmp_path / "small").exists()


def test_a_broken_off_study_goes_on_and_leaves_to_others_what_they_are_at_work_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = study.read_study(write(tmp_path))
    done: list[tuple[str, int]] = []

    def run(experiment: loop.Experiment, watcher: Any) -> None:
        cell = next(cell for cell in found.cells() if cell.out == experiment.out)
        if len(done) == 3:
            raise KeyboardInterrupt
        with held(experiment.out):
            done.append((cell.condition, cell.seed))

    monkeypatch.setattr(loop, "run", run)
    with pytest.raises(KeyboardInterrupt):
        study.run(found)
    assert (found.out / "material" / "ru.to-en" / folder.MANIFEST).exists()
    busy = list(found.cells())[5]
    done.append(("of another process", 0))
    with held(busy.out):
        left = study.run(found)
    assert left == [busy]
    assert [cell for cell in done[4:] if cell == (busy.condition, busy.seed)] == []
    assert len(done) == 4 + 7


def test_a_folder_that_is_held_says_so_in_its_own_kind(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(Busy, match="is at work in"), held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_a_studys_folder_takes_more_seeds_and_languages_but_no_other_teaching(tmp_path: Path) -> None:
    study.prepare(study.read_study(write(tmp_path)))
    study.prepare(study.read_study(write(tmp_path, text=SMALL.replace("seeds = 2", "seeds = 3"))))
    with pytest.raises(UserError, match="holds a study with other material"):
        study.prepare(study.read_study(write(tmp_path, text=SMALL.replace("places = 4", "places = 5"))))
    with pytest.raises(UserError, match="holds a study with other teach"):
        study.prepare(study.read_study(write(tmp_path, text=SMALL.replace("2e-3", "1e-3"))))


def test_status_tells_how_far_every_experiment_is(tmp_path: Path) -> None:
    path = write(tmp_path)
    found = study.read_study(path)
    cells = list(found.cells())
    for file in (
        experiment_folder.STATE,
        experiment_folder.BASE,
        "before.choice.json",
        experiment_folder.TAUGHT,
        "after.choice.json",
    ):
        cells[0].out.mkdir(parents=True, exist_ok=True)
        (cells[0].out / file).write_text("{}")
    scored = {"scores": [{"languages": [{"failed_gates": ["translation"]}]}]}
    (cells[0].out / experiment_folder.SCORE).write_text(json.dumps(scored))
    cells[1].out.mkdir(parents=True)
    (cells[1].out / experiment_folder.STATE).write_text("{}")
    rows = json.loads(clika("teach", "status", path, "--json").stdout)["experiments"]
    assert [row["state"] for row in rows] == ["done", "begun"] + ["to do"] * 6
    assert [row["passed"] for row in rows[:2]] == [False, None]
    assert "1 of 8 experiments are done" in clika("teach", "status", path).stdout


# ---- planning


@pytest.mark.parametrize(("facts", "seeds", "chance"), [(60, 3, 0.25), (200, 5, 0.05), (12, 2, 0.25)])
def test_the_difference_that_is_promised_is_found_in_four_studies_of_five(
    facts: int, seeds: int, chance: float
) -> None:
    """Simulation of what the formula assumes: facts shared by the seeds, seeds that spread by a tenth."""
    told, draw, studies = planning.Detectable(facts, seeds, chance, comparisons=1), np.random.default_rng(1), 4000
    right = draw.binomial(facts, told.above_chance, studies) / facts
    seen = np.clip(right + draw.normal(0, planning.SEED_SPREAD / math.sqrt(seeds), studies), 0.02, 0.98)
    error = np.sqrt(seen * (1 - seen) / facts + planning.SEED_SPREAD**2 / seeds)
    assert np.mean(np.abs(seen - chance) / error > 1.96) == pytest.approx(planning.POWER, abs=0.08)


def test_more_facts_or_seeds_show_smaller_differences_and_the_needed_number_shows_the_wanted_one() -> None:
    one = planning.Detectable(100, 3, 0.25, 6)
    assert planning.Detectable(400, 3, 0.25, 6).between < one.between
    assert planning.Detectable(100, 9, 0.25, 6).between < one.between
    needed = planning.needed_facts(0.3, 9, 6)
    assert needed is not None
    assert planning.Detectable(needed, 9, 0.25, 6).between <= 0.3 < planning.Detectable(needed - 1, 9, 0.25, 6).between
    assert planning.needed_facts(0.05, 3, 6) is None
    with pytest.raises(UserError, match="--difference is a fraction"):
        planning.needed_facts(20, 3, 6)


def test_a_model_of_seven_billion_fits_a_card_of_24_gib_in_half_precision_and_not_in_full() -> None:
    llama_2_7b = planning.Size(6_738_415_616, 32, 4096, 32, 32_000)
    paper = preset("paper")
    targets = ("q_proj", "v_proj")
    half, full = (replace(paper, dtype=dtype, targets=targets) for dtype in ("bfloat16", "float32"))  # type: ignore[arg-type]
    gib = [planning.memory(llama_2_7b, settings, 64) / 2**30 for settings in (half, full)]
    assert 12.6 < gib[0] < 24 < 25.1 < gib[1]
    # LoRA of rank 128 on two square layers of 4,096 in each of 32: 2 x 128 x 4096 numbers a layer.
    assert planning.trained_parameters(llama_2_7b, half) == 32 * 2 * 2 * 128 * 4096
    recomputed = replace(half, gradient_checkpointing=True)
    assert planning.memory(llama_2_7b, recomputed, 64) < planning.memory(llama_2_7b, half, 64)
    four_bits = replace(half, base_bits=4)
    assert planning.memory(llama_2_7b, four_bits, 64) < planning.memory(llama_2_7b, half, 64) - 9 * 2**30
    llama_2_13b = planning.Size(13_015_864_320, 40, 5120, 40, 32_000)
    gib = [planning.memory(llama_2_13b, replace(half, base_bits=bits), 64) / 2**30 for bits in (16, 4)]  # type: ignore[arg-type]
    assert gib[1] < 24 < gib[0]


def test_a_plan_states_power_memory_and_time_and_teaches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tokenizers", reason="needs the extra teach")
    monkeypatch.setattr(planning, "speed", lambda device: 1e9)  # measuring it takes torch, and is no matter here
    path = write(tmp_path, text=SMALL.replace('["de", "ru"]', '["de"]').replace(', "to-en"', ""))
    told = json.loads(clika("teach", "plan", path, "--difference", 0.5, "--json").stdout)
    assert (told["experiments"], told["facts"], told["seeds"], told["chance"]) == (2, 8, 2, 0.25)
    (model,) = told["models"]
    assert model["parameters"] == sum(
        math.prod(tensor["shape"]) for tensor in planning._tensors(HUGGING_FACE / "model.safetensors").values()
    )
    work = 6 * model["parameters"] * model["steps"] * model["tokens_per_step"]
    assert model["minutes"] == pytest.approx(work / 1e9 / 60, abs=0.2)
    said = clika("teach", "plan", path).stdout
    assert "2 experiments: 1 model, from-en, de, 2 seeds; 8 test facts in each" in said
    assert f"{model['minutes']:.0f} minutes of teaching in all" in said
    assert not (tmp_path / "small").exists()
