"""The command line: one module per command, assembled in `app`."""

from __future__ import annotations


def main() -> None:
    """Run the `clika` command."""
    from clika_client.cli.app import run

    run()
