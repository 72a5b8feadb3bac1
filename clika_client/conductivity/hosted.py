"""Teaching a hosted model: the upload, its job and events, and the resulting model's id."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from clika_client.common.errors import IncompleteRun, StoppedRun, UserError
from clika_client.common.files import replacing
from clika_client.conductivity.fine_tuning import check_open, service_at
from clika_providers.hosted.servers import refuse_clear_text, sound_address
from clika_providers.keys import redact, remember

STATE = "hosted.json"
"""In the experiment's folder: what was uploaded and begun, and how it ended."""
ENDED = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class TuningJob:
    """Where a job stands."""

    job_id: str
    status: str
    """The service's word: validating_files, queued, running, succeeded, failed or cancelled."""
    model: str | None = None
    """The tuned model's id, once there is one: what to ask with `clika run -m`."""
    error: str | None = None
    trained_tokens: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED

    @property
    def failed(self) -> bool:
        """Whether it ended without a model."""
        return self.ended and self.status != "succeeded"


class HostedTeaching:
    """One job at one service; what was uploaded and started is remembered in `state_file`, so nothing is paid twice.

    A job is asked for once. Where no reply to that came, nobody knows whether it began: it is looked for among the
    service's jobs, by the id of the file that was uploaded for it, before another is asked for.
    """

    def __init__(self, base_url: str, api_key: str, state_file: Path, *, insecure_http: bool = False) -> None:
        """Raises RunError for what is no address, or one that the key would reach in the clear."""
        import openai

        self.base_url, self.state_file = sound_address(base_url), state_file
        refuse_clear_text(self.base_url, self.base_url, insecure_http)
        self._client = openai.OpenAI(base_url=self.base_url, api_key=remember(api_key), max_retries=4, timeout=120)

    def start(self, teaching_file: Path, model: str, epochs: int, seed: int = 0, suffix: str = "clika") -> TuningJob:
        """Upload the file and create the job, or take up the one this state file knows.

        Raises UserError when the service refuses, or when the state file belongs to another job.
        """
        check_open(self.base_url, date.today())
        content = teaching_file.read_bytes()
        wanted = {
            "base_url": self.base_url,
            "model": model,
            "epochs": epochs,
            "seed": seed,
            "file": hashlib.blake2b(content, digest_size=16).hexdigest(),
        }
        state = self._state()
        if state and {key: state.get(key) for key in wanted} != wanted:
            raise UserError(f"{self.state_file} belongs to another job; name another output directory")
        if not state.get("file_id"):
            uploaded = self._call(
                lambda: self._client.files.create(file=(teaching_file.name, content), purpose="fine-tune")
            )
            state = self._keep({**wanted, "file_id": uploaded.id})
        if state.get("job_id"):
            return self.look()
        job = self._begun(state["file_id"]) if state.get("asked") else None
        if job is None:
            self._keep({**state, "asked": True})
            job = self._create(model, state["file_id"], epochs, seed, suffix)
        self._keep({**state, "asked": True, "job_id": job.job_id})
        return job

    def _begun(self, file_id: str) -> TuningJob | None:
        """The service's job for that file, if there is one: nobody else has a job for a file that we uploaded."""
        jobs = self._call(lambda: list(self._client.fine_tuning.jobs.list(limit=100)))
        return next((_job(job) for job in jobs if job.training_file == file_id), None)

    def _create(self, model: str, file_id: str, epochs: int, seed: int, suffix: str) -> TuningJob:
        import openai

        method: Any = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
        # Never by itself again: a reply that is lost on its way may be that of a job that has begun and costs money.
        once = self._client.with_options(max_retries=0)
        try:
            return _job(
                once.fine_tuning.jobs.create(
                    model=model,
                    training_file=file_id,
                    seed=seed,
                    suffix=suffix,
                    method=method,
                    extra_headers={"Idempotency-Key": f"clika-{file_id}"},
                )
            )
        except openai.APIError as error:
            # A refusal says that nothing began; no reply, or that of a server in trouble, says nothing.
            if isinstance(error, openai.APIStatusError) and error.status_code < 500 and error.status_code != 408:
                self._keep({key: value for key, value in self._state().items() if key != "asked"})
                return _job(self._call(partial(_raise, error)))
            raise IncompleteRun(
                f"{self.base_url} did not say whether the job began ({redact(str(error))}); the same command looks for "
                "it there, and starts one only if there is none"
            ) from None

    def look(self) -> TuningJob:
        """Ask where the job stands; raises UserError when none was started."""
        return _job(self._call(lambda: self._client.fine_tuning.jobs.retrieve(self._job_id())))

    def cancel(self) -> TuningJob:
        """Ask the service to stop the job."""
        return _job(self._call(lambda: self._client.fine_tuning.jobs.cancel(self._job_id())))

    def follow(self, on_event: Callable[[str], None], every: float = 10.0) -> TuningJob:
        """Wait for the end of the job, handing on each event once; Ctrl-C leaves the job running (StoppedRun)."""
        seen: set[str] = set()
        try:
            while True:
                job = self.look()
                self._tell(seen, on_event)
                if job.ended:
                    self._keep({**self._state(), "ended": asdict(job)})
                    return job
                time.sleep(every)
        except KeyboardInterrupt:
            raise StoppedRun(
                f"job {self._job_id()} goes on at the service; the same command looks at it again"
            ) from None

    def _tell(self, seen: set[str], on_event: Callable[[str], None]) -> None:
        events = self._call(lambda: self._client.fine_tuning.jobs.list_events(self._job_id(), limit=100)).data
        for event in sorted(events, key=lambda e: e.created_at):
            if event.id not in seen:
                seen.add(event.id)
                on_event(f"{event.level}: {event.message}")

    def _job_id(self) -> str:
        job_id = self._state().get("job_id")
        if not job_id:
            raise UserError(f"{self.state_file}: no job was started yet")
        return str(job_id)

    def _state(self) -> dict[str, Any]:
        if not self.state_file.exists():
            return {}
        state = json.loads(self.state_file.read_text(encoding="utf-8"))
        return state if isinstance(state, dict) else {}

    def _keep(self, state: dict[str, Any]) -> dict[str, Any]:
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.state_file) as part:
            part.write_text(json.dumps(state, indent=1), encoding="utf-8")
        return state

    def _call(self, ask: Callable[[], Any]) -> Any:
        """One request; what the service or the network refuses becomes a UserError without the key in it."""
        import openai

        try:
            return ask()
        except openai.APIStatusError as error:
            body = error.body if isinstance(error.body, dict) else {}
            said = redact(str(body.get("message") or error.message))[:500]
            service = service_at(self.base_url)
            about = f" {service.title}: {service.status}" if service else ""
            raise UserError(f"{self.base_url} answered {error.status_code}: {said}.{about}") from None
        except openai.APIError as error:
            raise UserError(f"{self.base_url} cannot be reached: {redact(str(error))}") from None


def _raise(error: Exception) -> Any:
    raise error


def known_job(folder: Path) -> TuningJob | None:
    """The job that a folder remembers, as far as it was followed; None where there is none."""
    path = folder / STATE
    if not path.is_file():
        return None
    state = json.loads(path.read_text(encoding="utf-8"))
    if "ended" in state:
        return TuningJob(**state["ended"])
    return TuningJob(str(state.get("job_id", "")), "begun" if state.get("job_id") else "not begun")


def _job(reply: Any) -> TuningJob:
    """A TuningJob from the service's reply; fields that a service leaves out stay None."""
    error = getattr(reply, "error", None)
    job = TuningJob(str(reply.id), str(reply.status), getattr(reply, "fine_tuned_model", None))
    message = getattr(error, "message", None)
    return replace(
        job, error=redact(message) if message else None, trained_tokens=getattr(reply, "trained_tokens", None)
    )
