"""`clika demo --real` against a look-alike of the hub, with the real `huggingface_hub`."""

from __future__ import annotations

import json
from pathlib import Path

import gguf_factory
import pytest
from clika import clika, count
from heavy import later
from servers.hub import Hub

from clika_client.cli import demo_real
from clika_client.sets import demo
from clika_providers.gguf.discover import resolve
from clika_providers.gguf.errors import BadModelFile

later("huggingface_hub", "hub")
later("llama_cpp", "local")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub that has the model's name, with a random one behind it; few questions in two languages."""
    repo, _, file = demo_real.MODEL.partition(":")
    folder = tmp_path / "repo"
    folder.mkdir()
    gguf_factory.make(folder / file, gguf_factory.Recipe(template=None, seed=5))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(demo_real, "LANGUAGES", ("en", "de"))
    monkeypatch.setattr(demo_real, "ITEMS", 3)
    return Hub({repo: [folder]})


def test_size_and_licence_are_shown_then_the_model_is_fetched_once_and_reported(tmp_path: Path, hub: Hub) -> None:
    db = tmp_path / "c.db"
    with hub:
        done = clika("demo", "--real", "--db", db, HF_ENDPOINT=hub.url)
        again = clika("demo", "--real", "--db", db, HF_ENDPOINT=hub.url)
    (file,) = hub.repos[demo_real.MODEL.partition(":")[0]][0].iterdir()
    said = " ".join(done.stderr.split())
    assert f"{file.stat().st_size / 1e6:,.0f} MB, licence apache-2.0; it is fetched once" in said
    assert "it is here already" in " ".join(again.stderr.split())
    assert hub.downloads() == [file.name]
    assert "atlas · 3 items" in done.stdout
    assert "likelihood" in done.stdout
    assert count(db) == 6


def test_without_a_hub_it_says_so_and_stays_with_the_toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    few = demo.demo_set().select(["en"])
    monkeypatch.setattr(demo, "demo_set", lambda: few)
    done = clika("demo", "--real", "--json", "--db", tmp_path / "c.db", HF_ENDPOINT="http://127.0.0.1:9")
    said = " ".join(done.stderr.split())
    assert "No real model: the hub cannot be asked" in said
    assert "stays with the toy" in said
    assert {r["model"] for r in json.loads(done.stdout)["records"]} == {"gguf/clika-demo.q8_0.gguf"}


def test_a_quantization_names_the_only_model_of_it_also_without_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    names = ("tiny-Q4_K_M", "tiny-IQ4_XS", "tiny-Q8_0", "mmproj-tiny-Q8_0", "a-F16", "b-F16")
    for name in names:
        (folder / f"{name}.gguf").write_bytes(b"GGUF" + name.encode())
    with Hub({"owner/tiny-gguf": [folder]}) as hub:
        _client_of(hub.url, tmp_path / "hf", monkeypatch)
        fetched = resolve("hf:owner/tiny-gguf:q8_0")
        assert fetched.read_bytes() == b"GGUFtiny-Q8_0"
        with pytest.raises(BadModelFile, match=r"no model of quantization 'Q4_K'; .*tiny-IQ4_XS\.gguf, tiny-Q4_K_M"):
            resolve("hf:owner/tiny-gguf:Q4_K")
        with pytest.raises(BadModelFile, match=r"2 models of quantization 'F16'; .*: a-F16\.gguf, b-F16\.gguf$"):
            resolve("hf:owner/tiny-gguf:F16")
        assert hub.downloads() == ["tiny-Q8_0.gguf"]
    assert resolve("hf:owner/tiny-gguf:Q8_0") == fetched
    with pytest.raises(BadModelFile, match="the hub cannot be asked for the files of 'owner/other'"):
        resolve("hf:owner/other:Q8_0")


def _client_of(url: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client reads its environment once per process: its constants are those of the test before."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
