"""How a set of images was made, written down beside it, so that it is not built on in another way."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realesrgan_paddle.utils.atomic import atomic_path
from realesrgan_paddle.utils.errors import UserError


def keep_settings(path: Path, settings: Mapping[str, Any], output: Path) -> None:
    """Write `settings` into the json file `path`, if it is not there yet; else compare them with it.

    Raises:
        UserError: the set `output` was made with others; names them.
    """
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(settings))
        return
    before = json.loads(path.read_text())
    differing = [
        f"{key} {before.get(key)}, not {settings.get(key)}"
        for key in {**before, **settings}
        if before.get(key) != settings.get(key)
    ]
    if differing:
        raise UserError(
            f"{output}: was made with {', '.join(differing)}; use another --output"
        )
