"""tOF and tLP equal TecoGAN's (recorded by record_steadiness.py)."""

from functools import partial

import numpy as np
import pytest
import sample_perceptual_metrics
import sample_steadiness as sample
from places import REFERENCE

from realesrgan_paddle.utils.temporal.measure import measure_steadiness

RECORDED = np.load(REFERENCE / "steadiness" / "tecogan.npz")

COUNTED = slice(sample.CUT, -sample.CUT)
GT = sample.ground_truth()[COUNTED]
SR = sample.result()[COUNTED]

TO_PRINTED_DIGITS = {"tof": 5e-4, "tlp": 5e-3}


def test_tof_equals_tecogans():
    measured = measure_steadiness({"sr": SR}, gt=GT)["sr"]
    found = [step.tof for step in measured.steps]
    assert found == pytest.approx(RECORDED["tOF"], abs=TO_PRINTED_DIGITS["tof"])


@pytest.mark.paddle
def test_tlp_equals_tecogans():
    from realesrgan_paddle.loss.lpips import LPIPS
    from realesrgan_paddle.metrics.available_metrics import perceptual_distance

    network = sample_perceptual_metrics.network("alex")
    lpips = LPIPS({**network, **sample_perceptual_metrics.linear("alex")}, "alex")
    distance = partial(perceptual_distance, lpips)

    measured = measure_steadiness({"sr": SR}, gt=GT, distance=distance)["sr"]
    found = [step.tlp for step in measured.steps]
    assert found == pytest.approx(RECORDED["tLP100"], abs=TO_PRINTED_DIGITS["tlp"])
