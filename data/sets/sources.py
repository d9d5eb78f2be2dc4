"""Where images lie: in folders, in tar shards, in object storage. Each has a path.

An image in a shard has the shard's path and its name there, "hr/match.tar/match.0012.png";
one in object storage has its URL, which `Path` writes with one slash,
"s3:/bucket/hr/0001.png". So names, lists and held-out clips are those of folders, and
only what reads a file asks where it lies. Shards are read by offset and never extracted.
"""

import errno
import functools
import hashlib
import io
import os
import re
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from realesrgan_paddle.data.sets.image_list import ImageList
from realesrgan_paddle.utils import images
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.files import atomic_path, open_regular
from realesrgan_paddle.utils.image_headers import (
    LARGEST_FILE,
    Header,
    read_checked_header,
    read_header,
    rejection_reason,
)

WAITS = (1, 2, 4, 8, 15, 30, 60, 60, 60, 60)
"""Before object storage that does not answer is asked again [s]: five minutes in all."""
HEAD = 1 << 16
"""What is read first of an object for its header [bytes]."""
BLOCK = 1 << 20
"""What is read at a time to index a shard in object storage [bytes]."""

_URL = re.compile(r"^([a-z][a-z0-9+]+):/+")
_STORED = re.compile(r"^[a-z][a-z0-9+]+:/|\.tar(/|$)")
_INDEX = np.dtype([("key", "<u8"), ("offset", "<i8"), ("size", "<i8")])
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Of the disk here, which an object is copied to: no storage can be blamed."""
_NO_RETRY = (FileNotFoundError, PermissionError, IsADirectoryError, ValueError)
_NO_KEYS = "NoCredentialsError"  # of botocore, which is not imported for this
_SET_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; public: FSSPEC_S3_ANON=1"

Result = TypeVar("Result")


def is_stored(path: str | Path) -> bool:
    """Return whether a path leads into a shard or to object storage."""
    return _STORED.search(Path(path).as_posix()) is not None and bool(
        in_storage(path) or _shard_of(Path(path))
    )


def is_there(path: Path) -> bool:
    """Return whether there is a file; of shards and object storage it is supposed."""
    return path.is_file() or is_stored(path)


def read_bytes(path: str | Path) -> bytes:
    """Return an object or the member of a shard.

    Raises:
        UserError: it is not there, too large, or storage has not answered for minutes.
    """
    inside = _shard_of(Path(path))
    if inside is None:
        return ask_storage(path, lambda fs, url: fs.cat_file(url))
    tar, member = inside
    offset, size = open_shard(tar).place(member, path)
    if size > LARGEST_FILE:
        raise UserError(f"{path}: larger than {LARGEST_FILE >> 30} GiB")
    if size == 0:
        return b""
    if in_storage(tar):
        return ask_storage(
            tar, lambda fs, url: fs.cat_file(url, start=offset, end=offset + size)
        )
    with open_regular(tar) as file:
        file.seek(offset)
        return file.read(size)


def read_samples(path: Path) -> np.ndarray:
    """Return an image's RGB (H, W, 3) as `images.read_samples`, wherever it lies."""
    if not is_stored(path):
        return images.read_samples(path)
    data = read_bytes(path)
    _refuse_damaged(data, path)
    return images.rgb_of(images.decode_image(data, path))


def read_size(path: Path) -> tuple[int, int]:
    """Return (width, height) by the header, wherever the image lies.

    Of an object only the first bytes are read where they tell; so of these a cut end
    shows when the image is read.
    """
    header = _stored_header(path) if is_stored(path) else read_checked_header(path)
    return header.width, header.height


def _stored_header(path: Path) -> Header:
    if _shard_of(path) is None:
        head = ask_storage(path, lambda fs, url: _read_head(fs, url))
        try:
            return read_header(io.BytesIO(head), path)
        except UserError:
            pass  # the header may be longer: a TIFF's may be at its end
    data = read_bytes(path)
    _refuse_damaged(data, path)
    return read_header(io.BytesIO(data), path)


def _read_head(storage: Any, url: str) -> bytes:
    with storage.open(url, "rb", cache_type="none") as file:
        return file.read(HEAD)


def _refuse_damaged(data: bytes, path: Path) -> None:
    if reason := rejection_reason(data):
        raise UserError(f"{path}: not a readable image ({reason})")


