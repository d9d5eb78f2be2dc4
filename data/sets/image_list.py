"""A set's images as a list of paths that a million of them fit into."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np


class ImageList(Sequence[Path]):
    """The paths of images below a root: names in one buffer, a million in 40 MB.

    Args:
        root: what the names are relative to.
        names: of the images.
        stamps: for each a number that changes with its content; None: ask the disk.
    """

    def __init__(
        self, root: Path, names: Iterable[str], stamps: Sequence[int] | None = None
    ) -> None:
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        self.root = root
        self._text = b"".join(encoded)
        self._ends = np.cumsum(lengths)
        self._starts = self._ends - lengths
        self.stamps = None if stamps is None else np.array(stamps, np.uint64)

    def __len__(self) -> int:
        return len(self._ends)

    def name(self, index: int) -> str:
        """Return the name of an image below the root."""
        text = self._text[self._starts[index] : self._ends[index]]
        return text.decode("utf-8", "surrogateescape")

    def names(self) -> Iterator[str]:
        """Return the names of all images."""
        text = self._text
        starts, ends = self._starts.tolist(), self._ends.tolist()
        for start, end in zip(starts, ends, strict=True):
            yield text[start:end].decode("utf-8", "surrogateescape")

    def plain_names(self) -> Iterator[str]:
        """Return the names of all images as `name_below` has them: of ./a.png a.png."""
        for name in self.names():
            if not name[:1].isalnum():  # such as "./a.png" or "/data/a.png"
                name = name_below(self.root, self.root / name)
            yield name

    def select(self, indices: np.ndarray) -> "ImageList":
        """Return the list of some of the images."""
        chosen = object.__new__(ImageList)
        chosen.root, chosen._text = self.root, self._text
        chosen._starts, chosen._ends = self._starts[indices], self._ends[indices]
        chosen.stamps = None if self.stamps is None else self.stamps[indices]
        return chosen

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> "ImageList": ...
    def __getitem__(self, index: "int | slice") -> "Path | ImageList":
        if isinstance(index, slice):
            return self.select(np.arange(len(self))[index])
        return self.root / self.name(index)

    def __iter__(self) -> Iterator[Path]:
        return (self.root / name for name in self.names())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def without(self, paths: Iterable[Path]) -> "ImageList":
        """Return the list without some of its paths."""
        left_out = {name_below(self.root, path) for path in paths}
        names = enumerate(self.plain_names())
        kept = [number for number, name in names if name not in left_out]
        return self.select(np.array(kept, np.int64))


def name_below(root: Path, path: Path) -> str:
    """Return the name of an image in a list below `root`."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
