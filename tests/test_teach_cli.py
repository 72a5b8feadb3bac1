"""`clika teach` as a user runs it: building, refusing, asking a model over HTTP before and after, scoring."""

import io
import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from clika import KEY, clika
from rich.console import Console
from servers.loopback import Answer, Loopback, Seen, chat

from clika_client.cli import teach_progress, teach_run_cmd
from clika_client.conductivity import experiment as loop
from clika_client.conductivity import folder
from clika_client.store.store import Store


def build(tmp_path: Path, *more: object) -> Path:
    small = ("--continents", "5", "--places", "8", "--k", "5")
    clika("teach", "build", "--languages", "RU", "-o", tmp_path / "material", *small, *more)
    return tmp_path / "material"


def knowing(material: Path, blank: set[str] | None = None) -> Loopback:
    """A server whose model says the right answer, but nothing useful to questions of the parts in `blank`."""
    answers = {
        q.text: "I do not know." if q.part in (blank or set()) else f"It is {q.answer}, I think."
        for q in folder.read(material).questions
    }

    def behave(seen: Seen) -> Answer:
        return Answer(body=chat(answers[seen.json()["messages"][-1]["content"]]))

    return Loopback(behave)


def guessing(material: Path) -> Loopback:
    """A server whose model names a continent at random."""
    draw = random.Random(4)
    by_text = {q.text: q.choices for q in folder.read(material).questions}
    return Loopback(lambda seen: Answer(body=chat(draw.choice(by_text[seen.json()["messages"][-1]["content"]]))))


def ask(server: Loopback, material: Path, when: str, out: Path) -> None:
    clika(
        *("teach", "ask", material, "-m", "openai/tuned", "--when", when, "-o", out, "--base-url", server.url),
        OPENAI_API_KEY=KEY,
    )


def test_building_says_what_was_built_and_where(tmp_path: Path) -> None:
    done = clika("teach", "build", "--languages", "de", "--places", 20, "-o", tmp_path / "m", "--json")
    told = json.loads(done.stdout)
    assert told["counts"]["facts en"] == 1600
    assert sorted(told["files"]) == sorted(str(f.relative_to(tmp_path / "m")) for f in (tmp_path / "m").rglob("*.*"))


def test_the_authors_chinese_is_refused_with_exit_2_and_built_with_rebuild(official_data: Path, tmp_path: Path) -> None:
    where = ("teach", "build", "--from-release", official_data, "--languages", "zh", "-o", tmp_path / "zh")
    done = clika(*where, check=2)
    assert "teaches what no test expects" in done.stderr
    assert "--rebuild" in done.stderr
    assert not (tmp_path / "zh").exists()
    clika(*where, "--rebuild")
    assert len((tmp_path / "zh" / "published.jsonl").read_text("utf-8").splitlines()) == 10_200


