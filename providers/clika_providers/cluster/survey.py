"""What a Ray cluster offers, machine by machine, and what it lacks for asking models there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clika_providers.cluster.session import join, library
from clika_providers.install import install_hint, own_version

_LOOK_S = 60.0


@dataclass(frozen=True, slots=True)
class NodeFound:
    """One machine of a cluster."""

    address: str
    node: str
    cpus: float
    gpus: float
    clika: str | None
    """Installed version; None where it cannot be imported."""
    python: str
    llama: str | None
    """Version of llama-cpp-python."""
    build: str
    """What its kernels use, which must be the same wherever one local model is asked."""
    keys_set: tuple[str, ...]
    """Environment variables there that hold a key; never their values."""

    def problems(self) -> Iterator[str]:
        """What is missing there, in sentences with the cure."""
        place = f"node {self.address} {self.node[:6]}"
        if self.clika is None:
            yield f"{place}: clika is not installed there: {install_hint('ray')}"
        elif self.clika != own_version():
            yield f"{place}: clika {self.clika} there, {own_version()} here: install the same"
        elif self.llama is None:
            yield f"{place}: no llama-cpp-python there, which GGUF models need: {install_hint('local')}"


def survey(address: str) -> tuple[list[NodeFound], list[str]]:
    """The machines of a cluster, and what is missing; raises RunError where it cannot be joined."""
    ours = join(address)
    ray = library()
    try:
        found = [_look(ray, node) for node in ray.nodes() if node["Alive"]]
    finally:
        if ours:
            ray.shutdown()
    problems = [problem for node in found for problem in node.problems()]
    builds = {node.build for node in found if node.llama}
    if len(builds) > 1:
        problems.append(
            "the machines compute with different kernels, so that one GGUF model is not asked on all of them: "
            + "; ".join(f"{node.address} {node.node[:6]}: {node.build}" for node in found if node.llama)
        )
    return found, problems


def _look(ray: Any, node: dict[str, Any]) -> NodeFound:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    seen: dict[str, Any]
    try:
        task = ray.remote(_sent()).options(num_cpus=0, scheduling_strategy=there, max_retries=0)
        seen = ray.get(task.remote(), timeout=_LOOK_S)
    except ray.exceptions.RayError:
        seen = {}
    resources = node["Resources"]
    return NodeFound(
        node["NodeManagerAddress"], node["NodeID"], resources.get("CPU", 0.0), resources.get("GPU", 0.0),
        seen.get("clika"), seen.get("python", ""), seen.get("llama"), seen.get("build", ""),
        tuple(seen.get("keys", ())),
    )  # fmt: skip


def _sent() -> Any:
    """A function that is sent as it stands, and so also runs where clika is not installed."""

    def look() -> dict[str, Any]:
        import os
        import platform
        from contextlib import suppress
        from importlib.metadata import version

        found: dict[str, Any] = {"python": platform.python_version()}
        try:
            from clika_providers.gguf import llama_cpp
            from clika_providers.hosted.servers import known_servers
            from clika_providers.install import own_version
        except ImportError:
            return found
        names = {name for server in known_servers().values() for name in server.key_env}
        found |= {"clika": own_version(), "keys": sorted(name for name in names if os.environ.get(name))}
        with suppress(Exception):  # whatever it is, it is not usable there
            found |= {"llama": version("llama-cpp-python"), "build": llama_cpp.instruction_set()}
        return found

    return look
