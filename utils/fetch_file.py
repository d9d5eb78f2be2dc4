"""A file from an address that a user gives: of unknown size and content.

`utils.download` fetches what is known by its sha256.
"""

import http.client
import shutil
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from tqdm import tqdm

from realesrgan_paddle.utils.download import (
    ATTEMPTS,
    CHUNK,
    PAGES,
    Pace,
    open_url,
    refusal,
)
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.files import atomic_path

MOST_BYTES = 1 << 34
"""16 GiB: hours of video."""
SPARED = 1 << 30
"""Bytes that are left free on the disk."""

SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
    "image/gif": ".gif",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "video/mp2t": ".ts",
    "video/x-msvideo": ".avi",
}
"""Media type of an answer -> suffix of its file, where the address has none."""


def is_url(text: str) -> bool:
    """Return whether a text is an address that can be fetched."""
    return text.lower().startswith(("http://", "https://"))


def fetch_file(url: str, folder: Path, known: tuple[str, ...]) -> tuple[Path, bool]:
    """Return the file of an address in `folder`, and whether it was there before.

    It is whole, or not there: what breaks off is asked for again from there if the
    server says that it is the same file still, else from the begin. A file of its name
    and size is not fetched again.

    Args:
        url: http or https; redirections to anything else are not followed.
        folder: where.
        known: suffixes, in lower case, that the file may have.

    Raises:
        UserError: the server cannot be reached or refuses, is too slow, or answers with
            a page; the file's kind is unknown; it is too large; another one has its name.
    """
    shown = without_query(url)
    with _opened(url, {}) as response:
        if response.headers.get_content_type() in PAGES:
            raise UserError(
                f"{shown}: the server answers with a page, not with a file; give the "
                "address of the picture or video itself (of a video site: fetch it with "
                "that site's or a download program)"
            )
        path = folder / _file_name(url, response, known)
        size = response.length
        if path.exists():
            if size is not None and path.is_file() and path.stat().st_size == size:
                return path, True
            there = "of unknown size" if size is None else f"of {size:,} bytes"
            raise UserError(
                f"{path}: is there already, and {shown} is a file {there}; move it away, "
                "or name it as the input"
            )

        _check_size(size or 0, shown, folder)
        with atomic_path(path) as temporary, temporary.open("r+b") as file:
            _receive(url, response, file)
    return path, False


def without_query(url: str) -> str:
    """Return an address without what may be secret: user, password and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _opened(url: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
    """Return a server's response; a UserError names the address without its query."""
    try:
        return open_url(url, headers)
    except urllib.error.HTTPError as error:
        raise refusal(without_query(url), error) from None
    except UserError as error:
        raise UserError(str(error).replace(url, without_query(url))) from None


def _file_name(
    url: str, response: http.client.HTTPResponse, known: tuple[str, ...]
) -> str:
    """Return the name of an answer's file: the address's last part, with its suffix."""
    name = Path(unquote(urlsplit(url).path).replace("\\", "/")).name.lstrip(".")
    name = printable(name)[-120:]
    if Path(name).suffix.lower() in known:
        return name

    kind = response.headers.get_content_type()
    if kind not in SUFFIXES:
        raise UserError(
            f"{without_query(url)}: neither its name nor its type ({kind[:60]}) is that "
            f"of a picture or video; known are {', '.join(known)}"
        )
    return f"{name or 'download'}{SUFFIXES[kind]}"


def _check_size(size: int, shown: str, folder: Path) -> None:
    """Raise UserError if so many bytes are too many, or do not fit the disk."""
    if size > MOST_BYTES:
        raise UserError(
            f"{shown}: more than {MOST_BYTES / 2**30:.0f} GiB; fetch it by other means, "
            "and give the file"
        )
    free = shutil.disk_usage(folder).free
    if size > free - SPARED:
        raise UserError(
            f"{shown}: {size / 1e6:,.0f} MB, and {folder.resolve()} has "
            f"{free / 1e6:,.0f} MB left; make room"
        )


def _receive(url: str, response: http.client.HTTPResponse, file: BinaryIO) -> None:
    """Write all that a server has, asking again where the connection breaks."""
    shown, size = without_query(url), response.length
    pace = Pace(shown)
    same = response.headers.get("ETag") or response.headers.get("Last-Modified")
    bar = tqdm(
        total=size,
        unit="B",
        unit_scale=True,
        desc=printable(shown.rpartition("/")[2]),
        disable=None,
    )
    with bar:
        for attempt in range(ATTEMPTS):
            if attempt:
                have = file.tell() if same and not same.startswith("W/") else 0
                response = _rest(url, have, same or "", file)
                bar.reset(size)
                bar.update(file.tell())
            with response:
                if _store(response, file, shown, pace, bar):
                    return
    raise UserError(
        f"{shown}: broke off at {file.tell():,} bytes, for the {ATTEMPTS}th time; run "
        "again"
    )


def _rest(url: str, have: int, same: str, file: BinaryIO) -> http.client.HTTPResponse:
    """Return the response with what follows the first `have` bytes; else with all.

    Args:
        url: what is asked for.
        have: bytes of the file; 0: all is asked for.
        same: the server's word for the content that these are of.
        file: goes on at what the response begins with.
    """
    headers = {"Range": f"bytes={have}-", "If-Range": same} if have else {}
    response = _opened(url, headers)
    goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    file.seek(have if have and goes_on else 0)
    file.truncate()
    return response


def _store(
    response: http.client.HTTPResponse,
    file: BinaryIO,
    shown: str,
    pace: Pace,
    bar: tqdm,
) -> bool:
    """Write a response at a file's position; return whether it came to its end."""
    while True:
        try:
            # Not read(): at a chunk of negative size it would read to the end.
            chunk = response.read1(CHUNK)
        except (OSError, http.client.HTTPException):
            return False
        if not chunk:
            return not response.length
        file.write(chunk)
        pace.add(len(chunk))
        bar.update(len(chunk))
        if file.tell() > MOST_BYTES:
            _check_size(file.tell(), shown, Path())
