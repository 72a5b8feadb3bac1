"""The experiment from end to end on the demo model: asked, taught, converted, asked again through llama.cpp, scored."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from clika_client.cli.teach_demo import DEMO, DEMO_SETTINGS, teach_demo
from clika_client.cli.teach_run_cmd import seeded
from clika_client.common.errors import UserError
from clika_client.common.holding import held
from clika_client.conductivity import experiment as loop
from clika_client.conductivity import experiment_folder, folder, forgetting
from clika_client.conductivity.build import TeachingPlan, build
from clika_client.conductivity.presets import preset
from clika_client.conductivity.scored_pairs import NOT_INTERPRETABLE, Score
from clika_client.conductivity.watcher import SilentWatcher
from clika_client.scoring.metrics.intervals import wilson
from clika_providers import ProviderOptions

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch and transformers warn of their own future
]
for module in ("torch", "transformers", "peft", "llama_cpp", "gguf"):
    if find_spec(module) is None:  # importing them takes seconds, in every worker that only collects
        pytest.skip(f"teaching needs {module}: pip install '.[teach,local]'", allow_module_level=True)


class Steps:
    """Notes what is done anew."""

    def __init__(self) -> None:
        self.fresh: list[str] = []
        self.trained = self.first = self.last = 0

    def step(self, name: str, *, done: bool) -> None:
        if not done:
            self.fresh.append(name)

    def asked(self, done: int, total: int) -> None:
        pass

    def taught(self, progress: Any) -> None:
        self.trained += 1
        self.first, self.last = self.first or progress.step, progress.step


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def hasty_in(root: Path) -> loop.Experiment:
    """A few steps of LoRA with the paper's settings: far too little."""
    from clika_client.sets.demo import HUGGING_FACE

    material = build(TeachingPlan(("de",), k=4, continents=4, places=4))
    folder.write(material, root / "material")
    settings = replace(preset("paper"), epochs=0.2, batch_size=16, micro_batch=16, device="cpu", max_length=256)
    options = ProviderOptions(n_threads=1)
    return loop.Experiment(HUGGING_FACE, root / "material", root / "run", settings, options=options, general=5)


@pytest.fixture
def hasty(tmp_path: Path) -> loop.Experiment:
    return hasty_in(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[loop.Experiment, list[Score], Steps]:
    """One such experiment, run to its end, its scores and what was done for them."""
    import torch

    experiment, done = hasty_in(tmp_path_factory.mktemp("hasty")), Steps()
    torch.set_num_threads(1)
    return experiment, loop.run(experiment, done), done


Finished = tuple[loop.Experiment, list[Score], Steps]


def test_an_under_taught_model_is_not_interpretable_and_a_second_run_does_nothing_again(finished: Finished) -> None:
    experiment, scores, first = finished
    assert [score.pairs[0].form for score in scores] == ["text", "choice"]
    for score in scores:
        assert score.pairs[0].status == NOT_INTERPRETABLE
        assert score.pairs[0].xrr is None
        assert score.pairs[0].baseline is not None
    assert first.trained > 0
    assert first.fresh == [
        "convert to base.gguf",
        "ask before teaching (text)",
        "ask before teaching (choice)",
        "ask before teaching (atlas)",
        "teach",
        "convert to taught.gguf",
        "ask after teaching (text)",
        "ask after teaching (choice)",
        "ask after teaching (atlas)",
    ]
    again = Steps()
    assert loop.run(experiment, again) == scores
    assert (again.fresh, again.trained) == ([], 0)
    assert all(done for _, done in experiment_folder.steps(experiment.out))


def test_a_run_that_was_broken_off_does_only_what_is_missing(finished: Finished) -> None:
    experiment, scores, _ = finished
    (experiment.out / "after.choice.json").unlink()
    (experiment.out / "score.json").unlink()
    assert [name for name, done in experiment_folder.steps(experiment.out) if not done] == [
        "after.choice.json",
        "score.json",
    ]
    again = Steps()
    assert loop.run(experiment, again) == scores
    assert (again.fresh, again.trained) == (["ask after teaching (choice)"], 0)


def test_what_the_model_knew_of_the_world_is_asked_before_and_after(finished: Finished) -> None:
    experiment, _, _ = finished
    rows = forgetting.compare(experiment.out)
    assert [(row.language, row.n) for row in rows] == [("en", 5), ("de", 5)]
    assert all(row.after == row.before - row.lost + row.gained for row in rows)
    (experiment.out / "before.atlas.json").rename(experiment.out / "kept")
    assert forgetting.compare(experiment.out) == ()
    (experiment.out / "kept").rename(experiment.out / "before.atlas.json")


def test_forgetting_is_told_by_an_exact_test_of_the_questions_that_changed() -> None:
    # 9 lost and 1 gained of 60: two-sided binomial test of 1 in 10 against one half, 2 * (1 + 10) / 1024.
    assert forgetting.Kept("de", 60, 40, 32, 9, 1).p == pytest.approx(22 / 1024)
    assert forgetting.Kept("de", 60, 40, 40, 3, 3).p == 1
    assert forgetting.Kept("de", 60, 40, 40, 0, 0).p == 1


def test_a_failed_gate_goes_on_from_its_last_step_up_to_the_stated_maximum(finished: Finished) -> None:
    experiment, scores, first = finished
    more, watched = replace(experiment, settings=replace(experiment.settings, epochs=0.5)), Steps()
    again = loop.run(more, watched)
    # Two further rounds, of which the last is cut at half a pass in all.
    rows = len((experiment.material / folder.TEACHING).read_text("utf-8").splitlines())
    per_epoch = math.ceil(rows / experiment.settings.batch_size)
    assert first.trained == first.last == round(per_epoch * 0.2)
    assert (watched.first, watched.last) == (first.last + 1, round(per_epoch * 0.5))
    assert [len(again), again[0].pairs[0].status] == [len(scores), NOT_INTERPRETABLE]
    assert sorted(path.name for path in (experiment.out / experiment_folder.ROUNDS).iterdir()) == ["1", "2"]
    assert {"score.json", "after.text.json", "after.atlas.json"} <= {
        path.name for path in (experiment.out / experiment_folder.ROUNDS / "1").iterdir()
    }
    assert list((experiment.out / "teaching" / "checkpoints").glob(f"checkpoint-{watched.last}")), (
        "a failed gate may still go on"
    )
    assert all(done for _, done in experiment_folder.steps(experiment.out))
    enough = Steps()
    assert loop.run(more, enough) == again
    assert enough.trained == 0


def test_seeds_are_folders_of_their_own_that_share_what_comes_before_teaching(
    finished: Finished, tmp_path: Path
) -> None:
    experiment, _, _ = finished
    one, two = seeded(replace(experiment, out=tmp_path / "many"), 2)
    assert [e.out.name for e in (one, two)] == ["seed-1", "seed-2"]
    assert [e.settings.seed for e in (one, two)] == [1, 2]
    steps = Steps()
    loop.run(replace(two, like=experiment.out), steps)
    assert [name for name in steps.fresh if "before" in name or "base" in name] == []
    assert steps.trained > 0
    mine, theirs = (path / "teaching/adapter/adapter_model.safetensors" for path in (two.out, experiment.out))
    assert mine.read_bytes() != theirs.read_bytes()


def test_two_processes_never_teach_in_one_folder(hasty: loop.Experiment) -> None:
    hold = "import sys; from pathlib import Path; from clika_client.common.holding import held\n"
    hold += f"with held(Path({str(hasty.out)!r})): print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=rf"another process \({other.pid}\) is at work in"):
            loop.run(hasty)
        other.kill()  # however it ends, the folder is free again
    steps = Steps()
    with held(hasty.out):
        assert steps.fresh == []


def test_what_cannot_be_taught_with_is_refused_before_anything_is_asked(hasty: loop.Experiment) -> None:
    import torch

    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="torch finds no cuda device here"):
            loop.run(replace(hasty, settings=replace(hasty.settings, device="cuda")))
    with pytest.raises(UserError, match=r"no\.yaml does not exist; `accelerate config"):
        loop.run(replace(hasty, launch=Path("no.yaml")))
    assert not hasty.out.exists()


