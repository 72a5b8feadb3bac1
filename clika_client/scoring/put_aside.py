"""Arrays that lie in temporary files, so that scoring a hundred million replies takes little more memory than one."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from clika_client.common.answer_codes import Floats
from clika_client.common.errors import UserError

_AT_ONCE = 1 << 24
_IN_MEMORY = 4 << 20
"""Bytes put aside before a file is used for them."""


def nothing() -> None:
    """For arrays that lie in no file, and are not given back."""


class Pages:
    """Arrays mapped from temporary files without a name; they go with the last array that uses them."""

    def __init__(self) -> None:
        self._maps: list[mmap.mmap] = []

    def array(self, shape: tuple[int, ...], dtype: npt.DTypeLike, fill: float = 0) -> npt.NDArray[Any]:
        """A new array of one value; raises UserError where the disk has no room for it.

        It is written, not left sparse: a page that finds no room later would end the program without a word.
        """
        size = prod(shape) * np.dtype(dtype).itemsize
        if size == 0:
            return np.full(shape, fill, dtype)
        piece = np.full(_AT_ONCE // np.dtype(dtype).itemsize, fill, dtype).tobytes()
        try:
            with tempfile.TemporaryFile() as file:
                for start in range(0, size, len(piece)):
                    file.write(piece[: size - start])
                file.flush()
                self._maps.append(mmap.mmap(file.fileno(), size))
        except OSError as error:
            raise UserError(
                f"{size:,} bytes for answers cannot be put aside in {tempfile.gettempdir()}: {error.strerror}; "
                "set TMPDIR to a folder with more room"
            ) from None
        return np.frombuffer(self._maps[-1], dtype).reshape(shape)

    def release(self) -> None:
        """Give back the memory of all arrays; what they hold is in their files, and read again when it is used."""
        for held in self._maps:
            if hasattr(held, "madvise"):  # not on Windows, where the system takes memory back when it is short of it
                held.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, slots=True)
class _ItemPlace:
    offset: int
    shape: tuple[int, ...]


class PutAside(Mapping[str, Floats]):
    """Arrays by name that are read back from a file each time they are looked up."""

    def __init__(self, shelf: Shelf, places: Mapping[str, _ItemPlace]) -> None:
        self._shelf, self._places = shelf, places

    def __getitem__(self, name: str) -> Floats:
        """The array, in memory again."""
        return self._shelf.read(self._places[name])

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._places)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._places)


class Shelf:
    """What is put aside until it is wanted: in memory while it is little, else in a temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by `__exit__`
        self._end = 0

    def __enter__(self) -> Shelf:
        """The shelf; at the end nothing on it can be read any more."""
        return self

    def __exit__(self, *_: object) -> None:
        """Throw away what is on it."""
        self._file.close()

    def put(self, arrays: Mapping[str, Floats]) -> PutAside:
        """The same arrays, put aside."""
        return PutAside(self, {name: self._write(array) for name, array in arrays.items()})

    def read(self, place: _ItemPlace) -> Floats:
        """What stands at a place."""
        self._file.seek(place.offset)
        return np.frombuffer(self._file.read(prod(place.shape) * 8), np.float64).reshape(place.shape)

    def _write(self, array: Floats) -> _ItemPlace:
        place = _ItemPlace(self._end, array.shape)
        self._file.seek(self._end)
        self._end += self._file.write(np.ascontiguousarray(array, np.float64).tobytes())
        return place
