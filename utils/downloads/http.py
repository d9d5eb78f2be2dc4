"""Files fetched over http(s): resumed, checked against their sha256, there as a whole or not at all."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from realesrgan_paddle.utils.errors import UserError

CHUNK = 1 << 20
# seconds to connect, and without a byte: there may be another source, and what broke
# off goes on
TIMEOUT = 8
ATTEMPTS = 5


def download(url: str, path: str | Path, sha256: str, size: int) -> Path:
    """Return `path`, fetched from `url` first if it is not there yet.

    What has arrived waits in `path` + ".part": a broken download goes on from there,
    now or in the next run. The file gets its name after its sha256 was found right. Of
    two processes that want it, one fetches and the other waits. A bar shows the
    progress on a terminal.

    Args:
        url: http or https; a redirection to anything else is not followed.
        path: the file to make; missing folders are made too.
        sha256: in hexadecimal.
        size: in bytes.

    Raises:
        UserError: not reachable, refused by the server, cut short, or another file than
            the expected one; or `path` exists and is another file, which then stays.
    """
    path = Path(path)
    if not url.lower().startswith(("http://", "https://")):
        raise UserError(f"{url}: only http and https addresses are fetched")
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            found = sha256_of(path)
            if found != sha256.lower():
                raise UserError(
                    f"{path}: is not {url}: sha256 {found}, expected {sha256}; move it away"
                )
            return path
        part = path.with_name(f"{path.name}.part")
        _fetch(url, part, size)
        found = sha256_of(part)
        if found != sha256.lower():
            part.unlink()
            raise UserError(
                f"{url}: sha256 {found}, expected {sha256}; what came was deleted, run again to retry"
            )
        part.replace(path)
    return path


def sha256_of(path: str | Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _fetch(url: str, part: Path, size: int) -> None:
    """Bring `part` to `size` bytes, going on where a connection broke off."""
    for _ in range(ATTEMPTS):
        have = _size(part)
        if have == size:
            return
        if have > size:
            part.unlink()
            have = 0
        with _answer(url, part, have) as response:
            start = _checked_start(response, url, have, size)
            try:
                _store(response, part, start, size)
            except OSError as error:
                raise UserError(
                    f"{part}: cannot be written ({error.strerror}); make room and run again"
                ) from None
    have = _size(part)
    if have < size:
        raise UserError(
            f"{url}: broke off at {have:,} of {size:,} bytes; run again to go on from there"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _answer(url: str, part: Path, have: int) -> http.client.HTTPResponse:
    """Return the server's answer when asked for what follows the first `have` bytes."""
    headers = {"User-Agent": "realesrgan-paddle", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        return _opener().open(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT
        )
    except urllib.error.HTTPError as error:
        if have and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # or this server would refuse for ever
            return _answer(url, part, 0)
        raise UserError(
            f"{url}: the server answers {error.code} {error.reason}"
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"{url}: not reachable ({reason}); check the network connection and the proxy"
        ) from None


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https alone: the usual one also opens file:, ftp: and data: addresses."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _checked_start(
    response: http.client.HTTPResponse, url: str, have: int, size: int
) -> int:
    """Return at which byte of the file an answer begins, after checking that it can be the expected file."""
    if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise UserError(
            f"{url}: the server answers with an HTML page (a login or proxy page?), not with the file"
        )
    partial = response.status == http.client.PARTIAL_CONTENT
    if partial and not response.headers.get("Content-Range", "").startswith(
        f"bytes {have}-"
    ):
        raise UserError(
            f"{url}: the server answers with another part of the file than was asked for"
        )
    start = have if partial else 0
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and start + int(length) != size:
        raise UserError(
            f"{url}: the server has {start + int(length):,} bytes, expected {size:,}; not the same file"
        )
    return start


def _store(
    response: http.client.HTTPResponse, part: Path, start: int, size: int
) -> None:
    """Write what arrives behind the first `start` bytes of `part`, `size` bytes at most in all."""
    bar = tqdm(
        total=size,
        initial=start,
        unit="B",
        unit_scale=True,
        desc=part.stem,
        disable=None,
    )
    with bar, part.open("r+b" if start else "wb") as file:
        file.seek(start)
        for chunk in _chunks(response, size - start):
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())


def _chunks(response: http.client.HTTPResponse, limit: int) -> Iterator[bytes]:
    """Yield at most `limit` bytes, fewer when the connection breaks: the caller counts what came."""
    while limit > 0:
        try:
            chunk = response.read(min(CHUNK, limit))
        except (OSError, http.client.HTTPException):
            return
        if not chunk:
            return
        limit -= len(chunk)
        yield chunk
