"""Providers that are not built in: scripted ones for tests, and those that another distribution brings."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clika import clika, records, write_probes
from servers.asking import question
from servers.loopback import Answer, Loopback, Seen

import clika_client
from clika_providers import Completion, ItemError, MockProvider, Provider, RetryableError, RunError, connect
from clika_providers.options import ProviderOptions
from clika_providers.prices import find_price

LABELLED = question("Which?", labels=("x", "y", "z"))


def say(spec: str, request: object = LABELLED) -> str:
    return asyncio.run(connect(spec).complete(request)).text  # type: ignore[arg-type]


def test_scripted_models_are_providers_and_cost_nothing() -> None:
    provider = connect("mock/say:B")
    assert isinstance(provider, Provider)
    assert isinstance(MockProvider(), Provider)
    price = find_price("mock/say:B")
    assert price is not None
    assert price.estimate(1000, 10) == 0


def test_what_the_name_says_is_what_is_said() -> None:
    assert say("mock/say:It is B.") == "It is B."
    assert [say(f"mock/pick:{n}") for n in range(4)] == ["x", "y", "z", "x"]
    drawn = [say("mock/random", question(f"number {n}", labels=("x", "y", "z"))) for n in range(60)]
    assert drawn == [say("mock/random", question(f"number {n}", labels=("x", "y", "z"))) for n in range(60)]
    assert set(drawn) == {"x", "y", "z"}


def test_probabilities_are_given_where_they_are_asked_for() -> None:
    request = question("Which?", labels=("x", "y"), mode="logprobs")
    found = asyncio.run(connect("mock/pick:1").complete(request)).choice_logprobs
    assert found is not None
    assert found[1] > found[0]


@pytest.mark.parametrize("spec", ["mock/", "mock/nonsense", "mock/say:", "mock/pick:first"])
def test_a_name_that_says_nothing_is_refused_with_the_cure(spec: str) -> None:
    with pytest.raises(RunError, match=r"mock/(say|MODEL)"):
        connect(spec)


SCRIPT = """
[[reply]]
when = "Berlin"
say = "A"

[[reply]]
fail = "retryable"
say = "too busy"
times = 1

[[reply]]
when = "Which"
pick = 2
"""


def test_a_script_answers_with_the_first_rule_that_fits(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SCRIPT)
    provider = connect(f"mock/{tmp_path / 's.toml'}")

    async def talk() -> list[object]:
        heard: list[object] = []
        for text in ("Which? Berlin", "Which?", "Which?", "nothing fits"):
            try:
                heard.append((await provider.complete(question(text, labels=("x", "y", "z")))).text)
            except (RetryableError, ItemError) as error:
                heard.append(type(error))
        return heard

    assert asyncio.run(talk()) == ["A", RetryableError, "z", ItemError]
    (tmp_path / "s.toml").write_text(SCRIPT.replace("pick = 2", "pick = 1"))
    assert connect(f"mock/{tmp_path / 's.toml'}").identity != provider.identity


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[reply]]\nsay = 3\n", r"reply 1: say = 3"),
        ("[[reply]]\nsays = 'B'\n", "says"),
        ("[[reply]]\nfail = 'now'\n", "'now' is none of retryable, item, run"),
        ("[[reply]]\nwhen = '('\n", "no regular expression"),
        ("[reply]\nsay = 'B'\n", r"\[\[reply\]\]"),
        ("[[reply]\n", "not valid TOML"),
    ],
)
def test_a_faulty_script_is_named_with_its_fault(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(RunError, match=message) as caught:
        connect(f"mock/{tmp_path / 's.toml'}")
    assert "s.toml" in str(caught.value)


def test_in_python_a_script_is_a_text_a_list_or_a_function() -> None:
    async def hear(provider: MockProvider, count: int) -> list[str]:
        return [(await provider.complete(LABELLED)).text for _ in range(count)]

    assert asyncio.run(hear(MockProvider("B"), 2)) == ["B", "B"]
    assert asyncio.run(hear(MockProvider(["A", Completion("B"), "C"]), 4)) == ["A", "B", "C", "C"]
    assert asyncio.run(hear(MockProvider(lambda request: request.labels[-1]), 1)) == ["z"]
    with pytest.raises(ItemError):
        asyncio.run(hear(MockProvider([ItemError("no")]), 1))


def test_the_command_line_runs_a_scripted_model(tmp_path: Path) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 8)
    done = clika("run", probes, "-m", "mock/pick:0", "--db", tmp_path / "c.db", "--bootstrap", 0, "--json")
    assert {record["accuracy"] for record in records(done)} == {0.25}


HOUSE = """
from clika_providers import BaseProvider, Completion

class House(BaseProvider):
    concurrency = 2
    def __init__(self, model, options):
        self.spec, self.identity = f"house/{model}", {"provider": "house", "model": model}
    async def complete(self, request):
        return Completion(request.labels[1])

class Inside(House):
    runs_here = True
    def __init__(self, model, options):
        self.spec, self.identity = f"inside/{model}", {"provider": "inside", "model": model, "weights": "1f2e"}
    def exact(self, requests):
        return [[(7, request.messages[-1].content.encode())] for request in requests]

class Bare:
    spec, identity, concurrency = "bare/m", {}, 1
    def __init__(self, model, options):
        pass
    async def complete(self, request):
        pass

