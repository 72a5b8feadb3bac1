"""The file of registered sets is data of a user's folder: whatever it holds, a command ends with a sentence."""

from __future__ import annotations

import json

from clika import clika

from clika_client.sets.catalogue import registry_path


def test_a_mapping_of_numbers_in_the_registry_is_no_traceback() -> None:
    registry_path().parent.mkdir(parents=True, exist_ok=True)
    entry = {"paths": ["x.jsonl"], "mapping": [0, 1], "reference": None}
    registry_path().write_text(json.dumps({"release": None, "files": {"mine": entry}}), encoding="utf-8")
    assert "belebele" in clika("sets", "list").stdout