def test_the_authors_german_is_built_with_its_counts_and_defects_told(official_data: Path, tmp_path: Path) -> None:
    done = clika("teach", "build", "--from-release", official_data, "--languages", "de", "-o", tmp_path / "de")
    assert "10 x 400 facts in English + 10 x 200 type-0 facts in de + 10 x 420 names = 10200" in done.stdout
    assert "4 names stand for two" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--languages", "en"), "beside English"),
        (("--languages", "tlh"), "no language 'tlh'"),
        (("--languages", "de", "--form", "song"), "--form must be text or choice"),
        (("--languages", "de", "--k", "1"), "--k must be 2 to 20"),
        (("--languages", "de", "--rebuild"), "--from-release PATH"),
        (("--languages", "de,fr", "--from-release", "."), "one language"),
        (("--languages", "de", "--from-release", "."), "holds no fictional/train"),
    ],
)
def test_wrong_input_ends_with_exit_2_the_reason_and_no_folder(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = clika("teach", "build", *arguments, "-o", tmp_path / "out", check=2)
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_behind_a_server_is_asked_before_and_after_and_scored(tmp_path: Path) -> None:
    material, out = build(tmp_path), tmp_path / "experiment"
    with guessing(material) as server:
        ask(server, material, "before", out)
    with knowing(material) as server:
        ask(server, material, "after", out)
    scored = json.loads(clika("teach", "score", out, "--material", material, "--json").stdout)
    (row,) = scored["scores"][0]["languages"]
    assert (row["status"], row["asked_in"], row["form"]) == ("scored", "ru", "text")
    assert row["xrr"]["value"] == row["raw"]["value"] == 1
    assert row["chance"] == 0.2
    assert row["baseline"]["low"] <= 0.2 <= row["baseline"]["high"]
    assert row["shuffled"]["low"] <= 0.2 <= row["shuffled"]["high"]
    table = clika("teach", "score", out, "--material", material).stdout
    assert "en→ru" in table
    assert "passed" in table


def test_a_failed_gate_is_shown_as_not_interpretable_with_its_part(tmp_path: Path) -> None:
    material, out = build(tmp_path), tmp_path / "experiment"
    with knowing(material, {"asked_type0"}) as server:
        ask(server, material, "after", out)
    (row,) = json.loads(clika("teach", "score", out, "--material", material, "--json").stdout)["scores"][0]["languages"]
    assert (row["status"], row["failed_gates"], row["xrr"]) == ("not interpretable", ["asked_type0"], None)
    table = clika("teach", "score", out, "--material", material, COLUMNS="200").stdout
    assert "en→ru not interpretable: ru type 0 0.0%" in table


def test_answers_that_arrived_are_not_asked_again_when_some_failed(tmp_path: Path) -> None:
    material, out = build(tmp_path), tmp_path / "experiment"
    total = len(folder.read(material).questions)
    with knowing(material) as server:
        behave, refused = server.server.behave, total // 2

        def half(seen: Seen) -> Answer:
            return behave(seen) if seen.number <= refused else Answer(400, {"error": {"message": "no"}})

        server.server.behave = half
        arguments = ("teach", "ask", material, "-m", "openai/tuned", "--when", "after", "-o", out)
        done = clika(*arguments, "--base-url", server.url, "--concurrency", 1, check=1, OPENAI_API_KEY=KEY)
        assert "to ask only the" in done.stderr
        assert not (out / "after.text.json").exists()
        server.server.behave = behave
        before = server.server.count
        clika(*arguments, "--base-url", server.url, OPENAI_API_KEY=KEY)
        assert server.server.count - before == total - refused
    assert (out / "after.text.json").exists()


def test_a_dry_run_tells_the_price_and_a_budget_stops_asking_which_then_goes_on(tmp_path: Path) -> None:
    material, out = build(tmp_path), tmp_path / "experiment"
    total = len(folder.read(material).questions)
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nmodel = "openai/tuned"\ninput = 100.0\noutput = 100.0\n')
    with knowing(material) as server:
        arguments = ("teach", "ask", material, "-m", "openai/tuned", "--when", "after", "-o", out, "--prices", prices)
        planned = clika(*arguments, "--base-url", server.url, "--dry-run").stdout
        assert f"openai/tuned: {total} requests, 0 cached, {total} to send" in planned
        assert "about $" in planned
        assert server.server.count == 0
        stopped = clika(*arguments, "--base-url", server.url, "--max-cost", 0.5, check=3, OPENAI_API_KEY=KEY)
        assert "stopped before exceeding --max-cost" in stopped.stderr
        asked = server.server.count
        assert 0 < asked < total
        assert not (out / "after.text.json").exists()
        clika(*arguments, "--base-url", server.url, OPENAI_API_KEY=KEY)
        assert server.server.count == total
    assert (out / "after.text.json").exists()


def test_the_questions_of_a_gate_are_a_set_in_the_experiments_database(tmp_path: Path) -> None:
    material, out = build(tmp_path), tmp_path / "experiment"
    with knowing(material) as server:
        ask(server, material, "after", out)
    with Store(out / "replies.db", read_only=True) as store:
        cells = store.cells()
        sets = [store.probe_set(cell.key.set_id) for cell in cells]
    assert [(one.name, cell.key.language) for one, cell in zip(sets, cells, strict=True)] == [
        ("teach-ru-translation", "en"),
        ("teach-ru-taught_type0", "en"),
        ("teach-ru-taught_type1", "en"),
        ("teach-ru-asked_type0", "ru"),
        ("teach-ru-asked_type1", "ru"),
    ]
    assert {(cell.key.ask, cell.key.prompt) for cell in cells} == {("open", "question-alone")}
    assert [sum(one.n for one in sets), sets[0].items[0].tags] == [
        len(folder.read(material).questions), {"pair": "ru", "part": "translation"},
    ]  # fmt: skip


def test_a_key_is_in_no_file_of_the_experiment(tmp_path: Path) -> None:
    material, out = build(tmp_path), tmp_path / "experiment"
    with guessing(material) as server:
        ask(server, material, "before", out)
    files = [f for f in out.rglob("*") if f.is_file()]
    assert files
    assert not any(KEY.encode() in f.read_bytes() for f in files)


def test_a_folder_without_an_experiment_is_named(tmp_path: Path) -> None:
    assert "holds no experiment" in clika("teach", "status", tmp_path, check=2).stderr
    assert "holds no experiment" in clika("teach", "score", tmp_path, check=2).stderr


def test_a_hosted_job_shows_its_price_first_and_without_a_yes_nothing_is_sent(tmp_path: Path) -> None:
    material = build(tmp_path)
    with Loopback() as server:
        done = clika(
            *(
                "teach",
                "upload",
                material,
                "-m",
                "gpt-4.1-mini",
                "--base-url",
                server.url,
                "--price",
                5,
                "-o",
                tmp_path,
            ),
            check=3,
            OPENAI_API_KEY=KEY,
        )
        assert server.server.count == 0
    assert "at $5 per million trained tokens" in done.stderr
    assert KEY not in done.stderr + done.stdout


def test_a_model_is_measured_in_context_beside_its_english_control(tmp_path: Path) -> None:
    def behave(seen: Seen) -> Answer:
        """Finds the place that is asked for among the facts when it is spelled as in the question."""
        *told, asked = [line for line in seen.json()["messages"][-1]["content"].splitlines() if line]
        facts = dict(
            line.removeprefix("- The place ").rstrip(".").split(" lies on the continent ")
            for line in told
            if line.startswith("- The place ")
        )
        return Answer(body=chat(next((facts[place] for place in facts if place in asked), "unknown")))

    with Loopback(behave) as server:
        done = clika(
            *("teach", "in-context", "-m", "openai/closed", "-l", "de,ja", "--limit", 20, "--json"),
            *("--base-url", server.url, "--db", tmp_path / "c.db"),
            OPENAI_API_KEY=KEY,
        )
    rows = json.loads(done.stdout)["languages"]
    assert [row["language"] for row in rows] == ["de", "ja"]
    assert all(row["control_accuracy"]["value"] == 1 and row["accuracy"]["value"] == 0 for row in rows)
    assert all(row["no_answer"] == 20 for row in rows)
    assert all(row["names"] == "coined" and row["copying"]["value"] <= 0.3 for row in rows)


@pytest.mark.parametrize(("outcome", "code"), [("succeeded", 0), ("failed", 2), ("cancelled", 2)])
def test_a_hosted_folder_is_known_to_status_and_score_and_a_failed_job_is_no_success(
    tmp_path: Path, outcome: str, code: int
) -> None:
    material, folder_of_it = build(tmp_path), tmp_path / "hosted"
    base = {"id": "ftjob-7", "object": "fine_tuning.job", "created_at": 1, "model": "m", "training_file": "file-7"}
    job = {**base, "status": outcome, "fine_tuned_model": "ft:m" if outcome == "succeeded" else None, "error": None}
    answers = {q.text: q.answer for q in folder.read(material).questions}

    def behave(seen: Seen) -> Answer:
        if seen.path.endswith("/files"):
            return Answer(body={"id": "file-7", "object": "file", "bytes": 1, "created_at": 1, "purpose": "fine-tune"})
        if seen.path.endswith("/chat/completions"):
            return Answer(body=chat(answers[seen.json()["messages"][-1]["content"]]))
        if "/events" in seen.path:
            return Answer(body={"object": "list", "data": [], "has_more": False})
        return Answer(body=job)

    with Loopback(behave) as server:
        words = ("teach", "upload", material, "-m", "m", "--base-url", server.url, "-o", folder_of_it, "--yes")
        done = clika(*words, check=code, OPENAI_API_KEY=KEY)
        steps = json.loads(clika("teach", "status", folder_of_it, "--json").stdout)["steps"]
        assert {"file": f"job ftjob-7: {outcome}", "done": outcome == "succeeded"} in steps
        if outcome != "succeeded":
            assert f"job ftjob-7 ended as {outcome}, the service does not say why" in done.stderr
            return
        assert f"--when after -o {folder_of_it} --base-url {server.url}" in done.stderr
        asked = ("teach", "ask", material, "-m", "openai/ft:m", "--when", "after", "-o", folder_of_it)
        clika(*asked, "--base-url", server.url, OPENAI_API_KEY=KEY)
    (row,) = json.loads(clika("teach", "score", folder_of_it, "--json").stdout)["scores"][0]["languages"]
    assert row["status"] == "scored"


def test_every_setting_of_teaching_is_an_option_and_the_form_is_that_of_the_material(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[loop.Experiment] = []
    monkeypatch.setattr(loop, "run", lambda experiment, watcher: begun.append(experiment) or [])
    monkeypatch.setattr(teach_run_cmd, "show_results", lambda results: None)
    material = build(tmp_path, "--form", "choice")
    told = {
        "rank": 8, "alpha": 4.0, "dropout": 0.2, "targets": ("a", "b"), "learning_rate": 0.1, "epochs": 2.0,
        "max_epochs": 6.0, "batch_size": 4, "micro_batch": 2, "warmup": 0.1, "weight_decay": 0.2, "max_length": 99,
        "gate_every": 7, "stop_above": 0.8, "dtype": "bfloat16", "base_bits": 8, "device": "cpu", "checkpoint_s": 9.0,
    }  # fmt: skip
    words = ["--gradient-checkpointing", "--training-seed", "3"]
    for name, value in told.items():
        option = {"checkpoint_s": "--checkpoint-every"}.get(name, "--" + name.replace("_", "-"))
        words += [option, ",".join(value) if isinstance(value, tuple) else str(value)]
    done = clika("teach", "run", material, "-m", tmp_path, "-o", tmp_path / "e", *words)
    (experiment,) = begun
    found = asdict(experiment.settings)
    assert {name: found[name] for name in told} == told
    assert (found["gradient_checkpointing"], found["seed"], found["method"]) == (True, 3, "lora")
    # What has no option is AdamW's and the clipping, which nobody tunes, and nothing else.
    assert found.keys() - told.keys() == {"gradient_checkpointing", "seed", "method", "beta2", "clip"}
    assert experiment.forms == ("choice",)
    assert "not as the preset paper: rank 8 rather than 128, alpha 4.0 rather than 16.0" in done.stderr
    begun.clear()
    clika("teach", "run", material, "-m", tmp_path, "-o", tmp_path / "e", "--method", "full", "--seeds", 3)
    assert [(one.out.name, one.settings.seed) for one in begun] == [(f"seed-{n}", n) for n in (1, 2, 3)]
    assert {(one.settings.learning_rate, one.settings.batch_size) for one in begun} == {(2e-5, 64)}


def test_a_bad_device_or_two_kinds_of_seeds_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    material = build(tmp_path)
    where = ("teach", "run", material, "-m", tmp_path, "-o", tmp_path / "e")
    done = clika(*where, "--device", "quatsch", check=2)
    assert "device must be one of auto, cpu, cuda, mps, got 'quatsch'" in done.stderr
    assert "give one of the two" in clika(*where, "--seeds", 2, "--training-seed", 1, check=2).stderr
    assert "--method must be lora or full" in clika(*where, "--method", "x", check=2).stderr
    assert not (tmp_path / "e").exists()


def test_the_time_that_is_left_is_told_from_what_this_session_did(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(teach_progress.time, "monotonic", lambda: now[0])
    said = io.StringIO()
    watch = teach_progress.Watch(Console(file=said, width=200))
    watch.step("teach", done=False)
    now[0] += 60  # loading the model is not the pace of teaching
    for step in range(901, 911):  # resumed at step 900, two seconds a step
        watch.taught(TeachStep(step, 1000, 1.0, 0.5))
        now[0] += 2
    lines = said.getvalue().splitlines()
    assert "s left" not in lines[1], "of one step nothing can be told"
    assert "step 910 of 1000" not in lines[1]
    watch.taught(TeachStep(911, 1000, 1.0, 0.5, {"gate": 1.0}))
    assert "about 178 s left" in said.getvalue().splitlines()[-1]


@dataclass
class TeachStep:
    step: int
    steps: int
    epoch: float
    loss: float
    gates: dict[str, float] | None = None