def half(model, options):
    return object()

def broken(model, options):
    raise KeyError("no such thing")
"""


@pytest.fixture
def other_distribution(tmp_path: Path) -> dict[str, str]:
    """An installed distribution, as pip leaves it: a module, and metadata with entry points."""
    site = tmp_path / "site"
    info = site / "clika_house-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "clika_house.py").write_text(HOUSE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: clika-house\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[clika.providers]\nhouse = clika_house:House\nhalf = clika_house:half\nbroken = clika_house:broken\n"
        "inside = clika_house:Inside\nbare = clika_house:Bare\n"
        "openai = clika_house:House\n"
    )
    return {"PYTHONPATH": f"{site}{os.pathsep}{os.environ['PYTHONPATH']}"}


def test_a_provider_of_another_distribution_is_found_by_its_entry_point(
    tmp_path: Path, other_distribution: dict[str, str]
) -> None:
    probes = write_probes(tmp_path / "mine.jsonl", 4)

    nowhere = ("--base-url", "http://127.0.0.1:1/v1")
    refusals: dict[tuple[str, tuple[str, ...]], str] = {
        ("half/m", ()): "object lacks spec, identity",
        ("bare/m", ()): "Bare does not inherit clika_providers.BaseProvider",
        ("broken/m", ()): "'broken' of clika-house failed: KeyError",
        ("hause/m", ()): "did you mean house/m",
        # What a model can is what it says of itself, whoever made it.
        ("inside/m", nowhere): "--base-url http://127.0.0.1:1/v1 changes nothing: inside/m is asked in this process",
        ("inside/m", ("--ask", "logprobs", "--temperature", "1")): "--temperature changes nothing when inside/m is",
        ("house/m", ("--ask", "likelihood")): "house/m is asked through a chat API",
    }
    commands = [
        ["run", str(probes), "-m", "house/big", "--db", str(tmp_path / "c.db"), "--bootstrap", "0", "--json"],
        ["models", "list", "--json"],
        ["models", "check", "inside/big", "--json"],
        ["prompt", str(probes), "--model", "inside/big", "--json"],
        *(["run", str(probes), "-m", spec, "--db", str(tmp_path / "d.db"), *more] for spec, more in refusals),
    ]
    # One process that has the other distribution; it runs the commands as `clika` does in these tests.
    program = (
        "import json, sys\nfrom clika import clika\nfor words in json.loads(sys.argv[1]):\n"
        "    done = clika(*words, check=None)\n    print(json.dumps([done.returncode, done.stdout, done.stderr]))"
    )
    paths = os.pathsep.join([str(Path(__file__).parent), other_distribution["PYTHONPATH"]])
    ran = subprocess.run(
        [sys.executable, "-c", program, json.dumps(commands)],
        capture_output=True, text=True, env={**os.environ, **other_distribution, "PYTHONPATH": paths}, check=True,
    )  # fmt: skip
    (code, printed, said), (_, listed, _), *told = map(json.loads, ran.stdout.splitlines())
    (_, checked, _), (_, asked, wrong), *refused = told
    assert code == 0, said
    assert {(row["model"], row["accuracy"]) for row in json.loads(printed)["records"]} == {("house/big", 0.25)}
    for (code, _, said), why in zip(refused, refusals.values(), strict=True):
        assert code == 2
        assert why in " ".join(said.split())
    assert [row["note"] for row in json.loads(listed)["providers"] if row["name"] == "house"] == ["from clika-house"]
    facts = json.loads(checked)["local"]
    assert (facts["weights_sha256"], facts["kind"], facts["library"]) == ("1f2e", None, "inside")
    assert facts["letters"]["n"] > 0
    assert wrong == ""
    assert [row["model"]["tokens"][0][0] for row in json.loads(asked)["prompts"]]


def test_the_class_of_the_docs_asks_a_server_with_a_format_of_its_own(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "providers.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (code,) = [block for block in blocks if "class House" in block]
    module: dict[str, Any] = {}
    exec(code, module)

    def behave(seen: Seen) -> Answer:
        if seen.number == 1:
            return Answer(429, {"error": {"message": "too much"}}, {"retry-after": "0"})
        assert seen.path == "/ask"
        assert seen.json().keys() == {"question", "at_most"}
        return Answer(body={"answer": "B"})

    probes = write_probes(tmp_path / "mine.jsonl", 4)
    with Loopback(behave) as server:
        house = module["House"]("big", ProviderOptions(base_url=server.url.removesuffix("/v1")))
        found = clika_client.run(probes, house, db=tmp_path / "c.db").scores
        asked = len(server.seen)
    assert {record.accuracy for record in found.records} == {0.25}
    assert {record.model for record in found.records} == {"house/big"}
    assert asked == 1 + 4 * len(found.records)


def test_a_built_in_name_cannot_be_taken(other_distribution: dict[str, str]) -> None:
    code = "import clika_providers as c; print(type(c.connect('openai/m', c.ProviderOptions(key_command='echo k'))))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **other_distribution},
        check=True,
    )
    assert "OpenAIChat" in done.stdout


def test_the_options_reach_the_provider() -> None:
    assert connect("mock/say:B", ProviderOptions(concurrency=3)).concurrency == 3
