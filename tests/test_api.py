"""The Python API: what is public, and that it does what the commands do."""

from __future__ import annotations

from pathlib import Path

import pytest
from clika import clika, records, write_probes
from servers.loopback import Loopback

import clika_client
from clika_providers import ProviderOptions


def test_every_public_name_exists_and_they_are_sorted() -> None:
    assert clika_client.__all__ == sorted(clika_client.__all__)
    for name in clika_client.__all__:
        assert getattr(clika_client, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        clika_client.nonsense  # noqa: B018


def test_run_and_score_agree_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    probes = write_probes(tmp_path / "mine.jsonl")
    with Loopback() as server:
        report = clika_client.run(
            [str(probes)],
            ["openai/test"],
            db=tmp_path / "c.db",
            provider=ProviderOptions(base_url=server.url),
            scoring=clika_client.Options(bootstrap=100),
        )
    assert report.result.status == "done"
    again = clika_client.score(tmp_path / "c.db", scoring=clika_client.Options(bootstrap=100))
    assert again.to_records() == report.scores.to_records()
    printed = records(clika("score", "--db", tmp_path / "c.db", "--bootstrap", 100, "--json"))
    assert printed == again.to_records()
