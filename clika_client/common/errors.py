"""Errors a user can mend, each with the exit code the command line ends with.

ClikaError
 ├── UserError         exit 2: bad input or usage; the message names file, line or value, and the cure
 ├── IncompleteRun     exit 1: some requests failed after retries; everything that arrived is kept
 ├── StoppedRun        exit 3: stopped by budget or user; the same command resumes
 └── BelowThreshold    exit 4: a figure is below what --fail-below or --fail-if-worse asked for
"""

from __future__ import annotations

from clika_providers import ClikaError

__all__ = ["BelowThreshold", "ClikaError", "IncompleteRun", "StoppedRun", "UserError"]


class UserError(ClikaError):
    """Bad input or usage."""

    exit_code = 2


class IncompleteRun(ClikaError):
    """Some requests failed after retries."""

    exit_code = 1


class StoppedRun(ClikaError):
    """Stopped by budget or user; resumable."""

    exit_code = 3


class BelowThreshold(ClikaError):
    """A figure is below what the user asked for; everything else went well."""

    exit_code = 4
