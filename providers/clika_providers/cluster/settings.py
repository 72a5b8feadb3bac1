"""Where the Ray cluster is and how much of it a model gets, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """A Ray cluster, and the actors that a model is asked through; none of it changes an answer."""

    address: str
    """`HOST:PORT` of the head, `auto` for the cluster this machine belongs to, or `local` for one made for the run."""
    actors: int | None = None
    """Actors per model; default: one for each share of the GPUs, else one for each machine."""
    gpus: float | None = None
    """GPUs that each actor of a GGUF model takes; default 1 where the cluster has any, else 0."""
