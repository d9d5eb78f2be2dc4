"""`pipeline`, for programs that were written for ModelScope's."""

from pathlib import Path
from typing import Any, TypedDict, overload

import cv2
import numpy as np
from PIL import Image

from realesrgan_paddle.inference.upscaler import Upscaler, read_any
from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.images import eight_bits

Single = str | Path | np.ndarray | Image.Image
TASK = "image-super-resolution"
"""ModelScope's `Tasks.image_super_resolution`."""
DEFAULT_MODEL = "RealESRGAN_x4plus"


class Output(TypedDict):
    """What a pipeline returns for an image."""

    output_img: np.ndarray
    """uint8 BGR (H, W, 3), as `cv2.imwrite` takes it. ModelScope's OUTPUT_IMG."""


class SuperResolution:
    """Upscales images as ModelScope's pipeline of that name does; see `pipeline`."""

    def __init__(self, upscaler: Upscaler) -> None:
        self.upscaler = upscaler

    @overload
    def __call__(
        self,
        image: Single,
    ) -> Output: ...

    @overload
    def __call__(
        self,
        image: list[Single],
    ) -> list[Output]: ...

    def __call__(self, image: Any) -> Any:
        """Return an `Output`; for a list of images, a list of them.

        Args:
            image: the path of an image file, a PIL image, or an array as `cv2.imread`
                returns it: uint8 or uint16, BGR, BGRA or gray. Alpha is left out and 16
                bits become 8, as in the original.
        """
        if isinstance(image, list | tuple):
            return [self._one(single) for single in image]
        return self._one(image)

    def _one(self, image: Any) -> Output:
        if isinstance(image, str) and "://" in image:
            raise UserError(
                f"{image}: addresses are not fetched; download the file first"
            )
        pixels = read_any(image)
        rgb = _rgb8(pixels)
        if isinstance(image, np.ndarray):
            rgb = rgb[..., ::-1]  # it was BGR

        large = self.upscaler(rgb)
        return {"output_img": cv2.cvtColor(large, cv2.COLOR_RGB2BGR)}


def pipeline(
    task: str, model: str | Path | Upscaler = DEFAULT_MODEL, *, device: str = "auto"
) -> SuperResolution:
    """Return a function that upscales images: `{"output_img": BGR array}` for each.

    As `modelscope.pipelines.pipeline("image-super-resolution", model=...)`, so that only
    the import changes:

        sr = pipeline("image-super-resolution", model="RealESRGAN_x4plus")
        cv2.imwrite("large.png", sr("small.png")["output_img"])

    Args:
        task: "image-super-resolution", the only one here.
        model: what `Upscaler.load` takes, or an `Upscaler` that was loaded with options of
            its own. ModelScope's ids are not known here.
        device: "auto", "cpu" or "gpu"; not used for an `Upscaler`.

    Raises:
        UserError: an unknown task, or a model that cannot be loaded.
    """
    if task != TASK:
        raise UserError(
            f"no task is called {task!r}{did_you_mean(task, [TASK])} (known: {TASK})"
        )
    if not isinstance(model, Upscaler):
        model = Upscaler.load(model, device=device)
    return SuperResolution(model)


def _rgb8(image: np.ndarray) -> np.ndarray:
    """Return an image as uint8 RGB (H, W, 3), without alpha; others as they are."""
    image = eight_bits(image)
    if image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2)
    if image.shape[2:] == (4,):
        return image[..., :3]
    return image
