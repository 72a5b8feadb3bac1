"""What every test shares: a guard against the network, a clean environment and folders of its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

GUARD = Path(__file__).parent / "guard"
sys.path.insert(0, str(GUARD))
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))
sys.modules.pop("sitecustomize", None)
import sitecustomize  # noqa: E402,F401  installs the guard in this process
from servers.asking import ONE_OF_EACH  # noqa: E402

ROOT = Path(__file__).parent.parent

# Workers share the cores; threads of torch and of numpy that wait for one another by spinning would take them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts what runs in the background deaf to Ctrl-C, and so would be all processes that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Drawn cases are the same on every machine and in every run, so that a change fails for what it changed; new ones are
# looked for with CLIKA_EXPLORE=1. No deadline: how long an example takes depends on what else the machine does.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("explore" if os.environ.get("CLIKA_EXPLORE") else "same")


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of the person running the tests is seen, and nothing of theirs is read or written."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL", "_PROXY", "_proxy")) or name in ("CLIKA_DB", "CLIKA_DEBUG"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLIKA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    # Processes that a test starts are guarded too.
    inherited = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", str(GUARD) + (os.pathsep + inherited if inherited else ""))


@pytest.fixture(params=["aiohttp", "sdk"])
def carrier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Requests to OpenAI-shaped servers go directly, and then as they go behind a proxy; the name of the way."""
    from clika_providers.hosted import openai_chat

    if request.param == "sdk":
        monkeypatch.setattr(openai_chat, "reaches", lambda address: False)
    return str(request.param)


_OTHERS = [model for kind, model in ONE_OF_EACH.items() if kind != "openai"]


@pytest.fixture(params=["openai/m over aiohttp", "openai/m over the SDK", *_OTHERS])
def spec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model behind every way that requests can go."""
    from clika_providers.hosted import openai_chat

    model, _, way = str(request.param).partition(" over ")
    if way == "the SDK":
        monkeypatch.setattr(openai_chat, "reaches", lambda address: False)
    return model


@pytest.fixture(scope="session")
def three_asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of three models' replies; to be read: a test that writes copies it."""
    from asked_models import LANGUAGES, N, ask_three
    from clika import write_probes

    folder = tmp_path_factory.mktemp("three")
    ask_three(folder / "c.db", write_probes(folder / "mine.jsonl", N, LANGUAGES))
    return folder / "c.db"


@pytest.fixture
def official_data() -> Path:
    """The authors' release, where the user has it; it has no licence and is never part of this repo."""
    path = os.environ.get("CLIKA_OFFICIAL_DATA")
    if not path:
        pytest.skip("CLIKA_OFFICIAL_DATA is not set: name a checkout of the authors' release to run this test")
    return Path(path)


_LONGEST = (
    "test_teach_loop",
    "test_providers_llmock",
    "test_atlas_build",
    "test_teach_build",
    "test_run",
    "test_providers_faults",
    "test_nothing_lost",
    "test_run_likelihood",
    "test_gguf_answers",
    "test_reproduce",
    "test_cli_commands",
    "test_flow",
)
"""Files that take longest, where several workers share the rest: begun last, one of them would be waited for alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; `--no-loadscope-reorder` keeps that order."""
    items.sort(key=lambda item: _LONGEST.index(item.path.stem) if item.path.stem in _LONGEST else len(_LONGEST))


_TOGETHER = (
    ("test_teach_loop", "test_teach_train", "test_teach_convert", "test_demo_model"),
    ("test_layers", "test_floors", "test_names"),
)
"""Files that need torch, which takes seconds to import; files that read all the code: one worker for each group."""
_GROUP = {name: names[0] for names in _TOGETHER for name in names}


class _Files(LoadFileScheduling):
    """Whole files to a worker, and those of one group of `_TOGETHER` to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return _GROUP.get(Path(file).stem, file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Used with `--dist loadfile`; any other way of sharing is left to xdist."""
    return _Files(config, log) if config.getvalue("dist") == "loadfile" else None


_lacking: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note tests that skipped for lack of a server program; CI must have had them all."""
    if report.skipped and os.environ.get("CLIKA_REQUIRE_SERVERS") and "is not installed" in str(report.longrepr):
        _lacking.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the whole run when something that was required had to be skipped."""
    if _lacking:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was lacking."""
    for nodeid in _lacking:
        terminalreporter.write_line(f"FAILED {nodeid} - needs a program that is not installed", red=True)
