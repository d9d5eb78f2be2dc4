"""Real-ESRGAN on PaddlePaddle: `Upscaler` and `list_models`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

# The folders of this package (data, loss, models, ...) lie beside this file in a wheel,
# and beside its folder in a checkout, where the repository shows them at its top level.
_here = Path(__file__).resolve().parent
if not (_here / "models").is_dir():
    __path__.append(str(_here.parent))

if TYPE_CHECKING:
    from realesrgan_paddle.models.inference.upscaler import Upscaler
    from realesrgan_paddle.models.weights.catalogue import list_models

__version__ = "0.1.0"
__all__ = ["Upscaler", "__version__", "list_models"]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: Paddle takes seconds to import."""
    if name == "Upscaler":
        from realesrgan_paddle.models.inference.upscaler import Upscaler

        return Upscaler
    if name == "list_models":
        from realesrgan_paddle.models.weights.catalogue import list_models

        return list_models
    raise AttributeError(f"module 'realesrgan_paddle' has no attribute {name!r}")
