"""The settings a set of images was made with, so that no others are mixed in."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import read_regular
from realesrgan_paddle.utils.json_records import parse_object


def keep_settings(path: Path, settings: Mapping[str, Any], output: Path) -> None:
    """Write `settings` into the JSON file `path`, or compare them with those in it.

    Raises:
        UserError: the set `output` was made with other settings; names them. Or the
            file is damaged.
    """
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(settings))
        return

    before = _read(path)
    differing = []
    for key in {**before, **settings}:
        old, new = before.get(key), settings.get(key)
        if old != new:
            differing.append(f"{key} {old}, not {new}")
    if differing:
        raise UserError(
            f"{output}: was made with {', '.join(differing)}; use another --output"
        )


def has_settings(path: Path, *, without: str) -> bool:
    """Return whether there are settings in `path` that lack the one named `without`.

    Raises:
        UserError: the file is damaged.
    """
    if not path.exists():
        return False
    return without not in _read(path)


def _read(path: Path) -> dict[str, Any]:
    """Return the settings in `path`; raises UserError if it is damaged."""
    try:
        return parse_object(read_regular(path))
    except ValueError as error:
        raise UserError(
            f"{path}: not the settings of a set ({error}); use another --output"
        ) from None
