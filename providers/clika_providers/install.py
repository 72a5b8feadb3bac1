"""What this program is called where packages are installed, and the command that adds one of its extras."""

from __future__ import annotations

DISTRIBUTION = "clika-alignment"
"""The name in pyproject.toml; on PyPI the name of the import belongs to others."""


def install_hint(extra: str) -> str:
    """The command that installs an extra, from a checkout: nothing has been uploaded anywhere."""
    return f"pip install '.[{extra}]' in the checkout of clika-client"


def own_version() -> str:
    """The installed version; `unknown` for a tree that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "unknown"
