"""The command line: one module per command, assembled in `app`."""

from __future__ import annotations


def main() -> None:
    """Run the `clika` command."""
    try:
        from clika_client.cli.app import run

        run()
    except KeyboardInterrupt:  # before anything was begun, or when all was said, there is nothing to say
        raise SystemExit(3) from None
