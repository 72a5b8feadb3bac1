"""Which parameters are sent to which model, what the user may override, and what is learnt from a 400."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from servers.asking import ask_many, ask_one, question, using
from servers.loopback import Answer, Loopback, Seen, chat

from clika_providers import Message, Request, RunError
from clika_providers.hosted.capabilities import capabilities_for, rejected_parameter
from clika_providers.hosted.chat_body import chat_body


def body(server: str, model: str, **changes: Any) -> dict[str, Any]:
    return chat_body(question(**changes), model, capabilities_for(server, model), extra={})


# Rows after the vendors' documentation as gathered for capabilities.toml.
@pytest.mark.parametrize(
    ("server", "model", "present", "absent"),
    [
        (
            "openai",
            "gpt-4o-mini",
            {"max_tokens": 64, "temperature": 0.0},
            ["max_completion_tokens", "reasoning_effort"],
        ),
        ("openai", "gpt-6-luna", {"max_completion_tokens": 64, "reasoning_effort": "none"}, ["max_tokens"]),
        ("openai", "gpt-5.1", {"temperature": 0.0, "reasoning_effort": "none"}, ["max_tokens"]),
        (
            "openai",
            "gpt-5",
            {"reasoning_effort": "minimal", "max_completion_tokens": 2048},
            ["temperature", "max_tokens"],
        ),
        ("openai", "gpt-5-mini-2025-08-07", {"reasoning_effort": "minimal"}, ["temperature"]),
        ("openai", "o3", {"reasoning_effort": "low", "max_completion_tokens": 2048}, ["temperature"]),
        ("openai", "gpt-6-astra", {"reasoning_effort": "low"}, ["temperature"]),
        ("openai", "gpt-6.1-sol", {"reasoning_effort": "low"}, ["temperature"]),
        ("openai", "ft:gpt-4o-mini:me::1", {"max_tokens": 64}, []),
        ("azure", "gpt-6-luna", {"max_completion_tokens": 64}, ["max_tokens"]),
        ("ollama", "qwen3:4b", {"max_tokens": 64, "reasoning_effort": "none"}, []),
        ("ollama", "llama3.2", {"max_tokens": 64}, ["reasoning_effort"]),
        ("vllm", "x", {"chat_template_kwargs": {"enable_thinking": False}}, []),
        ("deepseek", "deepseek-v4-flash", {"thinking": {"type": "disabled"}}, []),
        ("gemini", "gemini-2.5-flash", {"reasoning_effort": "none", "max_tokens": 64}, []),
        ("gemini", "gemini-3.5-flash", {"reasoning_effort": "low", "max_tokens": 2048}, []),
        ("openrouter", "vendor/model", {"reasoning": {"enabled": False}}, []),
    ],
)
def test_each_model_family_gets_the_parameters_it_takes(
    server: str, model: str, present: dict[str, Any], absent: list[str]
) -> None:
    sent = body(server, model)
    assert {name: sent.get(name) for name in present} == present
    assert not set(absent) & sent.keys()


def test_mistral_calls_the_seed_by_its_own_name() -> None:
    assert body("mistral", "mistral-small-2603", seed=7)["random_seed"] == 7


def test_thinking_that_is_asked_for_is_left_on_and_gets_room() -> None:
    sent = body("openai", "gpt-6-luna", thinking=True)
    assert "reasoning_effort" not in sent
    assert "temperature" not in sent
    assert sent["max_completion_tokens"] == 2048


@pytest.mark.parametrize(
    ("server", "model"),
    [("openai", "o3"), ("openai", "gpt-5"), ("groq", "qwen/qwen3-32b"), ("gemini", "gemini-2.5-flash")],
)
def test_label_probabilities_are_refused_before_anything_is_sent_where_there_are_none(server: str, model: str) -> None:
    with pytest.raises(RunError, match="--ask text"):
        body(server, model, mode="logprobs", labels=("A", "B"))


@pytest.mark.parametrize(
    ("server", "field"),
    [
        ("vllm", "structured_outputs"),
        ("llama-server", "grammar"),
        ("openai", "response_format"),
        ("ollama", "response_format"),
    ],
)
def test_text_is_held_to_the_labels_in_each_servers_own_way(server: str, field: str) -> None:
    assert field in body(server, "some-model", grammar=True, labels=("A", 'B"'))


def test_text_that_cannot_be_held_to_the_labels_is_refused() -> None:
    with pytest.raises(RunError, match="answer labels"):
        body("deepseek", "deepseek-v4-flash", grammar=True, labels=("A", "B"))


def test_a_model_without_a_system_role_gets_its_text_in_the_first_user_turn() -> None:
    request = Request((Message("system", "Be brief."), Message("user", "Which?")))
    sent = chat_body(request, "gemma-3-4b", capabilities_for("llama-server", "gemma-3-4b"), extra={})
    assert sent["messages"] == [{"role": "user", "content": "Be brief.\n\nWhich?"}]


def test_the_users_file_wins_over_the_table(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        '[[rule]]\nservers = ["openai"]\nmodels = "^house-"\ntemperature = false\nmax_tokens = "max_output"\n'
    )
    got = capabilities_for("openai", "house-1", mine)
    assert (got.temperature, got.max_tokens) == (False, "max_output")
    assert capabilities_for("openai", "other", mine).temperature


def test_the_file_in_the_configuration_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "capabilities.toml").write_text('[[rule]]\nservers = ["*"]\nmodels = "mine"\nseed = false\n')
    monkeypatch.setenv("CLIKA_HOME", str(tmp_path))
    assert not capabilities_for("vllm", "mine").seed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule]]\nmodels = '('\n", "not a regular expression"),
        ("[[rule]]\ntemprature = false\n", "unknown fields: temprature"),
        ("[[rule\n", "not valid TOML"),
    ],
)
def test_a_faulty_file_of_the_users_is_named_with_its_fault(tmp_path: Path, text: str, message: str) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(text)
    with pytest.raises(RunError, match=message) as caught:
        capabilities_for("openai", "m", mine)
    assert "mine.toml" in str(caught.value)


# Messages as the vendors word them.
@pytest.mark.parametrize(
    ("message", "param", "found"),
    [
        ("Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is.",
         "temperature", "temperature"),
        ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
         "max_tokens", "max_tokens"),
        ("Unrecognized request argument supplied: reasoning_effort", None, "reasoning_effort"),
        ("Extra inputs are not permitted: seed", None, "seed"),
        ("`temperature` is deprecated for this model.", None, "temperature"),
        ("property 'stop' is unsupported", None, "stop"),
        ("The request is too long", None, None),
        ("Unsupported value: 'messages[0].role' does not support 'system'", "messages[0].role", None),
        ("temperature must be between 0 and 2", None, None),
        ("Unknown model", None, None),
    ],
)  # fmt: skip
def test_the_parameter_a_400_names_is_found(message: str, param: str | None, found: str | None) -> None:
    sent = {
        "model": "m",
        "messages": [],
        "temperature": 0,
        "max_tokens": 9,
        "seed": 1,
        "stop": [],
        "reasoning_effort": "x",
    }
    assert rejected_parameter(message, param, sent) == found


def _picky(seen: Seen) -> Answer:
    """A server that takes neither temperature nor max_tokens."""
    sent = seen.json()
    if "max_tokens" in sent:
        words = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return Answer(400, {"error": {"message": words, "param": "max_tokens", "code": "unsupported_parameter"}})
    if "temperature" in sent:
        words = "Unsupported value: 'temperature' does not support 0 with this model."
        return Answer(400, {"error": {"message": words, "param": "temperature", "code": "unsupported_value"}})
    return Answer(200, chat("B"))


def test_a_rejected_parameter_is_dropped_once_remembered_and_reported() -> None:
    async def work(provider: Any) -> list[str]:
        outcome = await ask_many(provider, 30, 8)
        assert len(outcome.answers) == 30
        return list(provider.notes)

    with Loopback(_picky) as server:
        notes = using("openai/new-model", work, base_url=server.url)
        sent = [seen.json() for seen in server.seen]
    # The first question alone meets both rejections: 30 questions cost 32 requests.
    assert len(sent) == 32
    assert all("temperature" not in s and s["max_completion_tokens"] == 64 for s in sent[2:])
    assert any(note.startswith("temperature was dropped: the model rejects it") for note in notes)
    assert any("max_completion_tokens is sent instead of max_tokens" in note for note in notes)


def test_logprobs_that_are_rejected_stop_the_run_instead_of_being_dropped() -> None:
    words = {"error": {"message": "logprobs is not supported with this model", "param": "logprobs"}}
    with Loopback(lambda seen: Answer(400, words)) as server, pytest.raises(RunError, match="--ask text"):
        ask_one("openai/m", question(mode="logprobs", labels=("A", "B")), base_url=server.url)
    assert len(server.seen) == 1


def test_a_reply_without_the_logprobs_asked_for_is_never_read_as_text() -> None:
    with Loopback() as server, pytest.raises(RunError, match="without logprobs; ask it with --ask text"):
        ask_one("openai/m", question(mode="logprobs", labels=("A", "B")), base_url=server.url)
