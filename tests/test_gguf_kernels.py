"""Kernels are chosen for the processor, tried where they may crash, and what was found out once is remembered."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf_factory
import pytest
from heavy import later

from clika_providers import ProviderOptions
from clika_providers.gguf import connect, trial
from clika_providers.gguf import llama_cpp as native
from clika_providers.gguf.build import describe_build, unused
from clika_providers.gguf.engine import Engine
from clika_providers.gguf.errors import MissingPackage
from clika_providers.gguf.files import open_model
from clika_providers.gguf.kernels import load_variants
from clika_providers.gguf.model_setup import _settings
from clika_providers.gguf.remembered import remembered
from clika_providers.gguf.trial import refuse_crashing

later("llama_cpp", "local")


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf_factory.make(tmp_path_factory.mktemp("models") / "base.gguf", gguf_factory.Recipe(template=None))


class Function:
    """A function of a library, whose types can be declared."""

    def __init__(self, does: Any) -> None:
        self.does, self.restype, self.argtypes = does, None, None

    def __call__(self, *given: Any) -> Any:
        return self.does(*given)


@pytest.mark.parametrize(("within", "fitting", "loads"), [(1, 1, 0), (0, 1, 1), (0, 0, 1)])
def test_variants_are_loaded_from_beside_the_library_where_it_has_no_kernels_in_it(
    tmp_path: Path, within: int, fitting: int, loads: int
) -> None:
    registered = within
    folders: list[bytes] = []

    def load(folder: bytes) -> None:
        nonlocal registered
        folders.append(folder)
        registered = fitting

    handle = SimpleNamespace(
        ggml_backend_reg_count=Function(lambda: registered), ggml_backend_load_all_from_path=Function(load)
    )
    lib = SimpleNamespace(__file__=str(tmp_path / "llama_cpp" / "__init__.py"), llama_cpp=SimpleNamespace(_lib=handle))
    if registered or fitting:
        load_variants(lib)
    else:
        with pytest.raises(MissingPackage, match="none of the kernels"):
            load_variants(lib)
    assert folders == [str(tmp_path / "llama_cpp" / "lib").encode()] * loads


def test_kernels_that_kill_the_program_are_found_out_by_trying_once(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_TRIAL", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    refuse_crashing(model, "CPU: AVX2 FMA")  # nothing that may crash: not tried
    for _ in range(2):
        with pytest.raises(MissingPackage, match=r"signal 11.*GGML_NATIVE=OFF"):
            refuse_crashing(model, "CPU: AVX2 AMX_INT8")
        monkeypatch.setattr(trial, "_TRIAL", "raise SystemExit('tried twice')")


def test_kernels_that_work_are_taken(model: Path) -> None:
    refuse_crashing(model, "CPU: AVX2 AMX_INT8")


def test_where_a_prompt_may_be_divided_is_found_once_per_model_and_build(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = open_model(model)
    settings = _settings(found, ProviderOptions(n_threads=1))
    first = Engine(found, settings)
    first.close()

    def again(_: Engine) -> int:
        raise AssertionError("searched again")

    monkeypatch.setattr(Engine, "_find_step", again)
    second = Engine(found, settings)
    assert second.step == first.step
    second.close()
    monkeypatch.setattr(native, "instruction_set", lambda: "another build")
    with pytest.raises(AssertionError, match="searched again"):
        Engine(found, settings)


def test_a_memory_that_cannot_be_read_or_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert remembered("steps", "key", lambda: 4) == 4
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    assert [remembered("steps", "key", lambda n=n: n) for n in (1, 2)] == [1, 1]
    memory = next((tmp_path / "other").rglob("steps.json"))
    memory.write_text("{broken", "utf-8")
    assert remembered("steps", "key", lambda: 3) == 3


def test_doctor_names_what_the_processor_has_and_the_kernels_leave_aside() -> None:
    flags = frozenset({"avx2", "fma", "avx512f", "avx512_vnni", "amx_int8", "sse4_2"})
    assert unused(flags, {"AVX2": True, "FMA": True}) == ["AVX512", "AVX512_VNNI", "AMX_INT8"]
    assert unused(flags, {"AVX2": True, "FMA": True, "AVX512": True, "AVX512_VNNI": True}) == ["AMX_INT8"]
    assert unused(frozenset(), {}) == []
    assert isinstance(describe_build()["cpu_unused"], list)


def test_a_real_model_is_connected_with_the_kernels_at_hand(model: Path) -> None:
    assert connect(str(model), ProviderOptions(n_threads=1)).identity["build"]
