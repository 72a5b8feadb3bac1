"""Models are found where other programs keep them, and a name means one file or none."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import gguf_factory as factory
import pytest

from clika_providers import ProviderOptions
from clika_providers.gguf import connect, describe_build, list_local
from clika_providers.gguf.discover import resolve
from clika_providers.gguf.errors import BadModelFile, MissingPackage


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of nobody."""
    for name in ("OLLAMA_MODELS", "HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "home"
    place.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setattr(Path, "home", lambda: place)
    monkeypatch.chdir(tmp_path)
    return place


def put(path: Path, recipe: factory.Recipe | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return factory.make(path, recipe)


def ollama(home: Path, name: str, tag: str) -> Path:
    blob = put(home / ".ollama/models/blobs/sha256-abc")
    manifest = home / f".ollama/models/manifests/registry.ollama.ai/{name}/{tag}"
    manifest.parent.mkdir(parents=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:1"},
        {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:abc"},
    ]
    manifest.write_text(json.dumps({"layers": layers}))
    return blob


def test_every_usual_place_is_searched_and_described(home: Path, tmp_path: Path) -> None:
    put(home / ".lmstudio/models/maker/repo/studio-Q8.gguf")
    put(home / ".cache/huggingface/hub/models--o--r/snapshots/1/hub.gguf")
    put(home / ".cache/llama.cpp/cached.gguf")
    put(home / "Library/Caches/llama.cpp/mac.gguf")
    put(tmp_path / "mine/own.gguf", factory.Recipe(half=True))
    ollama(home, "library/tiny", "1b")
    found = {model.name: model for model in list_local(tmp_path / "mine")}
    assert set(found) == {"studio-Q8.gguf", "hub.gguf", "cached.gguf", "mac.gguf", "own.gguf", "tiny:1b"}
    own = found["own.gguf"]
    assert (own.source, own.quantization, own.context_length) == ("models-dir", "F16", 1024)
    assert own.size == own.path.stat().st_size
    assert found["tiny:1b"].source == "Ollama"


def test_what_is_no_model_is_left_out_and_what_is_damaged_says_so(tmp_path: Path) -> None:
    factory.make_adapter(tmp_path / "lora.gguf")
    put(tmp_path / "mmproj.gguf", factory.Recipe(architecture="clip"))
    factory.make_split(tmp_path, count=2)
    whole = put(tmp_path / "cut.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:-1000])
    found = {model.name: model.problem for model in list_local(tmp_path)}
    assert set(found) == {"cut.gguf", "split-00001-of-00002.gguf"}
    assert found["split-00001-of-00002.gguf"] is None
    assert "truncated" in str(found["cut.gguf"])


def test_one_file_reached_by_two_ways_is_listed_once(home: Path, tmp_path: Path) -> None:
    real = put(home / ".lmstudio/models/a/model.gguf")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/model.gguf").symlink_to(real)
    assert len(list_local(tmp_path / "mine")) == 1


def test_two_names_that_ollama_has_for_one_file_are_both_listed(home: Path) -> None:
    ollama(home, "library/tiny", "1b")
    manifests = home / ".ollama/models/manifests/registry.ollama.ai/library/tiny"
    (manifests / "latest").write_bytes((manifests / "1b").read_bytes())
    assert [model.name for model in list_local()] == ["tiny:1b", "tiny:latest"]


def test_names_are_paths_first_then_names_of_what_was_found(home: Path, tmp_path: Path) -> None:
    studio = put(home / ".lmstudio/models/maker/repo/Model-Q8.gguf")
    blob = ollama(home, "someone/tiny", "latest")
    here = put(tmp_path / "here.gguf")
    inside = put(tmp_path / "mine/inside.gguf")
    assert resolve("here.gguf") == Path("here.gguf")
    assert resolve(str(here)) == here
    assert resolve("inside.gguf", tmp_path / "mine") == inside
    assert resolve(str(tmp_path / "mine")) == inside
    assert resolve("model-q8") == studio
    assert resolve("someone/tiny:latest") == resolve("someone/tiny") == blob
    assert connect("someone/tiny:latest", ProviderOptions()).spec == "gguf/tiny:latest"


def test_unknown_and_ambiguous_names_are_answered_with_what_there_is(home: Path) -> None:
    put(home / ".lmstudio/models/a/model-Q8.gguf")
    with pytest.raises(BadModelFile, match=r"did you mean 'model-Q8\.gguf'\?.*clika models list --local"):
        resolve("modle-Q8.gguf")
    put(home / ".cache/llama.cpp/model-Q8.gguf")
    with pytest.raises(BadModelFile, match="the name of 2 files"):
        resolve("model-Q8.gguf")


def test_the_hub_needs_its_client_and_a_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadModelFile, match="hf:OWNER/REPO:FILE"):
        resolve("hf:owner/repo")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackage, match="pip install huggingface_hub"):
        resolve("hf:owner/repo:model.gguf")


def test_a_hub_file_is_checked_against_the_hash_it_is_stored_under(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is a double here, with the hub's layout on disk: the real one would go to the network."""
    import hashlib

    good = put(home / "hub/blobs/new")
    blob = good.rename(good.with_name(hashlib.sha256(good.read_bytes()).hexdigest()))
    link = home / "hub/snapshots/1/model.gguf"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    client = types.SimpleNamespace(hf_hub_download=lambda repo, file, **_: str(link))
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    assert resolve("hf:owner/repo:model.gguf") == link
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    with pytest.raises(BadModelFile, match="checksum"):
        resolve("hf:owner/repo:model.gguf")

    def unreachable(repo: str, file: str, **_: object) -> str:
        raise OSError("no route to host\nmany more lines")

    client.hf_hub_download = unreachable
    with pytest.raises(BadModelFile, match=r"cannot fetch 'model\.gguf' from 'owner/repo': OSError: no route to host$"):
        resolve("hf:owner/repo:model.gguf")


def test_the_build_says_what_it_can_do() -> None:
    pytest.importorskip("llama_cpp")
    build = describe_build()
    assert build["installed"] is True
    assert "CPU" in {device["name"] for device in build["devices"]}  # type: ignore[union-attr, index, call-overload]
    assert isinstance(build["threads"], int)
    assert build["threads"] >= 1


def test_a_missing_build_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    from clika_providers.gguf import llama_cpp as native

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(native, "version", absent)
    native.library.cache_clear()
    try:
        build = describe_build()
    finally:
        monkeypatch.undo()
    assert build["installed"] is False
    assert "pip install '.[local]'" in str(build["problem"])


def test_a_models_dir_that_is_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadModelFile, match="--models-dir"):
        list_local(tmp_path / "none")
