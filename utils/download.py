"""Downloads over http(s): resumed, checked against their sha256, atomic.

Own code on urllib, because no library does all three and locks as well: pooch, the
nearest, checks hashes but neither resumes nor lets a second process wait.
"""

import errno
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.files import sha256_of
from realesrgan_paddle.utils.locks import locked

CHUNK = 1 << 20
"""Bytes read at a time."""

TIMEOUT = 8
"""Seconds to connect, and without a byte.

Short, because a caller may have another source, and a broken download is resumed.
"""

GRACE, SLOWEST = 30, 10_000
"""Seconds that a download may take besides its bytes, and how many of those a second.

A server that sends one byte at a time ends after the first, and the released models,
of 64 MB at most, within two hours.
"""

MAX_REASON = 80
"""Letters of a server's reason that an error repeats."""

PAGES = ("text/html", "application/xhtml+xml")
"""Media types of what is answered in place of a file."""

ATTEMPTS = 5
"""How often one call connects before it reports a broken connection."""


def download(url: str, path: str | Path, sha256: str, size: int) -> Path:
    """Return `path`, downloaded from `url` first if it does not exist.

    Received bytes are kept in `path` + ".part": this call or the next run resumes from
    there. The file is renamed after its sha256 was checked. Of two processes that want
    it, one downloads and the other waits. A terminal shows a progress bar.

    Args:
        url: http or https; redirections to anything else are not followed.
        path: the file to make; missing folders are made too.
        sha256: in hexadecimal.
        size: in bytes.

    Raises:
        UserError: the server cannot be reached or refuses; the download was cut short,
            or is not the expected file; or `path` exists and is another file, which is
            then kept.
    """
    path = Path(path)
    if not url.lower().startswith(("http://", "https://")):
        raise UserError(f"{url}: only http and https addresses are fetched")
    # Asked before the lock too: the folder may be another user's, who shares it.
    if _is_there(path, url, sha256):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock")):
        if _is_there(path, url, sha256):
            return path

        part = path.with_name(f"{path.name}.part")
        _complete(part, url, size)
        found = sha256_of(part)
        if found != sha256.lower():
            part.unlink()
            raise UserError(
                f"{url}: sha256 {found}, expected {sha256}; the download was deleted, "
                "run again to retry"
            )
        part.replace(path)
    return path


def _is_there(path: Path, url: str, sha256: str) -> bool:
    """Return whether the file is there; raise UserError if it is another."""
    if not path.exists():
        return False
    found = sha256_of(path)
    if found != sha256.lower():
        raise UserError(
            f"{path}: is not {url}: sha256 {found}, expected {sha256}; move it away"
        )
    return True


