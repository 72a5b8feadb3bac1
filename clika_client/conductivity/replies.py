"""What a model said to the questions of an experiment, and the file that keeps it: one for each form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clika_client.common.errors import UserError
from clika_client.conductivity.formats import write_text
from clika_client.conductivity.material import Form


@dataclass(frozen=True, slots=True)
class ExperimentReply:
    """What came back for one question."""

    text: str
    choice: int | None = None
    """Index into the question's choices; None for no answer, and for a free one."""
    named: tuple[str | None, ...] = ()
    """The name that a free answer gives, None for none or several, by each list of names that it is read for."""


@dataclass(frozen=True, slots=True)
class ExperimentReplies:
    """All replies of one model to one material, in one form."""

    model: str
    identity: str
    """Canonical JSON of everything about the model that can change an answer."""
    material: str
    """Digest of the material's folder."""
    form: Form
    by_id: Mapping[str, ExperimentReply]
    reading: str = ""
    """With its version, the reading that free replies were read by; what another one found does not count."""


def save_replies(replies: ExperimentReplies, path: Path) -> None:
    """Write a whole file or nothing."""
    document = {
        "model": replies.model,
        "identity": replies.identity,
        "material": replies.material,
        "form": replies.form,
        "reading": replies.reading,
        "replies": {key: [reply.text, reply.choice, *reply.named] for key, reply in replies.by_id.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(document, ensure_ascii=False, indent=0) + "\n")


def load_replies(path: Path, material: str) -> ExperimentReplies | None:
    """The replies in a file, None where there is none; raises UserError for replies to other material."""
    if not path.exists():
        return None
    try:
        doc = json.loads(path.read_text("utf-8"))
        rows = doc["replies"].items()
        by_id = {key: ExperimentReply(text, choice, tuple(named)) for key, (text, choice, *named) in rows}
        found = ExperimentReplies(
            doc["model"], doc["identity"], doc["material"], doc["form"], by_id, doc.get("reading", "")
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path} is not a file of replies ({error}); delete it and ask again") from None
    if found.material != material:
        raise UserError(f"{path} holds replies to other material; delete it, or name another folder")
    return found
