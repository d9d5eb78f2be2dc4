"""The steadiness of upscaled clips, with LPIPS where its weights are available."""

from collections.abc import Callable, Iterable, Mapping

from realesrgan_paddle.utils.temporal.figures import Steadiness
from realesrgan_paddle.utils.temporal.measure import measure_steadiness
from realesrgan_paddle.utils.temporal.steps import Distance, Frame


def measure_clip(
    frames_of: Mapping[str, Iterable[Frame]],
    gt: Iterable[Frame] | None = None,
    lq: Iterable[Frame] | None = None,
    *,
    remark: Callable[[str], None] = print,
) -> dict[str, Steadiness]:
    """Return the steadiness of each clip, and of the ground truth, by name.

    All frames are uint8 RGB (H, W, 3), taken in one pass; see `measure_steadiness`.

    Args:
        frames_of: the clips that are measured.
        gt: the ground truth; tOF, tLP and the error of changes need it.
        lq: the input; flicker needs it.
        remark: is told in a line why tLP is left out, if it is.

    Raises:
        UserError: clips differ in size or number of frames, or have fewer than two.
    """
    distance = None
    if gt is not None:
        distance = _open_lpips(remark)
    return measure_steadiness(frames_of, gt=gt, lq=lq, distance=distance)


def _open_lpips(remark: Callable[[str], None]) -> Distance | None:
    """Return LPIPS with AlexNet, as TecoGAN uses it; None if it has no weights."""
    # Imports Paddle.
    from realesrgan_paddle.metrics.available_metrics import missing_weights, open_metric
    from realesrgan_paddle.options.schema.validation import MetricOptions

    reason = missing_weights("calculate_lpips")
    if reason:
        remark(f"tLP is left out: {reason}")
        return None
    # The border is already left out.
    return open_metric(MetricOptions(type="calculate_lpips", crop_border=0))
