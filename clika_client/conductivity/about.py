"""Which teaching an experiment's folder holds: its model by its own name, the settings, the seed, the material."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATE = "experiment.json"


@dataclass(frozen=True, slots=True)
class About:
    """Which teaching a score is of."""

    folder: Path
    model: str
    """Its own name, as that of its directory."""
    weights: str
    """Digest of the untaught weights, or of what else tells the model apart."""
    settings: Mapping[str, Any]
    """Of teaching, without its seed; empty for a model that was taught elsewhere."""
    seed: int | None
    material: str
    """Digest of the material's folder."""

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "folder": str(self.folder),
            "model": self.model,
            "weights": self.weights,
            "settings": dict(self.settings),
            "teaching_seed": self.seed,
            "material": self.material,
        }


def about(folder: Path, spec: str, material: str) -> About:
    """What the folder's own note says; a model that was taught elsewhere is known by what it was asked as.

    `spec` is that name, `material` the digest of the material.
    """
    path = folder / STATE
    state = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    settings = dict(state.get("settings", {}))
    seed = settings.pop("seed", None)
    where = state.get("model_path")
    return About(
        folder,
        Path(where).name if where else spec,
        str(state.get("model", spec)),
        settings,
        seed,
        str(state.get("material", material)),
    )
