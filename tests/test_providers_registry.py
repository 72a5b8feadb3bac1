"""Model specs, the table of servers, identities, and what a check of a model reports."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from servers.asking import QUICK, question
from servers.loopback import Answer, Loopback, Seen, chat
from servers.programs import free_port

from clika_cache.keys import KeyMaker
from clika_providers import ProviderOptions, RunError, connect, model_check, parse_spec, provider_table, registry
from clika_providers.hosted.servers import Server, known_servers
from clika_providers.model_check import check, list_models

REMOTE = [name for name, server in known_servers().items() if server.kind not in ("gguf", "mock")]
ADDRESS = "https://models.example.org/v1"


def options(**changes: Any) -> ProviderOptions:
    return ProviderOptions(**{**QUICK, **changes})


@pytest.mark.parametrize("kind", get_args(get_type_hints(Server)["kind"]))
def test_every_kind_of_server_has_a_row_a_factory_and_an_adapter_that_names_itself(kind: str) -> None:
    rows = [name for name, server in known_servers().items() if server.kind == kind]
    assert rows, f"servers.toml has no row of kind {kind!r}"
    assert kind in registry._BUILT_IN, f"registry.py makes nothing of kind {kind!r}"
    if rows[0] in REMOTE:
        made = connect(f"{rows[0]}/m", options(base_url=ADDRESS))
        lacking = [name for name in ("adapter_version", "models_path") if not hasattr(made, name)]
        assert not lacking, f"{type(made).__name__} in hosted/ names no {' and no '.join(lacking)}"


def test_a_spec_is_split_at_its_first_slash() -> None:
    assert parse_spec("openrouter/vendor/model") == ("openrouter", "vendor/model")
    assert parse_spec("ollama/qwen3:4b") == ("ollama", "qwen3:4b")
    assert parse_spec("gguf//models/a.gguf") == ("gguf", "/models/a.gguf")


@pytest.mark.parametrize(
    ("spec", "cure"),
    [
        ("gpt-4o", "write PROVIDER/MODEL; providers: anthropic, azure"),
        ("opnai/gpt-4o", "did you mean openai/gpt-4o"),
        ("openai/", "write openai/MODEL"),
        ("models/tiny.gguf", "write gguf/models/tiny.gguf"),
        ("http://localhost:8000/v1", "--base-url"),
        ("", "providers: "),
        ("nobody/model", "providers: anthropic"),
    ],
)
def test_a_wrong_spec_is_told_with_its_cure(spec: str, cure: str) -> None:
    with pytest.raises(RunError, match=cure):
        parse_spec(spec)


@pytest.mark.parametrize("name", [n for n in REMOTE if known_servers()[n].key == "required" and n != "azure"])
def test_a_missing_key_names_its_variable(name: str) -> None:
    with pytest.raises(RunError, match=known_servers()[name].key_env[0]):
        connect(f"{name}/m")


def test_azure_wants_an_address_and_takes_it_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-key-123456")
    with pytest.raises(RunError, match="AZURE_OPENAI_ENDPOINT"):
        connect("azure/deployment")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://me.openai.azure.com/")
    assert connect("azure/deployment").identity["base_url"] == "me.openai.azure.com/openai/v1"


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(RunError, match="not an http"):
        connect("openai/m", options(base_url=address))


def test_two_models_never_share_a_key_whatever_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: dict[bytes, str] = {}
    for name in REMOTE:
        for model in ("a", "b"):
            for address in (ADDRESS, ADDRESS + "/other", "http://127.0.0.1:8001/v1", "http://127.0.0.1:8002/v1"):
                provider = connect(f"{name}/{model}", options(base_url=address))
                key = KeyMaker(provider.identity).key(question())
                assert key not in keys, f"{keys[key]} and {provider.spec} at {address}"
                keys[key] = f"{provider.spec} at {address}"
    # One address apart from /v1, which Anthropic's door treats as the same place.
    assert len(keys) == len(REMOTE) * 8


def test_an_identity_says_where_without_saying_who() -> None:
    given = options(base_url="https://me:secret-word@models.example.org/v1/")
    assert "secret-word" not in str(dict(connect("openai/m", given).identity))


def test_the_usual_address_and_the_same_address_given_are_one_identity() -> None:
    default = connect("ollama/m").identity
    assert default == connect("ollama/m", options(base_url="http://localhost:11434/v1/")).identity


def test_fields_the_user_adds_to_the_body_are_part_of_the_identity() -> None:
    plain, more = connect("ollama/m"), connect("ollama/m", options(extra_body=(("top_k", 1),)))
    assert plain.identity != more.identity


def test_connecting_imports_no_vendor_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys, clika_providers as c; c.connect('ollama/m'); c.provider_table();"
        "assert not {'openai', 'httpx2', 'llama_cpp'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_user_may_name_a_server_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "servers.toml").write_text('[house]\nbase_url = "http://10.0.0.5:8000/v1"\nkey = "optional"\n')
    monkeypatch.setenv("CLIKA_HOME", str(tmp_path))
    assert connect("house/big").spec == "house/big"
    assert "house" in {row.name for row in provider_table()}


def _openai_like(seen: Seen) -> Answer:
    if seen.path.endswith("/models"):
        rows = [{"id": "m", "shutdown_date": "2027-01-14"}, {"id": "models/a"}]
        return Answer(200, {"object": "list", "data": rows})
    data = chat("B", model="m-2026")
    if seen.json().get("logprobs"):
        top = [{"token": "B", "logprob": -0.1}, {"token": " A", "logprob": -3.0}]
        data["choices"][0]["logprobs"] = {"content": [{"token": "B", "logprob": -0.1, "top_logprobs": top}]}
    return Answer(200, data)


def test_a_check_tells_what_a_run_would_meet_with_one_probe() -> None:
    with Loopback(_openai_like) as server:
        report = asyncio.run(check("openai/m", options(base_url=server.url)))
        probes = [s for s in server.seen if s.path.endswith("/chat/completions")]
    assert len(probes) == 1
    assert (report.ok, report.reachable, report.key_accepted, report.logprobs) == (True, True, True, True)
    assert (report.model_served, report.shutdown_date, report.said) == ("m-2026", "2027-01-14", "B")
    assert report.thinking_off


def test_a_check_of_a_model_without_logprobs_asks_once_more_for_text() -> None:
    def behave(seen: Seen) -> Answer:
        if seen.path.endswith("/models"):
            return Answer(404, {"error": {"message": "no such path"}})
        data = chat("B")
        data["choices"][0]["message"]["reasoning_content"] = "thinking all the same"
        return Answer(200, data)

    with Loopback(behave) as server:
        report = asyncio.run(check("openai/m", options(base_url=server.url)))
    assert (report.ok, report.logprobs, report.shutdown_date, report.thinking_off) == (True, False, None, False)


def test_a_check_tells_a_rejected_key_from_a_server_that_is_not_there() -> None:
    with Loopback(lambda seen: Answer(401, {"error": {"message": "Incorrect API key provided"}})) as server:
        rejected = asyncio.run(check("openai/m", options(base_url=server.url)))
    assert (rejected.ok, rejected.reachable, rejected.key_accepted) == (False, True, False)
    nobody = asyncio.run(check("openai/m", options(base_url=f"http://127.0.0.1:{free_port()}/v1")))
    assert (nobody.ok, nobody.reachable, nobody.key_accepted) == (False, False, None)


def test_a_check_that_sent_nothing_says_nothing_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    report = asyncio.run(check("openai/m"))
    assert (report.reachable, report.key_accepted, report.ok) == (None, None, False)
    assert "OPENAI_API_KEY" in str(report.error)


def test_a_check_of_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_check, "_PATIENCE_S", 0.2)
    with Loopback(lambda seen: Answer(hang=True)) as server:
        report = asyncio.run(check("openai/m", ProviderOptions(base_url=server.url, backoff_s=0.01)))
    assert not report.ok
    assert report.key_accepted is None


def test_a_servers_models_are_listed_by_name() -> None:
    with Loopback(_openai_like) as server:
        found = asyncio.run(list_models("openai", options(base_url=server.url)))
    assert [(m.id, m.shutdown_date) for m in found] == [("a", None), ("m", "2027-01-14")]


def test_a_long_list_of_models_is_followed_to_its_end() -> None:
    def behave(seen: Seen) -> Answer:
        if "after_id=claude-a" in seen.path:
            return Answer(200, {"data": [{"id": "claude-b"}], "has_more": False, "last_id": "claude-b"})
        return Answer(200, {"data": [{"id": "claude-a"}], "has_more": True, "last_id": "claude-a"})

    with Loopback(behave) as server:
        found = asyncio.run(list_models("anthropic", options(base_url=server.url)))
    assert [m.id for m in found] == ["claude-a", "claude-b"]


WRONG_ROWS = {
    'key_env = "HOUSE_API_KEY"': r"key_env must be a list of texts.*not 'HOUSE_API_KEY'",
    'key_env = ["_"]': "'_', which is no environment variable",
    'concurrency = "8"': "concurrency must be a whole number, not '8'",
    "concurrency = true": "concurrency must be a whole number, not True",
    "concurrency = 0": "concurrency must be 1 or more",
    'kind = "weird"': "kind must be one of 'openai', 'anthropic'",
    "base_url = 8000": "base_url must be a text, not 8000",
    'body = "x"': "body must be a table",
    'adress = "x"': "unknown fields: adress; known: title, kind",
}


@pytest.mark.parametrize("line", WRONG_ROWS)
def test_a_wrong_value_in_the_users_table_of_servers_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (tmp_path / "servers.toml").write_text(f"[house]\n{line}\n")
    monkeypatch.setenv("CLIKA_HOME", str(tmp_path))
    with pytest.raises(RunError, match=rf"servers\.toml: \[house\].*{WRONG_ROWS[line]}"):
        connect("house/m")


def test_a_change_of_the_users_table_is_seen_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIKA_HOME", str(tmp_path))
    with pytest.raises(RunError, match="no provider is called 'house'"):
        connect("house/m")
    (tmp_path / "servers.toml").write_text('[house]\nbase_url = "http://localhost:1/v1"\nkey = "optional"\n')
    assert connect("house/m").spec == "house/m"
