"""The released networks: what each is, and where it can be had from this machine."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.weights.catalogue import MODELS, ReleasedModel
from realesrgan_paddle.models.weights.read_generator import DEFAULT_FOLDER

TIMEOUT = 4
"""Seconds that a site may take to answer."""


def released_networks() -> Iterator[str]:
    """Yield a line for each released generator, then where to get those out of reach.

    Name, scale, size of the released file, license, and where it is: in the folder that
    released networks are kept in, or who has it. Each site is asked once whether it
    answers from here.
    """
    by_hand = []
    for model in MODELS:
        network = model.network
        if not isinstance(network, Generator) or model.sha256 is None:
            continue
        place = _place(model)
        if not place:
            by_hand.append(model.url)
        size = f"{(model.size or 0) / 1e6:.1f} MB"
        yield (
            f"{model.name:<26} x{network.scale} {size:>8}  {model.license:<12} "
            f"{place or 'out of reach: see below'}"
        )

    yield f"Each is fetched when it is first used, into {DEFAULT_FOLDER.resolve()}."
    if by_hand:
        yield "Those out of reach are used once they lie there; their files:"
        yield from by_hand


def _place(model: ReleasedModel) -> str:
    """Return where a network is, or who has it; "" where nobody in reach has."""
    for name in (f"{model.name}.pdparams", Path(model.url).name):
        path = DEFAULT_FOLDER / name
        if path.is_file():
            return f"here: {path}"
    site = urlsplit(model.url)
    if answers(f"{site.scheme}://{site.netloc}"):
        return site.netloc
    return str(model.package) if model.package else ""


@cache
def answers(site: str) -> bool:
    """Return whether a site can be reached from here, whatever it says."""
    request = urllib.request.Request(site, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500 and error.code != 407  # a proxy that refuses
    except (OSError, ValueError):
        return False
