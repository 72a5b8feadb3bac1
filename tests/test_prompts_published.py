"""Rendered `paper-*` prompts against the prompts that the paper's authors published, byte for byte."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from clika_client.prompts.catalogue import get_style
from clika_client.prompts.style import render
from clika_client.sets.release import RELEASE_SETS, read_release
from clika_client.sets.release_layout import response_files

OFFICIAL = os.environ.get("CLIKA_OFFICIAL_DATA")
pytestmark = pytest.mark.skipif(not OFFICIAL, reason="CLIKA_OFFICIAL_DATA names no checkout of the CLiKA release")


@pytest.mark.parametrize("name", RELEASE_SETS)
def test_every_published_input_is_reproduced(name: str) -> None:
    probe_set = read_release(Path(str(OFFICIAL)), name)
    one_file_per_prompt = {(f.language, f.style): f for f in response_files(Path(str(OFFICIAL))).files if f.set == name}
    assert len(one_file_per_prompt) == 20
    for (language, style), found in one_file_per_prompt.items():
        with found.file.open(encoding="utf-8") as lines:
            published = [json.loads(line)["input"] for line in lines]
        rendered = [render(probe, get_style(style), probe_set) for probe in probe_set.probes[language]]
        assert [prompt.messages[0].content for prompt in rendered] == published, (language, style)
        assert all(len(prompt.messages) == 1 and prompt.messages[0].role == "user" for prompt in rendered)


def test_all_open_models_were_sent_the_same_prompts() -> None:
    inputs: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for found in response_files(Path(str(OFFICIAL))).files:
        if found.set == "x_name" and found.style == "paper-one-shot":
            with found.file.open(encoding="utf-8") as lines:
                prompts = tuple(json.loads(line)["input"] for line in lines)
            inputs.setdefault((found.set, found.language), set()).add(prompts)
    assert len(inputs) == 10
    assert all(len(variants) == 1 for variants in inputs.values())
