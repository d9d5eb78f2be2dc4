"""What all tabs of the page share."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from realesrgan_paddle.serve.kept import KeptFiles
from realesrgan_paddle.serve.service import Service
from realesrgan_paddle.serve.tunes import Tunes
from realesrgan_paddle.utils.errors import UserError, error_line

T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    """What the page is built on."""

    gr: Any
    """The module, from `import_gradio`."""
    service: Service
    tunes: Tunes
    kept: KeptFiles


def named(models: Sequence[str]) -> list[tuple[str, str]]:
    """Return models as a list shows them: files and folders by their last names."""
    shown = [Path(model).name for model in models]
    if len(set(shown)) < len(shown):
        shown = list(models)
    return list(zip(shown, models, strict=True))


def quiet() -> dict[str, Any]:
    """Return how events run that compute nothing: at once, and without a sign."""
    return {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def or_error(gr: Any, work: Callable[..., T], *arguments: Any) -> T:
    """Return what `work` returns; a UserError becomes a message on the page.

    Gradio shows messages as HTML, and a file's name may hold some.
    """
    try:
        return work(*arguments)
    except (UserError, OSError) as error:
        message = html.escape(error_line(str(error)))
        raise gr.Error(message, print_exception=False) from error
