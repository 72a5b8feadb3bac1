"""What an experiment's folder holds: its steps, what it is about, and the scores of what was asked."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.conductivity import asking, folder, forgetting
from clika_client.conductivity.about import STATE, about
from clika_client.conductivity.formats import write_json
from clika_client.conductivity.free_answers import offered_to, with_names
from clika_client.conductivity.material import Form, Material
from clika_client.conductivity.replies import ExperimentReplies, load_replies, save_replies
from clika_client.conductivity.score import score
from clika_client.conductivity.scored_pairs import Score

BASE, TAUGHT, SCORE = "base.gguf", "taught.gguf", "score.json"
ASKED = "asked.json"
"""In the folder of a model that is taught elsewhere: which material it is asked about."""
ROUNDS = "rounds"
"""What earlier rounds, whose gate failed, left: a folder for each with its replies and its score."""


def state_of(out: Path) -> dict[str, Any]:
    """What a folder was begun with; empty where it was not."""
    path = out / STATE
    if not path.is_file():
        return {}
    found = json.loads(path.read_text("utf-8"))
    return found if isinstance(found, dict) else {}


def steps(out: Path) -> list[tuple[str, bool]]:
    """What an experiment's folder is to hold in the end, and whether it does; raises UserError for another folder."""
    if (out / ASKED).is_file() and not (out / STATE).is_file():
        return _steps_elsewhere(out)
    if not (out / STATE).is_file():
        raise UserError(f"{out} holds no experiment; `clika teach run` begins one")
    asked = sorted(path.name for path in out.glob("before.*.json"))
    names = [BASE, *(asked or ["before.text.json"]), TAUGHT, *(n.replace("before", "after") for n in asked), SCORE]
    return [(name, (out / name).exists()) for name in names]


def _steps_elsewhere(out: Path) -> list[tuple[str, bool]]:
    """The same for a model that is taught elsewhere: its job where we began one, and what was asked."""
    from clika_client.conductivity.hosted import known_job

    job = known_job(out)
    forms = sorted({path.name.split(".")[1] for when in ("before", "after") for path in out.glob(f"{when}.*.json")})
    names = [f"{when}.{form}.json" for when in ("before", "after") for form in forms or ["text"]]
    found = [(name, (out / name).exists()) for name in names]
    if job is not None:
        told = f"job {job.job_id}".strip()
        found.insert(len(found) // 2, (f"{told}: {job.status}", job.status == "succeeded"))
    return found


def material_of(out: Path) -> Path:
    """The material an experiment was begun with; raises UserError for a folder without an experiment."""
    for name in (STATE, ASKED):
        if (out / name).is_file():
            return Path(json.loads((out / name).read_text("utf-8"))["material_path"])
    raise UserError(f"{out} holds no experiment; `clika teach run` begins one")


def note_material(out: Path, material: Path) -> None:
    """Remember which material a folder's replies are to, for a model that is taught elsewhere."""
    if not (out / STATE).is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / ASKED, {"material_path": str(material.resolve())})


def reply_file(when: str, form: Form) -> str:
    """Name of the file that keeps the replies of one step."""
    return f"{when}.{form}.json"


def score_folder(material_dir: Path, out: Path, **options: Any) -> list[Score]:
    """Score every form that was asked after teaching; raises UserError when there is none."""
    material = folder.read(material_dir)
    digest = folder.material_digest(material_dir)
    scores = []
    for form in asking.FORMS:
        after = _read(out / reply_file("after", form), material, digest)
        if after is not None:
            before = _read(out / reply_file("before", form), material, digest)
            which = about(out, after.model, digest)
            scores.append(score(material, after, before, about=which, forgetting=forgetting.compare(out), **options))
    if not scores:
        raise UserError(
            f"{out} holds no replies after teaching yet; `clika teach run` or `clika teach ask` writes them"
        )
    return scores


def _read(path: Path, material: Material, digest: str) -> ExperimentReplies | None:
    """A file's replies; what an earlier version read is read anew, and kept where the folder can be written to."""
    kept = load_replies(path, digest)
    if kept is None:
        return None
    read = with_names(kept, offered_to(material.questions))
    if read is not kept:
        with contextlib.suppress(OSError):
            save_replies(read, path)
    return read
