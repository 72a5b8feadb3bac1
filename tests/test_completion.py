"""A shell completes what can stand in an option or argument: quickly, silently, from this machine alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from clika import clika

from clika_client.cli import app
from clika_client.cli.offered import Typed
from clika_client.cli.offered_where import FREE, IN_COMMAND, OFFERED, offers, source_of

Complete = Callable[..., list[str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a run of two models, tagged, in three languages."""
    folder = tmp_path_factory.mktemp("home")
    for words in (
        "run atlas -m mock/random -m mock/pick:1 -l en,de,sw --limit 8 --bootstrap 0",
        "runs tag last first",
        "score --bootstrap 0",
    ):
        clika(*words.split(), CLIKA_HOME=str(folder))
    return folder


@pytest.fixture
def complete(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Complete:
    """What bash would be given for the words of a line, the last of which is being typed."""
    monkeypatch.setenv("CLIKA_HOME", str(home))

    def asked(*pieces: str) -> list[str]:
        with monkeypatch.context() as asking:
            asking.setenv("_CLIKA_COMPLETE", "complete_bash")
            asking.setenv("COMP_WORDS", "\n".join(("clika", *pieces)))
            asking.setenv("COMP_CWORD", str(len(pieces)))
            with pytest.raises(SystemExit):
                app.run([])
        said = capsys.readouterr()
        assert said.err == ""
        return said.out.split("\n")[:-1] if said.out.strip() else []

    return asked


def _parameters() -> Iterator[tuple[str, Any]]:
    def below(command: Any, path: str) -> Iterator[tuple[str, Any]]:
        yield from ((path, param) for param in command.params)
        for name, each in getattr(command, "commands", {}).items():
            yield from below(each, f"{path} {name}".strip())

    return below(app.command(), "")


def _is_text(param: Any) -> bool:
    return param.type_descriptor.annotation in (str, list[str])


def test_every_option_and_argument_that_takes_a_text_says_where_its_values_come_from() -> None:
    missing = [
        f"{command} {param.name}"
        for command, param in _parameters()
        if _is_text(param) and param.name not in FREE and (command, param.name) not in IN_COMMAND
        if source_of(command, param.name) is None
    ]
    assert not missing, "name them in OFFERED, IN_COMMAND or FREE of cli/offered_where.py"


def test_the_table_names_nothing_that_no_command_has() -> None:
    there = {(command, param.name) for command, param in _parameters()}
    assert set(IN_COMMAND) <= there
    assert (set(OFFERED) | FREE) <= {name for _, name in there}


@pytest.mark.parametrize(
    ("pieces", "among"),
    [
        (["run", "at"], ["atlas", "atlas-names"]),
        (["run", "atlas", "-m", "mock/r"], ["mock/random"]),
        (["run", "atlas", "-m", "vll"], ["vllm/"]),
        (["run", "atlas", "-m", "anthropic/"], ["anthropic/claude-haiku-5-5"]),
        (["judge", "openai/gpt-6-l"], ["openai/gpt-6-luna"]),
        (["run", "atlas", "-l", "en,s"], ["en,sw", "en,sv"]),
        (["run", "atlas", "--only", "tier=e"], ["tier=easy"]),
        (["run", "atlas", "--limit-by", "rel"], ["relation"]),
        (["run", "atlas", "--tier", ""], ["easy", "medium", "hard"]),
        (["run", "--prompt", "paper"], ["paper-zero-shot", "paper-one-shot"]),
        (["run", "--ask", "l"], ["logprobs", "likelihood"]),
        (["run", "--ask=l"], ["logprobs", "likelihood"]),
        (["score", "-m", "mock/p"], ["mock/pick:1"]),
        (["compare", "mock/random", "mock/p"], ["mock/pick:1"]),
        (["score", "--sets", "a"], ["atlas"]),
        (["score", "-l", "d"], ["de"]),
        (["answers", "--lost-in", ""], ["de", "en", "sw"]),
        (["score", "--reading", "standard,f"], ["standard,first-letter"]),
        (["score", "--en-co", ""], ["jaccard", "recall", "dice"]),
        (["score", "--show", "ra,kappa"], ["ra,kappa_correct"]),
        (["score", "--fail-below", "other_r"], ["other_ra="]),
        (["score", "--fail-below", "en_co.s"], ["en_co.sw="]),
        (["score", "--split", "rel"], ["relation"]),
        (["score", "--drop", "region=E"], ["region=Europe"]),
        (["score", "--prompt", ""], ["plain"]),
        (["score", "--source", ""], ["own"]),
        (["score", "--baseline", ""], ["last", "first"]),
        (["runs", "show", "f"], ["first"]),
        (["runs", "compare", "first", "l"], ["last"]),
        (["sets", "fetch", "bel"], ["belebele"]),
        (["sets", "add", "clika"], ["clika-release"]),
        (["import", "--format", "lm"], ["lm-eval"]),
        (["models", "list", "olla"], ["ollama"]),
        (["teach", "build", "-l", "d"], ["de"]),
        (["teach", "run", "--dtype", "b"], ["bfloat16"]),
        (["export", "--what", "s"], ["scores"]),
    ],
    ids=" ".join,
)
def test_each_kind_of_value_is_offered(complete: Complete, pieces: Sequence[str], among: Sequence[str]) -> None:
    assert set(among) <= set(complete(*pieces))


def test_an_item_is_offered_by_its_beginning(complete: Complete) -> None:
    items = complete("answers", "--item", "")
    assert 0 < len(items) <= 8
    assert complete("answers", "--item", items[0][:-1]) >= [items[0]]


def test_files_on_this_machine_are_offered_after_gguf(complete: Complete, tmp_path: Path) -> None:
    (tmp_path / "some.gguf").touch()
    assert complete("run", "atlas", "--models-dir", str(tmp_path), "-m", "gguf/so") == ["gguf/some.gguf"]


def test_folders_that_hold_an_experiment_are_offered(
    complete: Complete, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, file in (("taught", "experiment.json"), ("elsewhere", "asked.json"), ("facts", "build.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    assert complete("teach", "score", "") == ["elsewhere", "taught"]
    assert complete("teach", "run", f"{tmp_path}/") == [f"{tmp_path}/facts"]


def test_what_bash_cuts_at_colons_and_equals_signs_is_one_word(complete: Complete) -> None:
    assert complete("score", "-m", "mock/pick", ":") == ["1"]
    assert complete("score", "--en-co", "=", "j") == ["jaccard"]
    assert complete("score", "--drop", "region", "=", "No") == [r"North\ America"]


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("run atlas -m mock/random", "--ask"),
        ("run atlas -m mock/random", "--permute"),
        ("score", "--en-co"),
        ("score", "--reading"),
        ("export x.csv", "--what"),
        ("export x", "--format"),
        ("report x", "--format"),
        ("import README.md", "--format"),
        ("prompt atlas", "--ask"),
        ("teach build -l de -o x", "--names"),
        ("teach build -l de -o x", "--form"),
        ("teach in-context -m mock/random -l de", "--form"),
        ("teach ask x -m mock/random -o y --when before", "--form"),
        ("teach ask x -m mock/random -o y", "--when"),
        ("teach run x -m y -o z", "--preset"),
        ("teach run x -m y -o z", "--method"),
        ("teach run x -m y -o z", "--dtype"),
        ("teach run x -m y -o z", "--device"),
    ],
)
def test_what_is_offered_is_what_the_refusal_of_another_word_names(
    command: str, option: str, complete: Complete, home: Path
) -> None:
    offered = complete(*command.split(), option, "")
    refused = clika(*command.split(), option, "nonsense", check=2, CLIKA_HOME=str(home))
    assert offered
    assert not [value for value in offered if value not in refused.stderr], refused.stderr


def test_no_database_is_made_and_none_is_missed(complete: Complete, tmp_path: Path) -> None:
    missing = tmp_path / "none.db"
    assert complete("score", "--db", str(missing), "-m", "") == []
    assert not missing.exists()


@pytest.mark.parametrize("content", [b"", b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_file_is_passed_over_in_silence(complete: Complete, tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(content)
    assert complete("score", "--db", str(broken), "-m", "") == []
    assert broken.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["broken.db"]


def test_damaged_lists_of_the_user_end_in_nothing(complete: Complete, home: Path, tmp_path: Path) -> None:
    registry = home / "sets.json"
    registry.write_text("[")
    try:
        assert complete("run", "at") == []
    finally:
        registry.unlink()


def test_completing_loads_no_library_that_is_slow() -> None:
    heavy = ("openai", "anthropic", "llama_cpp", "torch", "pyarrow", "altair", "httpx", "sqlite_utils")
    code = (
        "import sys\nfrom clika_client.cli import app\ntry:\n    app.run([])\nexcept SystemExit:\n"
        f"    print(*[m for m in {heavy!r} if m in sys.modules], 'loaded', file=sys.stderr)"
    )
    words = "clika\nrun\natlas\n-m\nmo"
    env = {**os.environ, "_CLIKA_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "4"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "mock/random"
    assert done.stderr.split() == ["loaded"]


def test_zsh_and_fish_are_told_what_takes_the_place_of_the_whole_word(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLIKA_HOME", str(home))
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "clika score --en-co=j")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    for shell, expected in (("zsh", '"--en-co=jaccard"'), ("fish", "--en-co=jaccard\n")):
        monkeypatch.setenv("_CLIKA_COMPLETE", f"complete_{shell}")
        with pytest.raises(SystemExit):
            app.run([])
        assert expected in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_real_shell_completes(shell: str, home: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    line = "clika compare mock/random mock/p"
    bin_folder = Path(sys.executable).parent
    env = {**os.environ, "CLIKA_HOME": str(home), "PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(home)}
    script = home / f"script.{shell}"
    source = subprocess.run(
        ["clika"], env={**env, "_CLIKA_COMPLETE": f"source_{shell}"}, capture_output=True, text=True, check=True
    )
    script.write_text(source.stdout)
    use = {
        "bash": f'source {script}; COMP_WORDS=({line}); COMP_CWORD=3; _clika_completion clika; echo "$COMPREPLY"',
        "fish": f"source {script}; complete -C '{line}'",
    }[shell]
    done = subprocess.run([program, "-c", use], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mock/pick:1"]


def test_a_list_offers_what_is_not_in_it_yet(home: Path) -> None:
    languages = source_of("score", "languages")
    assert languages is not None
    found = offers(languages, Typed("en,", {"db": str(home / "clika.db")}))
    assert [offer[0] for offer in found] == ["en,de", "en,sw"]
