"""A model file is checked before it is loaded, and what is wrong with it is said in words."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import gguf_factory as factory
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clika_providers import ProviderOptions, RunError
from clika_providers.gguf import connect, files
from clika_providers.gguf.errors import BadModelFile, DoesNotFit
from clika_providers.gguf.files import open_model
from clika_providers.gguf.header import read_header


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factory.make(tmp_path_factory.mktemp("models") / "tiny.gguf")


def test_header_tells_what_the_writer_was_asked_for(tiny: Path) -> None:
    recipe = factory.Recipe()
    header = read_header(tiny)
    assert header.architecture == "llama"
    assert header.context_length == recipe.n_ctx
    assert header.chat_template == recipe.template
    assert header.quantization == "F32"
    assert header.vocabulary_size == len(factory.vocabulary(recipe)[0])
    # embedding + output + norm, and per layer 4 square matrices, 3 feed-forward ones, 2 norms
    layer = 4 * 64 * 64 + 3 * 64 * 128 + 2 * 64
    assert header.parameters == 2 * header.vocabulary_size * 64 + 64 + recipe.n_layer * layer


def test_header_agrees_with_llama_cpp(tiny: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp")
    model = llama_cpp.Llama(str(tiny), verbose=False)
    header = read_header(tiny)
    assert header.chat_template == model.metadata["tokenizer.chat_template"]
    assert header.vocabulary_size == model.n_vocab()
    assert header.parameters == llama_cpp.llama_model_n_params(model.model)
    assert header.context_length == llama_cpp.llama_model_n_ctx_train(model.model)


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 0.9999))
def test_a_file_cut_anywhere_is_called_truncated(tiny: Path, share: float) -> None:
    cut = tiny.with_name("cut.gguf")
    data = tiny.read_bytes()
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadModelFile, match=r"truncated|is empty|not a GGUF"):
        open_model(cut)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(4, 2000), value=st.binary(min_size=1, max_size=8))
def test_a_damaged_header_never_ends_in_anything_but_a_message(tiny: Path, at: int, value: bytes) -> None:
    data = bytearray(tiny.read_bytes())
    data[at : at + len(value)] = value
    damaged = tiny.with_name("damaged.gguf")
    damaged.write_bytes(data)
    told = "damaged.gguf"
    try:
        open_model(damaged)
    except BadModelFile as error:
        told = str(error)
    assert "damaged.gguf" in told


def test_other_files_are_refused_by_what_they_are(tmp_path: Path) -> None:
    other = tmp_path / "model.safetensors"
    other.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(BadModelFile, match="not a GGUF file"):
        open_model(other)
    other.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(BadModelFile, match="git lfs pull"):
        open_model(other)
    with pytest.raises(BadModelFile, match="is empty"):
        open_model(_empty(tmp_path / "empty.gguf"))
    with pytest.raises(BadModelFile, match="no model file at"):
        open_model(tmp_path / "absent.gguf")
    with pytest.raises(BadModelFile, match="is a folder"):
        open_model(tmp_path)


def _empty(path: Path) -> Path:
    path.touch()
    return path


def test_old_gguf_versions_are_named(tiny: Path, tmp_path: Path) -> None:
    data = bytearray(tiny.read_bytes())
    data[4:8] = struct.pack("<I", 1)
    old = tmp_path / "old.gguf"
    old.write_bytes(data)
    with pytest.raises(BadModelFile, match="GGUF version 1"):
        open_model(old)


def test_a_missing_part_of_a_split_model_is_named(tmp_path: Path) -> None:
    parts = factory.make_split(tmp_path, count=3)
    whole = open_model(parts[0])
    assert whole.parts == tuple(parts)
    assert open_model(parts[2]).path == parts[0]
    parts[1].unlink()
    with pytest.raises(BadModelFile, match=r"split-00002-of-00003\.gguf"):
        open_model(parts[0])


def test_parts_of_two_models_are_told_apart(tmp_path: Path) -> None:
    parts = factory.make_split(tmp_path, count=2)
    other = factory.make_split(tmp_path, factory.Recipe(n_layer=1), count=2, stem="other")
    os.replace(other[1], parts[1])
    with pytest.raises(BadModelFile, match="parts of two models"):
        open_model(parts[0])


def test_an_adapter_is_no_model_and_a_model_no_adapter(tiny: Path, tmp_path: Path) -> None:
    adapter = factory.make_adapter(tmp_path / "lora.gguf")
    with pytest.raises(BadModelFile, match="--lora"):
        open_model(adapter)
    with pytest.raises(BadModelFile, match="not a LoRA adapter"):
        connect(str(tiny), ProviderOptions(lora=tiny))
    with pytest.raises(BadModelFile, match="no LoRA adapter at"):
        connect(str(tiny), ProviderOptions(lora=tmp_path / "absent.gguf"))


def test_digest_is_that_of_the_bytes_and_is_computed_once(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    model = tmp_path / "model.gguf"
    model.write_bytes(tiny.read_bytes())
    expected = hashlib.sha256(model.read_bytes()).hexdigest()
    assert files.digest(model) == expected

    def never(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(hashlib, "file_digest", never)
    assert files.digest(model) == expected


def test_a_file_changed_under_its_name_is_another_model_even_with_its_old_size_and_date(
    tiny: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(tiny.read_bytes())
    before, times = connect(str(model), ProviderOptions()).identity, model.stat()
    data = bytearray(model.read_bytes())
    data[-64] ^= 1
    model.write_bytes(data)
    os.utime(model, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert connect(str(model), ProviderOptions()).identity != before


def test_identity_holds_what_changes_answers_and_nothing_else(tiny: Path, tmp_path: Path) -> None:
    plain = connect(str(tiny), ProviderOptions())
    renamed = tmp_path / "renamed.gguf"
    renamed.write_bytes(tiny.read_bytes())
    assert connect(str(renamed), ProviderOptions(n_threads=7, n_ctx=512)).identity == plain.identity
    adapter = factory.make_adapter(tmp_path / "lora.gguf")
    taught = connect(str(tiny), ProviderOptions(lora=adapter))
    assert taught.identity != plain.identity
    assert taught.spec == "gguf/tiny.gguf+lora.gguf"
    assert str(tmp_path) not in repr(taught.identity)
    assert connect(str(tiny), ProviderOptions(n_sequences=4)).identity != plain.identity


def test_a_model_that_does_not_fit_is_refused_before_loading(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clika_providers.gguf import hardware as machine

    monkeypatch.setattr(machine, "free_memory", lambda: 10 * 2**20)
    with pytest.raises(DoesNotFit, match=r"needs about .* GiB .* are free"):
        connect(str(tiny), ProviderOptions())


def test_missing_package_is_answered_with_the_command(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import PackageNotFoundError

    from clika_providers.gguf import llama_cpp as native

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(native, "version", absent)
    with pytest.raises(RunError, match=r"pip install '\.\[local\]'"):
        connect(str(tiny), ProviderOptions())


def test_context_wishes_beyond_the_model_are_refused(tiny: Path) -> None:
    with pytest.raises(RunError, match="1024 tokens"):
        connect(str(tiny), ProviderOptions(n_ctx=5000))
    with pytest.raises(RunError, match="--threads"):
        connect(str(tiny), ProviderOptions(n_threads=0))
