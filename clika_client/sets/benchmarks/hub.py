"""Fetches a benchmark's files from the Hugging Face hub, at one revision, and only those that are not here yet.

Uses `huggingface_hub` (extra `[hub]`) and its settings: HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clika_client.common.errors import UserError
from clika_client.sets.benchmarks.files import match
from clika_client.sets.benchmarks.kept import folder
from clika_client.sets.benchmarks.table import Benchmark
from clika_providers.install import install_hint

_PUBLIC = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class BenchmarkOffer:
    """What the hub has of a benchmark: nothing is downloaded yet."""

    benchmark: Benchmark
    revision: str
    """The commit, so that later downloads are the same files."""
    files: tuple[tuple[str, int], ...]
    """(path in the repository, bytes)."""
    languages: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.files)


def look_up(
    benchmark: Benchmark, languages: Sequence[str] | None = None, revision: str | None = None
) -> BenchmarkOffer:
    """Ask the hub which files there are at `revision` (a branch, tag or commit; its newest by default).

    Raises UserError for a benchmark that is not on the hub, one that cannot be reached, or a missing language.
    """
    if not benchmark.hub:
        raise UserError(f"{benchmark.title} is not on the hub; {benchmark.how_to_get()}")
    library = _library()
    with _explained(benchmark):
        info = library.HfApi(endpoint=_endpoint()).dataset_info(benchmark.hub, revision=revision, files_metadata=True)
    sizes = {entry.rfilename: entry.size or 0 for entry in info.siblings or ()}
    matched = match(benchmark, sizes, languages)
    files = tuple((path, sizes[path]) for path in matched.paths())
    archives = tuple((path, size) for path, size in sizes.items() if path.endswith(".zip")) if not files else ()
    missing = [tag for tag in languages or () if files and tag not in matched.asked and "*" not in matched.asked]
    if missing:
        there = ", ".join(sorted(match(benchmark, sizes).asked))
        raise UserError(f"{benchmark.hub} has no {', '.join(missing)}; it has: {there}")
    if not files and not archives:
        raise UserError(
            f"{benchmark.hub} at {info.sha[:10]} holds no file of a known layout (looked for "
            f"{', '.join(pattern for pattern, _ in benchmark.files)}); it may have changed: try --revision with an "
            "older commit, or download it and use `clika sets add`"
        )
    return BenchmarkOffer(benchmark, str(info.sha), files or archives, tuple(matched.asked))


def download(offer: BenchmarkOffer, on_file: Callable[[str, int], None]) -> Path:
    """Download what is missing of an offer; `on_file` is called with (path, bytes) after each file.

    Files that are here are not asked for again, and a connection that breaks is taken up where it broke. Returns the
    folder.
    """
    library = _library()
    target = folder() / "downloads" / offer.benchmark.name / offer.revision
    with _explained(offer.benchmark):
        for path, size in offer.files:
            library.hf_hub_download(
                offer.benchmark.hub,
                path,
                repo_type="dataset",
                revision=offer.revision,
                local_dir=target,
                endpoint=_endpoint(),
            )
            on_file(path, size)
    return target


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", _PUBLIC).rstrip("/")


def _library() -> Any:
    # Its own bars would run through ours; ours counts files and bytes of the whole benchmark.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(
            f"fetching from the hub needs huggingface_hub; install it with: {install_hint('hub')}, or download the "
            "files yourself and use `clika sets add`"
        ) from None
    return huggingface_hub


@contextmanager
def _explained(benchmark: Benchmark) -> Iterator[None]:
    """The hub's errors as one sentence with a cure; never the address with its token."""
    from huggingface_hub import errors

    by_hand = (
        f"or, where the hub can be reached: hf download {benchmark.hub} --repo-type dataset --local-dir FOLDER, "
        f"then: clika sets add {benchmark.name} FOLDER"
    )
    try:
        yield
    except errors.GatedRepoError:
        raise UserError(
            f"{benchmark.hub} asks you to accept its terms: do so on {_endpoint()}/datasets/{benchmark.hub}, and set "
            "HF_TOKEN"
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError(f"{benchmark.hub} has no such revision; leave --revision out for its newest") from None
    except errors.RepositoryNotFoundError:
        raise UserError(f"the hub has no data set {benchmark.hub}; it may have moved: {by_hand}") from None
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, OSError) as error:
        raise UserError(_unreachable(benchmark, error, by_hand)) from None
    except Exception as error:
        # httpx2's errors are no OSError, and the library is free to change its client.
        if type(error).__module__.partition(".")[0] not in ("httpx", "httpx2", "requests"):
            raise
        raise UserError(_unreachable(benchmark, error, by_hand)) from None


def _unreachable(benchmark: Benchmark, error: Exception, by_hand: str) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    why = f"answered with status {status}" if status is not None else f"cannot be reached ({type(error).__name__})"
    return (
        f"{benchmark.hub}: the hub at {_endpoint()} {why}. What arrived is kept: run the same command again, {by_hand}"
    )
