"""Real-ESRGAN on PaddlePaddle: `Upscaler`, `build_set`, `train`, `compare` and others."""

import importlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The folders of this package (data, loss, models, ...) lie beside this file in a wheel,
# and beside its folder in a checkout, where the repository shows them at its top level.
_here = Path(__file__).resolve().parent
if not (_here / "models").is_dir():
    __path__.append(str(_here.parent))

# OpenCV reads its limit of pixels when it is imported, which this package's modules do.
# They check what a header declares (utils/image_headers.py); this is for a header that
# OpenCV reads otherwise. A pixel takes a byte or more.
_megabytes = os.environ.get("REALESRGAN_MAX_IMAGE_MB", "")
if not re.fullmatch("[1-9][0-9]{0,5}", _megabytes):
    _megabytes = "400"
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", f"{_megabytes}000000")
# Its remarks on damaged images would stand among our lines, which say the same.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

if TYPE_CHECKING:
    from realesrgan_paddle.api import build_set, compare, train
    from realesrgan_paddle.commands.tune import tune
    from realesrgan_paddle.inference.pipeline import pipeline
    from realesrgan_paddle.inference.upscaler import Upscaler
    from realesrgan_paddle.models.weights.catalogue import list_models

from realesrgan_paddle.utils.version import VERSION  # noqa: E402  (needs __path__)

__version__ = VERSION
__all__ = [
    "Upscaler",
    "__version__",
    "build_set",
    "compare",
    "list_models",
    "pipeline",
    "train",
    "tune",
]
_MODULES = {
    "Upscaler": "inference.upscaler",
    "build_set": "api",
    "compare": "api",
    "list_models": "models.weights.catalogue",
    "pipeline": "inference.pipeline",
    "train": "api",
    "tune": "commands.tune",
}
"""The module of each public name, which is imported at its first use: that takes a moment."""


def __getattr__(name: str) -> Any:
    """Return a public name."""
    if name not in _MODULES:
        raise AttributeError(f"module 'realesrgan_paddle' has no attribute {name!r}")
    module = importlib.import_module(f"realesrgan_paddle.{_MODULES[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    """Return all names, also those not yet imported, which interpreters complete."""
    return sorted({*globals(), *__all__})
