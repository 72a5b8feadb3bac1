"""The experiment from end to end on the demo model: asked, taught, converted, asked again through llama.cpp, scored."""

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from clika_client.cli.teach_demo import DEMO, DEMO_SETTINGS, teach_demo
from clika_client.common.errors import UserError
from clika_client.conductivity import experiment as loop
from clika_client.conductivity import folder
from clika_client.conductivity.build import Plan, build
from clika_client.conductivity.presets import preset
from clika_client.conductivity.score import NOT_INTERPRETABLE, Score
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
        self.trained = 0

    def step(self, name: str, *, done: bool) -> None:
        if not done:
            self.fresh.append(name)

    def asked(self, done: int, total: int) -> None:
        pass

    def taught(self, progress: object) -> None:
        self.trained += 1


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

    material = build(Plan(("de",), k=4, continents=4, places=4))
    folder.write(material, root / "material")
    settings = replace(preset("paper"), epochs=0.2, device="cpu", max_length=256)
    options = ProviderOptions(n_threads=1)
    return loop.Experiment(HUGGING_FACE, root / "material", root / "run", settings, options=options)


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
        "teach",
        "convert to taught.gguf",
        "ask after teaching (text)",
        "ask after teaching (choice)",
    ]
    again = Steps()
    assert loop.run(experiment, again) == scores
    assert (again.fresh, again.trained) == ([], 0)
    assert all(done for _, done in loop.steps(experiment.out))


def test_a_run_that_was_broken_off_does_only_what_is_missing(finished: Finished) -> None:
    experiment, scores, _ = finished
    (experiment.out / "after.choice.json").unlink()
    (experiment.out / "score.json").unlink()
    assert [name for name, done in loop.steps(experiment.out) if not done] == ["after.choice.json", "score.json"]
    again = Steps()
    assert loop.run(experiment, again) == scores
    assert (again.fresh, again.trained) == (["ask after teaching (choice)"], 0)


def test_a_folder_belongs_to_one_experiment(hasty: loop.Experiment) -> None:
    loop._Loop(hasty, loop.Silent()).claim()
    other = replace(hasty, settings=replace(hasty.settings, seed=1))
    with pytest.raises(UserError, match="holds an experiment with other settings"):
        loop.run(other)
    folder.write(build(Plan(("fr",), k=4, continents=4, places=4)), hasty.material)
    with pytest.raises(UserError, match="holds an experiment with other material"):
        loop.run(hasty)


def test_replies_to_other_material_are_never_scored(hasty: loop.Experiment, tmp_path: Path) -> None:
    hasty.out.mkdir()
    stray = {"model": "gguf/x", "identity": "{}", "material": "another", "form": "text", "replies": {}}
    (hasty.out / "after.text.json").write_text(json.dumps(stray), "utf-8")
    with pytest.raises(UserError, match="holds replies to other material"):
        loop.score_folder(hasty.material, hasty.out)
    with pytest.raises(UserError, match="holds no replies after teaching yet"):
        loop.score_folder(hasty.material, tmp_path)


def test_what_is_no_model_directory_is_refused(hasty: loop.Experiment, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no config\.json"):
        loop.run(replace(hasty, model_dir=tmp_path))


def test_the_demo_passes_its_gate_and_is_scored_from_real_inference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `clika teach demo` does, as it does it, with a third of its languages and facts."""
    small = replace(DEMO, languages=("de",), places=2, repeats=10, name_repeats=6)
    settings = replace(DEMO_SETTINGS, epochs=1.7, learning_rate=2e-3, batch_size=32, micro_batch=32, gate_every=0)
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
    steps = [(name, (tmp_path / name).stat().st_mtime_ns) for name, _ in loop.steps(tmp_path)]
    assert teach_demo(tmp_path, small, settings) == [score]
    again = [(name, (tmp_path / name).stat().st_mtime_ns) for name, _ in loop.steps(tmp_path)]
    assert [name for (name, a), (_, b) in zip(steps, again, strict=True) if a != b] == [loop.SCORE]
