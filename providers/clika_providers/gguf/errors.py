"""What can be wrong with a local model before it answers anything; all are final for the run."""

from __future__ import annotations

from clika_providers.errors import RunError


class BadModelFile(RunError):
    """The file is missing, damaged, incomplete, or not a model that can run."""


class NotALanguageModel(BadModelFile):
    """A sound file that holds something else: an adapter, an image projector, a vocabulary."""


class DoesNotFit(RunError):
    """The model needs more memory than there is; found out by estimate, before loading."""


class MissingPackage(RunError):
    """An optional package is not installed; the message holds the command that installs it."""
