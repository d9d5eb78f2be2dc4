"""Which requests the page answers: those of its own address, of bounded size."""

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from realesrgan_paddle.serve.kept import KeptFiles
from realesrgan_paddle.utils.errors import UserError, printable

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = ("127.0.0.1", "::1", "localhost")
UPLOAD = "/gradio_api/upload"
SENT_TO = (
    UPLOAD,
    "/gradio_api/queue/join",
    "/gradio_api/call/",
    "/gradio_api/run/",
    "/gradio_api/cancel",
    "/gradio_api/reset",
)
"""Where browsers and `gradio_client` send something; Gradio takes more elsewhere."""
FORM = 100_000
"""Bytes that an upload may have besides its file: names and boundaries."""
CALL = 1_000_000
"""Bytes of any other request: it names a file and a model."""

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; "
    "form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
)
"""Keeps browsers from asking any other host, and other pages from showing this one."""


@dataclass(frozen=True)
class Names:
    """The names by which the page may be asked for.

    A page from elsewhere may let its own name point here, and read what is answered (DNS
    rebinding). It cannot take an address, nor localhost.
    """

    host: str
    """What the page listens at."""
    also: tuple[str, ...] = ()
    """Names given by the user."""

    def __contains__(self, name: str) -> bool:
        if name in (self.host.lower(), *(each.lower() for each in self.also)):
            return True
        if is_local(self.host):
            return name in LOOPBACK_NAMES
        if not is_any(self.host):
            return False
        return name == "localhost" or _address(name) is not None


def is_local(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def is_any(host: str) -> bool:
    """Return whether a host stands for all addresses of this machine."""
    address = _address(host)
    return address is not None and address.is_unspecified


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class RefusedError(Exception):
    """A request that is not answered: the HTTP status, and a line that says why."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class Guard:
    """A middleware (ASGI): refuses what is not meant for the page.

    Args:
        app: what answers the rest.
        names: of the page.
        kept: the files that are kept.
        most_bytes: of an uploaded file.
    """

    def __init__(
        self, app: App, names: Names, kept: KeptFiles, most_bytes: int
    ) -> None:
        self._app = app
        self._names = names
        self._kept = kept
        self._most_bytes = most_bytes
        self._arriving = 0
        """Bytes of the uploads that are being received."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; all but HTTP, of which the page has nothing, goes on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_policy(message: MutableMapping[str, Any]) -> None:
            """Send a message; the answer's headers say what the page may load."""
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", POLICY.encode())
                message["headers"] = [*message.get("headers", ()), policy]
            await send(message)

        arriving = 0
        try:
            headers = _headers(scope)
            self._check_sender(scope, headers)
            length = self._checked_length(scope, headers)
            if scope["path"].rstrip("/") == UPLOAD:
                await self._check_room(length, receive)
                arriving = length
            self._arriving += arriving
            await self._app(scope, receive, send_with_policy)
        except RefusedError as refused:
            await _answer(send_with_policy, refused)
        finally:
            self._arriving -= arriving

    def _check_sender(self, scope: Scope, headers: dict[str, str]) -> None:
        """Raise RefusedError unless a program, or the page itself, sent the request."""
        host = headers.get("host", "")
        name = _host_name(host)
        if name not in self._names:
            raise RefusedError(
                421,
                f"this page is not {printable(name)!r}; if it should be, name it: "
                "serve --name NAME",
            )
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            raise RefusedError(403, "a page of another site asks; only this one may")

        # From elsewhere a link may open the page, as a page of its own.
        is_link = (
            scope["path"] == "/"
            and scope["method"] == "GET"
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest") == "document"
        )
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none") and not is_link:
            raise RefusedError(403, "a page of another site asks; only this one may")
        if "://" in scope["path"]:  # Gradio would fetch it, and hand it on
            raise RefusedError(403, "nothing is fetched from other addresses")

    def _checked_length(self, scope: Scope, headers: dict[str, str]) -> int:
        """Return the bytes of a request's body; raise RefusedError if they are too many."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return 0
        if not scope["path"].startswith(SENT_TO):
            raise RefusedError(404, "this page takes nothing there")
        length = headers.get("content-length", "")
        # With an encoding of its own the body may have any length, whatever is said.
        if not length.isdecimal() or "transfer-encoding" in headers:
            raise RefusedError(411, "a request must say its length")

        is_upload = scope["path"].rstrip("/") == UPLOAD
        most = self._most_bytes + FORM if is_upload else CALL
        if int(length) > most:
            raise RefusedError(413, f"more than {most / 10**6:g} MB in a request")
        return int(length)

    async def _check_room(self, length: int, receive: Receive) -> None:
        """Raise RefusedError, once an upload was received, if it cannot be kept."""
        try:
            self._kept.check_room(self._arriving + length)
        except UserError as error:
            # Browsers show the answer only after they have sent everything.
            while (await receive()).get("more_body", False):
                pass
            raise RefusedError(507, str(error)) from error


def _headers(scope: Scope) -> dict[str, str]:
    """Return a request's headers; one that stands twice has both values."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _host_name(host: str) -> str:
    """Return the name of "NAME:PORT", in lower case; "" if there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _answer(send: Send, refused: RefusedError) -> None:
    """Answer with a status and a line of text."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    start = {"type": "http.response.start", "status": refused.status}
    await send({**start, "headers": headers})
    body = f"{refused}\n".encode(errors="replace")
    await send({"type": "http.response.body", "body": body})