def list_source(root: Path) -> ImageList:
    """Return all images below a folder, in its shards if it has no image itself.

    Raises:
        UserError: it does not exist, a shard is damaged, or storage has no image there.
    """
    if in_storage(root):
        return _listed_objects(root)
    if root.suffix == ".tar" and root.is_file():
        return _listed_members(root, [""])
    names = _local_names(root, images.IMAGE_SUFFIXES)
    if names:
        return ImageList(root, names)
    return _listed_members(root, _local_names(root, (".tar",)))


def _local_names(root: Path, suffixes: Sequence[str]) -> list[str]:
    """Return the names of files, in the order of `images.list_images`."""
    if not root.is_dir():
        raise UserError(f"{root}: not a folder")
    names = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(folder).relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        for name in files:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122  (of a million)
            if suffix in suffixes and not name.startswith("."):
                path = f"{folder}/{name}"
                if os.path.isfile(path):  # noqa: PTH113
                    names.append(f"{prefix}{name}")
    return sorted(names, key=lambda name: name.replace("/", "\0"))


def _listed_objects(root: Path) -> ImageList:
    names, shards = {}, []
    for name, info in objects_below(root).items():
        suffix = Path(name).suffix.lower()
        if suffix in images.IMAGE_SUFFIXES:
            names[name] = key_of(name, stamp_of(info))
        elif suffix == ".tar":
            shards.append(name)
    if not names and not shards:
        raise UserError(f"{address(root)}: no images in it")
    if not names:
        return _listed_members(root, sorted(shards))
    ordered = sorted(names, key=lambda name: name.replace("/", "\0"))
    return ImageList(root, ordered, [names[name] for name in ordered])


def objects_below(root: Path) -> dict[str, Mapping[str, Any]]:
    """Return what storage says of the objects below a URL, by name, without hidden ones."""
    found = ask_storage(root, lambda fs, url: fs.find(url, detail=True))
    base = _url_parts(root)[1].strip("/")
    objects = {}
    for key, info in found.items():
        name = key.strip("/")[len(base) :].strip("/")
        if not any(part.startswith(".") for part in name.split("/")):
            objects[name] = info
    return objects


def _listed_members(root: Path, shards: Sequence[str]) -> ImageList:
    names, stamps = [], []
    for shard in shards:
        opened = open_shard(root / shard)
        for name in sorted(opened.names):
            names.append(f"{shard}/{name}".lstrip("/"))
            stamps.append(key_of(name, opened.stamp))
    return ImageList(root, names, stamps)


def key_of(name: str, stamp: str) -> int:
    """Return 64 bits that tell files and their versions apart."""
    text = f"{name}\0{stamp}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Shard:
    """A tar file's images: their names, and where each begins and how long it is."""

    path: Path
    stamp: str
    text: bytes
    index: np.ndarray

    @property
    def names(self) -> list[str]:
        """The members that are images."""
        text = self.text.decode("utf-8", "surrogateescape")
        return text.split("\0") if text else []

    def place(self, member: str, path: str | Path) -> tuple[int, int]:
        """Return offset and size [bytes] of a member; `path` is for the error."""
        key = np.uint64(key_of(member, ""))
        row = int(np.searchsorted(self.index["key"], key))
        if row == len(self.index) or self.index["key"][row] != key:
            raise UserError(f"{path}: {self.path} has no such image")
        return int(self.index["offset"][row]), int(self.index["size"][row])


@functools.cache
def open_shard(tar: Path) -> Shard:
    """Return a shard, by its index in the cache if it has not changed since.

    Raises:
        UserError: it is no tar, or is damaged.
    """
    if in_storage(tar):
        stamp = stamp_of(ask_storage(tar, lambda fs, url: fs.info(url)))
    else:
        status = tar.stat()
        stamp = f"{status.st_size} {status.st_mtime_ns}"
    place = tar if in_storage(tar) else tar.absolute()
    cached = cache_file("shards", f"{place}\0{stamp}", ".npz")
    try:
        with np.load(cached) as file:
            return Shard(tar, stamp, file["text"].tobytes(), file["index"].view(_INDEX))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        pass  # there is none yet, or it is damaged: made below

    if in_storage(tar):
        places = ask_storage(
            tar, lambda fs, url: _places(fs.open(url, block_size=BLOCK), tar)
        )
    else:
        places = _places(open_regular(tar), tar)
    rows = [(key_of(name, ""), *place) for name, place in places.items()]
    index = np.sort(np.array(rows, _INDEX), order="key")
    text = "\0".join(places).encode("utf-8", "surrogateescape")
    with atomic_path(cached) as temporary:
        np.savez(temporary, text=np.frombuffer(text, np.uint8), index=index)
    return Shard(tar, stamp, text, index)