def test_a_folder_belongs_to_one_experiment(hasty: loop.Experiment) -> None:
    hasty.out.mkdir()
    loop._Loop(hasty, SilentWatcher()).claim()
    other = replace(hasty, settings=replace(hasty.settings, seed=1))
    with pytest.raises(UserError, match="holds an experiment with other settings"):
        loop.run(other)
    folder.write(build(TeachingPlan(("fr",), k=4, continents=4, places=4)), hasty.material)
    with pytest.raises(UserError, match="holds an experiment with other material"):
        loop.run(hasty)


def test_replies_to_other_material_are_never_scored(hasty: loop.Experiment, tmp_path: Path) -> None:
    hasty.out.mkdir()
    stray = {"model": "gguf/x", "identity": "{}", "material": "another", "form": "text", "replies": {}}
    (hasty.out / "after.text.json").write_text(json.dumps(stray), "utf-8")
    with pytest.raises(UserError, match="holds replies to other material"):
        experiment_folder.score_folder(hasty.material, hasty.out)
    with pytest.raises(UserError, match="holds no replies after teaching yet"):
        experiment_folder.score_folder(hasty.material, tmp_path)


def test_what_is_no_model_directory_is_refused(hasty: loop.Experiment, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no config\.json"):
        loop.run(replace(hasty, model_dir=tmp_path))


def test_the_demo_passes_its_gate_and_is_scored_from_real_inference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `clika teach demo` does, as it does it, with a third of its languages and facts."""
    small = replace(DEMO, languages=("de",), places=2, repeats=10, name_repeats=10)
    settings = replace(DEMO_SETTINGS, epochs=1.7, learning_rate=2e-3, batch_size=32, micro_batch=32, gate_every=0)
    settings = replace(settings, max_epochs=3 * settings.epochs)  # a gate of four questions may take a further round
    (score,) = teach_demo(tmp_path, small, settings, as_json=True)
    document = json.loads(capsys.readouterr().out)
    (pair,) = score.pairs
    assert [row["language"] for row in document["scores"][0]["languages"]] == ["de"]
    assert not pair.failed, pair.gate
    assert pair.baseline is not None
    # The facts do not exist, so the untaught model is at chance on them; on dealt ones everybody is.
    low, high = wilson(pair.baseline.right, pair.baseline.n, level=0.999)
    assert low <= 1 / 4 <= high
    assert pair.shuffled.low <= 1 / 4 <= pair.shuffled.high
    assert pair.xrr is not None
    for figure in (pair.xrr.raw, pair.xrr.ratio, pair.xrr.conditional):
        assert 0 <= figure.low <= figure.value <= figure.high
    steps = [(name, (tmp_path / name).stat().st_mtime_ns) for name, _ in experiment_folder.steps(tmp_path)]
    assert teach_demo(tmp_path, small, settings) == [score]
    again = [(name, (tmp_path / name).stat().st_mtime_ns) for name, _ in experiment_folder.steps(tmp_path)]
    assert [name for (name, a), (_, b) in zip(steps, again, strict=True) if a != b] == [experiment_folder.SCORE]
