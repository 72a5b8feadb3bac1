"""Where the user's own data lives: the database and the registered probe sets."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of the user's data: `CLIKA_HOME`, else the system's place for it; it may not exist yet."""
    if os.environ.get("CLIKA_HOME"):
        return Path(os.environ["CLIKA_HOME"])
    import platformdirs

    return Path(platformdirs.user_data_dir("clika-client"))
