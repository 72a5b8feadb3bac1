"""Teaching in processes of its own, as a configuration of accelerate says: several GPUs, DeepSpeed, FSDP.

`python -m clika_client.conductivity.launch JOB` is what runs in each of them.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clika_client.common.errors import ClikaError, IncompleteRun, StoppedRun, UserError
from clika_client.conductivity import train
from clika_client.conductivity.formats import write_json
from clika_client.conductivity.learner import import_torch
from clika_client.conductivity.presets import TeachSettings

if TYPE_CHECKING:
    from clika_client.conductivity.trainer import TeachProgress

_MARK = "\x1eclika "
"""Begins the lines that are meant for us; the libraries' own lines are passed on."""


def launched(
    config: Path,
    model_dir: Path,
    teaching_file: Path,
    out_dir: Path,
    settings: TeachSettings,
    progress: Callable[[TeachProgress], None],
    gates: Mapping[str, Path] | None,
    epochs: float,
) -> train.TeachResult:
    """`train.run` under `accelerate launch --config_file CONFIG`; raises what that raises."""
    import_torch()
    from clika_client.conductivity.trainer import TeachProgress

    out_dir.mkdir(parents=True, exist_ok=True)
    job = out_dir / "job.json"
    paths = {"model_dir": model_dir, "teaching_file": teaching_file, "out_dir": out_dir}
    document = {name: str(path.resolve()) for name, path in paths.items()}
    gate_paths = {name: str(path.resolve()) for name, path in (gates or {}).items()}
    write_json(job, {**document, "settings": asdict(settings), "gates": gate_paths, "epochs": epochs})
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    command += ["-m", "clika_client.conductivity.launch", str(job)]
    failed: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if not line.startswith(_MARK):
                    sys.stderr.write(line)
                    continue
                told = json.loads(line.removeprefix(_MARK))
                if "error" in told:
                    failed = told
                else:
                    progress(TeachProgress(**told))
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)  # accelerate hands it on, and each process ends with its checkpoint
            process.wait()
            raise
    if failed:
        kind: type[ClikaError] = {"StoppedRun": StoppedRun, "UserError": UserError}.get(failed["kind"], IncompleteRun)
        raise kind(failed["error"])
    if process.returncode:
        raise IncompleteRun(f"teaching as {config} says ended with code {process.returncode}; its own words are above")
    return train.run(model_dir, teaching_file, out_dir, settings, progress, gates, epochs)


def main(job_file: str) -> int:
    """One process of a launched run; the first one tells how it goes on standard output."""
    from clika_client.common.running import interrupt

    job = json.loads(Path(job_file).read_text("utf-8"))
    settings = job["settings"]
    settings["targets"] = tuple(settings["targets"])
    signal.signal(signal.SIGTERM, interrupt)
    try:
        train.run(
            Path(job["model_dir"]),
            Path(job["teaching_file"]),
            Path(job["out_dir"]),
            TeachSettings(**settings),
            lambda step: _tell(asdict(step)),
            {name: Path(path) for name, path in job["gates"].items()},
            job["epochs"],
        )
    except ClikaError as error:
        _tell({"kind": type(error).__name__, "error": str(error)})
    return 0


def _tell(document: Mapping[str, Any]) -> None:
    sys.stdout.write(_MARK + json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
