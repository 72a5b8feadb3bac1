"""What README says of the published replies is what they say when they are imported and scored."""

from __future__ import annotations

import re
from pathlib import Path

import clika_client

ROOT = Path(__file__).parent.parent


def test_the_conclusion_in_readme_is_the_one_drawn_from_the_replies(tmp_path: Path) -> None:
    clika_client.import_replies(ROOT / "docs" / "examples" / "x-fakt", tmp_path / "x.db")
    found = clika_client.compare("gemma-2-2b-it", "Mistral-7B-Instruct-v0.2", tmp_path / "x.db")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    quoted = " ".join(re.findall(r"^> (.*)$", readme, re.MULTILINE))
    assert found.summary[0] in quoted
    accuracy = {d.language: (d.accuracy.a, d.accuracy.b) for d in found.differences}
    assert [round(value, 2) for value in accuracy["en"]] == [0.95, 0.95]
    assert 0.3 < accuracy["th"][0] / accuracy["en"][0] < 0.36
    assert 0.03 < accuracy["th"][1] / accuracy["en"][1] < 0.06