def _complete(part: Path, url: str, size: int) -> None:
    """Download the rest of `part` up to `size` bytes, reconnecting if it breaks off."""
    pace = Pace(url)
    for _ in range(ATTEMPTS):
        have = _size(part)
        if have == size:
            return
        if have > size:
            part.unlink()
            have = 0
        with _request(url, part, have) as response:
            start = _checked_start(response, url, have, size)
            try:
                _store(response, part, start, size, pace)
            except OSError as error:
                advice = "make room"
                if error.errno in (errno.EACCES, errno.EPERM, errno.ELOOP):
                    advice = "remove it, or let its owner do so,"
                raise UserError(
                    f"{part}: cannot be written ({error.strerror}); {advice} and run "
                    "again"
                ) from None

    have = _size(part)
    if have < size:
        raise UserError(
            f"{url}: broke off at {have:,} of {size:,} bytes; run again to resume"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _request(url: str, part: Path, have: int) -> http.client.HTTPResponse:
    """Return the server's response to a request for all but the first `have` bytes."""
    try:
        return open_url(url, {"Range": f"bytes={have}-"} if have else {})
    except urllib.error.HTTPError as error:
        if have and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # the server would refuse this range every time
            return _request(url, part, 0)
        raise refusal(url, error) from None


def open_url(url: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
    """Return a server's response.

    Raises:
        HTTPError: it refuses; see `refusal`.
        UserError: it cannot be reached.
    """
    own = {"User-Agent": "realesrgan-paddle", "Accept-Encoding": "identity"}
    try:
        request = urllib.request.Request(url, headers={**own, **headers})
        return _opener().open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
        # OverflowError: a redirection to a port of 30 digits
        reason = getattr(error, "reason", error)
        raise UserError(
            f"{url}: not reachable ({reason}); "
            "check the network connection and the proxy"
        ) from None


def refusal(url: str, error: urllib.error.HTTPError) -> UserError:
    """Return the error to raise where a server refuses."""
    return UserError(
        f"{url}: the server answers {error.code} {error.reason[:MAX_REASON]}"
    )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows up to ten redirections, without reading the pages that come with them."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], *answer: Any
    ) -> urllib.request.Request | None:
        """Return the next request; see the base class."""
        fp.close()
        return super().redirect_request(req, fp, *answer)


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https only.

    urllib's default one also opens file:, ftp: and data: addresses.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _checked_start(
    response: http.client.HTTPResponse, url: str, have: int, size: int
) -> int:
    """Return the offset in the file at which a response starts.

    Raises:
        UserError: its headers say that it cannot be the expected file.
    """
    if response.headers.get_content_type() in PAGES:
        raise UserError(
            f"{url}: the server answers with an HTML page (a login or proxy page?), "
            "not with the file"
        )

    partial = response.status == http.client.PARTIAL_CONTENT
    content_range = response.headers.get("Content-Range", "")
    if partial and not content_range.startswith(f"bytes {have}-"):
        raise UserError(
            f"{url}: the server answers with another part of the file than requested"
        )

    start = have if partial else 0
    # http.client reads the header, and gives None for a number that is none.
    length = response.length
    if length is not None and start + length != size:
        found = f"{start + length:,}"[:30]  # a header may have thousands of digits
        raise UserError(
            f"{url}: the server has {found} bytes, expected {size:,}; not the same file"
        )
    return start


class Pace:
    """How fast a download has come so far.

    Args:
        url: what the error names.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._start = time.monotonic()
        self._received = 0

    def add(self, count: int) -> None:
        """Count received bytes.

        Raises:
            UserError: they come more slowly than `SLOWEST`, after a time of `GRACE`.
        """
        self._received += count
        seconds = time.monotonic() - self._start
        if self._received < SLOWEST * (seconds - GRACE):
            raise UserError(
                f"{self._url}: too slow: {self._received:,} bytes in {seconds:.0f} "
                "seconds; run again to resume"
            )


def _store(
    response: http.client.HTTPResponse, part: Path, start: int, size: int, pace: Pace
) -> None:
    """Write a response at offset `start` of `part`, up to `size` bytes in total."""
    bar = tqdm(
        total=size,
        initial=start,
        unit="B",
        unit_scale=True,
        desc=printable(part.stem),
        disable=None,
    )
    mode = "r+b" if start else "wb"
    with bar, open(part, mode, opener=_without_links) as file:
        file.seek(start)
        for chunk in _chunks(response, size - start):
            file.write(chunk)
            pace.add(len(chunk))
            bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())


def _without_links(path: str, flags: int) -> int:
    """Open a file, not what another user of its folder has linked to its name."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _chunks(response: http.client.HTTPResponse, limit: int) -> Iterator[bytes]:
    """Yield up to `limit` bytes; a broken connection ends them without an error.

    The caller compares the file's size with the expected one.
    """
    while limit > 0:
        try:
            # Not read(): at a chunk of negative size it would read to the end.
            chunk = response.read1(min(CHUNK, limit))
        except (OSError, http.client.HTTPException):
            return
        if not chunk:
            return
        limit -= len(chunk)
        yield chunk
