"""Teaching a hosted model, against a real HTTP server on this machine that behaves like a fine-tuning service."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clika_client.common.errors import IncompleteRun, UserError
from clika_client.conductivity import hosted
from clika_client.conductivity.fine_tuning import check_open, estimate

KEY = "sk-test-0123456789abcdef"
STATUSES = ["validating_files", "queued", "running", "succeeded"]


class Service(BaseHTTPRequestHandler):
    """Files, jobs and events, as in the OpenAI API reference; one job that moves on at every look."""

    log: list[tuple[str, Any]]
    looks: int
    refuse: tuple[int, dict[str, Any]] | None
    jobs: int
    lose: int
    """Replies to the creation of a job that are lost on their way: the job begins, and nobody hears of it."""
    outcome: str
    reason: str | None

    def do_POST(self) -> None:
        cls = type(self)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        cls.log.append((self.path, body))
        if cls.refuse:
            self._say(*cls.refuse)
        elif self.path == "/v1/files":
            self._say(
                200, {"id": "file-1", "object": "file", "bytes": len(body), "created_at": 1, "purpose": "fine-tune"}
            )
        elif self.path == "/v1/fine_tuning/jobs":
            cls.jobs += 1
            cls.lose -= 1
            if cls.lose >= 0:
                self.close_connection = True
                return
            self._say(200, self._job("validating_files"))
        else:
            self._say(200, self._job("cancelled"))

    def do_GET(self) -> None:
        cls = type(self)
        if "/events" in self.path:
            events = [
                {
                    "id": f"ev-{i}",
                    "object": "fine_tuning.job.event",
                    "created_at": i,
                    "level": "info",
                    "message": f"step {i}",
                }
                for i in range(cls.looks, 0, -1)
            ]
            self._say(200, {"object": "list", "data": events, "has_more": False})
        elif self.path.startswith("/v1/fine_tuning/jobs?"):
            cls.log.append((self.path, b""))
            jobs = [self._job("running", f"file-of-others-{n}", f"other-{n}") for n in range(2)]
            jobs += [self._job("running")] * cls.jobs
            self._say(200, {"object": "list", "data": jobs, "has_more": False})
        else:
            cls.looks = min(cls.looks + 1, len(STATUSES) - 1)
            self._say(200, self._job([*STATUSES[:-1], cls.outcome][cls.looks]))

    def _job(self, status: str, file: str = "file-1", job_id: str = "ftjob-1") -> dict[str, Any]:
        done = status == "succeeded"
        return {
            "id": job_id,
            "training_file": file,
            "object": "fine_tuning.job",
            "created_at": 1,
            "status": status,
            "model": "gpt-4.1-mini",
            "fine_tuned_model": "ft:gpt-4.1-mini:me:clika:x" if done else None,
            "trained_tokens": 4321 if done else None,
            "error": {"code": "x", "message": self.reason, "param": None}
            if status == "failed" and self.reason
            else None,
        }

    def _say(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[type[Service]]:
    as_new = {"log": [], "looks": 0, "refuse": None, "jobs": 0, "lose": 0, "outcome": "succeeded", "reason": None}
    Fresh = type("Fresh", (Service,), as_new)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    Fresh.address = f"http://127.0.0.1:{server.server_port}/v1"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield Fresh
    server.shutdown()
    thread.join()
    server.server_close()


def write_examples(path: Path, count: int) -> Path:
    turns = [{"role": "user", "content": "x" * 25}, {"role": "assistant", "content": "yyyyy"}]
    path.write_text("".join(json.dumps({"messages": turns}) + "\n" for _ in range(count)))
    return path


def test_a_job_goes_from_upload_to_the_tuned_models_id(service: Any, tmp_path: Path) -> None:
    teaching = hosted.HostedTeaching(service.address, KEY, tmp_path / "job.json")
    file = write_examples(tmp_path / "t.jsonl", 12)
    job = teaching.start(file, "gpt-4.1-mini", epochs=3, seed=7)
    assert (job.job_id, job.status, job.model) == ("ftjob-1", "validating_files", None)
    events: list[str] = []
    job = teaching.follow(events.append, every=0)
    assert (job.status, job.model, job.trained_tokens) == ("succeeded", "ft:gpt-4.1-mini:me:clika:x", 4321)
    assert events == ["info: step 1", "info: step 2", "info: step 3"]
    (upload_path, upload), (job_path, created) = service.log
    assert (upload_path, job_path) == ("/v1/files", "/v1/fine_tuning/jobs")
    assert file.read_bytes() in upload
    assert b"fine-tune" in upload
    sent = json.loads(created)
    assert (sent["model"], sent["training_file"], sent["seed"]) == ("gpt-4.1-mini", "file-1", 7)
    assert sent["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}}


def test_starting_again_neither_uploads_nor_pays_twice(service: Any, tmp_path: Path) -> None:
    file = write_examples(tmp_path / "t.jsonl", 12)
    hosted.HostedTeaching(service.address, KEY, tmp_path / "job.json").start(file, "gpt-4.1-mini", epochs=3)
    again = hosted.HostedTeaching(service.address, KEY, tmp_path / "job.json").start(file, "gpt-4.1-mini", epochs=3)
    assert again.job_id == "ftjob-1"
    assert len(service.log) == 2
    with pytest.raises(UserError, match="belongs to another job"):
        hosted.HostedTeaching(service.address, KEY, tmp_path / "job.json").start(file, "gpt-4.1-mini", epochs=4)
    assert KEY not in (tmp_path / "job.json").read_text()


def test_a_refusal_says_what_the_service_said_and_never_shows_the_key(service: Any, tmp_path: Path) -> None:
    service.refuse = (403, {"error": {"message": f"Fine-tuning is closed for key {KEY}", "type": "forbidden"}})
    teaching = hosted.HostedTeaching(service.address, KEY, tmp_path / "job.json")
    with pytest.raises(UserError, match="answered 403: Fine-tuning is closed") as caught:
        teaching.start(write_examples(tmp_path / "t.jsonl", 12), "gpt-4.1-mini", epochs=3)
    assert KEY not in str(caught.value)
    assert not (tmp_path / "job.json").exists()


def test_a_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    teaching = hosted.HostedTeaching("http://127.0.0.1:9/v1", KEY, tmp_path / "job.json")
    teaching._client = teaching._client.with_options(max_retries=0)
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9/v1 cannot be reached"):
        teaching.start(write_examples(tmp_path / "t.jsonl", 12), "m", epochs=1)


def test_the_price_is_known_before_anything_is_sent(tmp_path: Path) -> None:
    file = write_examples(tmp_path / "t.jsonl", 300)
    known = estimate(file, "gpt-4.1-mini-2025-04-14", 3, "https://api.openai.com/v1")
    # 300 examples of 30 bytes are 3,000 tokens at three bytes each; three epochs at $5 per million.
    # The chat form adds three tokens and the role to each of two messages, and three for the reply.
    assert (known.examples, known.tokens) == (300, 3000 + 300 * (2 * 4 + 3))
    assert known.dollars == pytest.approx(6300 * 3 * 5 / 1e6)
    assert "about $0.09" in str(known)
    unknown = estimate(file, "some-model", 3, "http://127.0.0.1:1/v1")
    assert unknown.dollars is None
    assert "price unknown" in str(unknown)
    assert estimate(file, "some-model", 2, "http://127.0.0.1:1/v1", price=10.0).dollars == pytest.approx(
        6300 * 2 * 10 / 1e6
    )


def test_a_file_that_services_would_refuse_is_refused_here(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="9 examples; services ask for at least 10"):
        estimate(write_examples(tmp_path / "t.jsonl", 9), "m", 1, "https://api.openai.com/v1")


def test_openai_is_open_until_its_last_day_and_closed_after() -> None:
    note = check_open("https://api.openai.com/v1", date(2027, 1, 6))
    assert note is not None
    assert "2027-01-06" in note
    with pytest.raises(UserError, match="accepts no fine-tuning jobs since 2027-01-06"):
        check_open("https://api.openai.com/v1", date(2027, 1, 7))


def test_services_with_an_api_of_their_own_are_pointed_to_the_export() -> None:
    with pytest.raises(UserError, match=r"Together AI: .*clika teach build"):
        check_open("https://api.together.xyz/v1", date(2026, 11, 21))
    assert check_open("http://localhost:8000/v1", date(2026, 11, 21)) is None


def test_a_lost_reply_starts_no_second_job(service: Any, tmp_path: Path) -> None:
    service.lose = 1
    file = write_examples(tmp_path / "t.jsonl", 12)
    with pytest.raises(IncompleteRun, match="did not say whether the job began"):
        hosted.HostedTeaching(service.address, KEY, tmp_path / "job.json").start(file, "gpt-4.1-mini", epochs=3)
    assert service.jobs == 1
    job = hosted.HostedTeaching(service.address, KEY, tmp_path / "job.json").start(file, "gpt-4.1-mini", epochs=3)
    assert (job.job_id, service.jobs) == ("ftjob-1", 1)
    paths = [path.partition("?")[0] for path, _ in service.log]
    assert paths == ["/v1/files", "/v1/fine_tuning/jobs", "/v1/fine_tuning/jobs"], "one upload, one creation, one look"


def test_a_job_that_never_began_is_begun_by_the_same_command(service: Any, tmp_path: Path) -> None:
    file = write_examples(tmp_path / "t.jsonl", 12)
    service.refuse = (500, {"error": {"message": "trouble", "type": "server_error"}})
    teaching = hosted.HostedTeaching(service.address, KEY, tmp_path / "job.json")
    teaching._keep({**teaching_state(service, file), "file_id": "file-1"})
    with pytest.raises(IncompleteRun, match="did not say whether"):
        teaching.start(file, "gpt-4.1-mini", epochs=3)
    assert len(service.log) == 1, "a server in trouble is asked for a job once"
    service.refuse = (429, {"error": {"message": "slow down", "type": "rate"}})
    with pytest.raises(UserError, match="answered 429: slow down"):
        teaching.start(file, "gpt-4.1-mini", epochs=3)
    assert service.jobs == 0
    service.refuse = None
    assert (teaching.start(file, "gpt-4.1-mini", epochs=3).job_id, service.jobs) == ("ftjob-1", 1)


def teaching_state(service: Any, file: Path) -> dict[str, Any]:
    digest = hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()
    return {"base_url": service.address, "model": "gpt-4.1-mini", "epochs": 3, "seed": 0, "file": digest}


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "cancelled"])
def test_after_its_end_a_job_is_looked_at_again_and_never_begun_again(
    service: Any, tmp_path: Path, outcome: str
) -> None:
    service.outcome = outcome
    file = write_examples(tmp_path / "t.jsonl", 12)
    for _ in range(2):
        teaching = hosted.HostedTeaching(service.address, KEY, tmp_path / hosted.STATE)
        teaching.start(file, "gpt-4.1-mini", epochs=3)
        job = teaching.follow(lambda line: None, every=0)
        assert (job.status, job.failed) == (outcome, outcome != "succeeded")
    assert service.jobs == 1
    assert hosted.known_job(tmp_path) == job


def test_a_failed_job_tells_why() -> None:
    reply: Any = type("Reply", (), {})()
    reply.id, reply.status, reply.fine_tuned_model = "j", "failed", None
    reply.error = type("Error", (), {"message": "the file has no examples"})()
    job = hosted._job(reply)
    assert (job.ended, job.error) == (True, "the file has no examples")