def _places(file: BinaryIO, tar: Path) -> dict[str, tuple[int, int]]:
    """Return offset and size of each image of a tar file; the last of a name counts.

    Links, sparse files and names that lead out of the archive are left out: a member is
    bytes at an offset, and nothing is ever written under its name.
    """
    places = {}
    try:
        with file, tarfile.open(fileobj=file, mode="r:") as archive:
            total = file.seek(0, io.SEEK_END)
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]
                end = member.offset_data + member.size
                if member.size < 0 or end > total:
                    raise UserError(
                        f"{tar}: {member.name}: {member.size:,} bytes, but the file ends "
                        "before; copy it again"
                    )
                if member.isreg() and not member.issparse() and _is_image(member.name):
                    places[member.name] = member.offset_data, member.size
    except (
        *(tarfile.TarError, ValueError, OverflowError, RecursionError, EOFError),
    ) as error:
        raise UserError(f"{tar}: not a readable tar file ({error})") from error
    return places


def _is_image(name: str) -> bool:
    parts = name.split("/")
    plain = not any(part == "" or part.startswith(".") for part in parts)
    return plain and Path(name).suffix.lower() in images.IMAGE_SUFFIXES


def _shard_of(path: Path) -> tuple[Path, str] | None:
    """Return the shard of a path and the name in it, None for a file of its own."""
    text = path.as_posix()
    place = f"{text}/".find(".tar/")
    if place < 0:
        return None
    tar = Path(text[: place + 4])
    if not in_storage(tar) and not _is_file(tar):
        return None
    return tar, text[place + 5 :]


@functools.cache
def _is_file(path: Path) -> bool:
    return path.is_file()


def cache_file(kind: str, key: str, suffix: str) -> Path:
    """Return where something is kept between runs: below the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=16)
    return Path(cache, "realesrgan-paddle", kind, f"{name.hexdigest()}{suffix}")


def stamp_of(info: Mapping[str, Any]) -> str:
    """Return what tells versions of an object apart."""
    version = info.get("ETag") or info.get("etag") or info.get("mtime")
    return f"{info.get('size')} {version or info.get('LastModified')}"


def in_storage(path: str | Path) -> bool:
    """Return whether a path is an address in object storage."""
    return _URL.match(Path(path).as_posix()) is not None


def _url_parts(path: str | Path) -> tuple[str, str]:
    """Return scheme and rest of a URL that `Path` has written with one slash."""
    text = Path(path).as_posix()
    found = _URL.match(text)
    assert found is not None
    return found[1], text[found.end() :]


_said_at = -np.inf
"""When this process last said that storage does not answer, by `time.monotonic`."""


def address(path: str | Path) -> str:
    """Return the URL that `Path` has written with one slash."""
    scheme, rest = _url_parts(path)
    return f"{scheme}://{rest}"


def ask_storage(path: str | Path, question: Callable[[Any, str], Result]) -> Result:
    """Return the answer of object storage; wait and ask again where there is none.

    Raises:
        UserError: it says that there is no such object or that it is not allowed, it has
            not answered for the time of `WAITS`, or fsspec is not installed.
    """
    global _said_at
    url = address(path)
    scheme = url.partition(":")[0]
    try:
        # Imported here: local files need no fsspec.
        import fsspec

        storage = fsspec.filesystem(scheme, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise UserError(
            f'{url}: {error}; pip install "realesrgan-paddle[remote]" reads s3://, and '
            "fsspec's packages gcsfs gs://, pyarrow hdfs://"
        ) from None

    for wait in (*WAITS, None):
        try:
            return question(storage, url)
        except UserError:
            raise
        except _NO_RETRY as error:
            raise UserError(f"{url}: {error or 'not there'}") from error
        except Exception as error:  # each kind of storage raises its own
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            if type(error).__name__ == _NO_KEYS:
                raise UserError(f"{url}: {reason}; {_SET_KEYS}") from error
            if wait is None:
                raise UserError(
                    f"{url}: no answer for {sum(WAITS) // 60} minutes ({reason})"
                ) from error
        if time.monotonic() - _said_at > WAITS[-1]:
            sys.stderr.write(f"{printable(f'{url}: {reason}; waiting for it')}\n")
        _said_at = time.monotonic()
        time.sleep(wait)
    raise AssertionError("unreachable")
