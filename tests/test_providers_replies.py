"""What counts as a reply of an OpenAI-shaped server, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from servers.asking import ask_one, question
from servers.loopback import Answer, Loopback, Seen, chat

from clika_providers import Completion, ItemError, ProviderError, RetryableError, RunError
from clika_providers.hosted.chat_reply import read_chat
from clika_providers.hosted.rejected_fields import RejectedFields
from clika_providers.traffic.http_errors import Failure, Where

WHERE = Where("openai", "m", "openai", ("OPENAI_API_KEY",))


def read(data: Any, **request: Any) -> Completion:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return read_chat(body, question(**request), WHERE)


def test_an_ordinary_reply_is_read_in_full() -> None:
    data = chat("B", model="gpt-x-2026", system_fingerprint="fp_1")
    data["usage"] = {
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    got = read(data)
    assert (got.text, got.finish_reason, got.model_served, got.fingerprint) == ("B", "stop", "gpt-x-2026", "fp_1")
    usage = got.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens) == (10, 2, 4, 1)
    assert json.loads(got.raw or "") == data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   \n",
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        b'{"choices": [{"message": {"content": "B"',
        b'{"id": "x", "choices": []}',
        b'{"id": "x", "choices": null}',
        b'{"id": "x"}',
        b'{"choices": ["B"]}',
        b'{"choices": [{"message": {"role": "assistant", "content": null}, "finish_reason": "stop"}]}',
        b'{"choices": [{"message": {"role": "assistant", "content": {"text": "B"}}}]}',
        b'{"choices": [{"finish_reason": "stop"}]}',
        b'["B"]',
        b'"B"',
        b"null",
        b"\xff\xfe\x00",
        b"data: {}\n\ndata: [DONE]\n\n",
        b"[" * 100_000,
        b'{"error": {"message": "upstream broke", "code": 502}}',
        b'{"error": "model is loading"}',
        b'{"choices": [{"error": {"message": "upstream broke", "code": 502}, "message": {"content": "B"}}]}',
    ],
)
def test_what_is_no_reply_is_never_an_answer_and_worth_another_try(body: bytes) -> None:
    with pytest.raises(RetryableError):
        read(body)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "Insufficient credits", "code": 402}, RunError),
        ({"message": "No auth credentials found", "code": 401}, RunError),
        ({"message": "You exceeded your current quota", "code": "insufficient_quota"}, RunError),
        ({"message": "Rate limit exceeded", "code": 429}, RetryableError),
        ("Unexpected endpoint or method. (POST /chat/completions)", RunError),
        (
            {"message": "input flagged", "code": 403, "metadata": {"reasons": ["violence"], "raw": "moderation"}},
            ItemError,
        ),
    ],
)
def test_an_error_inside_a_success_means_what_its_code_says(error: Any, kind: type[ProviderError]) -> None:
    with pytest.raises(kind):
        read({"error": error})


def test_content_may_be_a_list_of_parts_with_thoughts_apart() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "red is a colour"}]},
        {"type": "text", "text": "B"},
    ]
    data = chat()
    data["choices"][0]["message"]["content"] = parts
    got = read(data)
    assert (got.text, got.thinking) == ("B", "red is a colour")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_beside_the_content_are_kept_apart(name: str) -> None:
    data = chat("B")
    data["choices"][0]["message"][name] = "let me think"
    got = read(data)
    assert (got.text, got.thinking) == ("B", "let me think")


def test_a_reply_that_a_server_filed_under_thoughts_is_the_reply() -> None:
    data = chat()
    data["choices"][0] = {"message": {"content": None, "reasoning_content": "B"}, "finish_reason": "stop"}
    got = read(data)
    assert (got.text, got.thinking, got.is_answer) == ("B", None, True)


def test_thinking_that_used_up_the_output_is_truncated_and_no_answer() -> None:
    data = chat()
    data["choices"][0] = {"message": {"content": None, "reasoning_content": "hmm"}, "finish_reason": "length"}
    got = read(data)
    assert got.finish_reason == "length"
    assert not got.is_answer


def test_a_filtered_reply_is_no_answer_and_a_refusal_is_one() -> None:
    filtered = chat("")
    filtered["choices"][0]["finish_reason"] = "content_filter"
    assert not read(filtered).is_answer
    refused = chat()
    refused["choices"][0]["message"] = {"content": None, "refusal": "I cannot help with that."}
    got = read(refused)
    assert (got.text, got.finish_reason, got.is_answer) == ("I cannot help with that.", "refusal", True)


def test_a_prompt_that_gemini_blocked_is_recorded_as_filtered() -> None:
    got = read({"choices": [], "promptFeedback": {"blockReason": "SAFETY"}})
    assert (got.finish_reason, got.is_answer) == ("content_filter", False)


@pytest.mark.parametrize(
    ("said", "finish"), [("eos", "stop"), ("length", "length"), (None, None), ("SAFETY", "content_filter")]
)
def test_finish_reasons_are_brought_to_one_vocabulary(said: str | None, finish: str | None) -> None:
    data = chat("B")
    data["choices"][0]["finish_reason"] = said
    assert read(data).finish_reason == finish


def test_usage_may_be_missing() -> None:
    data = chat("B")
    del data["usage"]
    assert read(data).usage.input_tokens is None


def test_a_web_page_is_named_as_such_and_points_to_the_address() -> None:
    page = Answer(200, b"<html>login</html>", {"content-type": "text/html"})
    with (
        Loopback(lambda seen: page) as server,
        pytest.raises(ProviderError, match=r"a web page; is --base-url right\?"),
    ):
        ask_one("openai/m", base_url=server.url)
    assert len(server.seen) <= 3


def test_a_broken_reply_is_asked_for_again() -> None:
    def behave(seen: Seen) -> Answer:
        return Answer(200, b'{"choices": [') if seen.number == 1 else Answer(200, chat("C"))

    with Loopback(behave) as server:
        assert ask_one("openai/m", base_url=server.url).text == "C"
        assert len(server.seen) == 2


def test_half_of_a_surrogate_pair_in_a_reply_does_no_harm() -> None:
    assert read(b'{"choices": [{"message": {"content": "B \\ud83d"}, "finish_reason": "stop"}]}').text.startswith("B")


def test_a_server_that_gives_fewer_alternatives_is_asked_for_so_many() -> None:
    lessons = RejectedFields("openai/m")
    said = "Requested sample logprobs of 20, which is greater than max allowed: 5"
    assert lessons.learn(Failure(said, "400", None), {"logprobs": True, "top_logprobs": 20})
    assert lessons.top_logprobs == 5
    assert "5 alternatives per token" in lessons.notes[0]
    with pytest.raises(RunError, match="--ask text"):
        lessons.learn(Failure("logprobs is not supported", "400", "logprobs"), {"logprobs": True, "top_logprobs": 5})


def test_an_address_without_its_v1_is_told_with_the_cure() -> None:
    with pytest.raises(RunError, match=r"/v1\? Check --base-url"):
        read({"error": "Unexpected endpoint or method. (POST /chat/completions)"})
