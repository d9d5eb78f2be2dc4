"""Distillation: a network is trained on the output of another network."""

import numpy as np
import paddle
import pytest
from sample_runs import assert_states_equal, reported, run, write_yml
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.step.pixel_step import Batch
from realesrgan_paddle.ops.plain import PLAIN
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.training.build import build_step
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle

LARGE = SRVGGNetCompact(num_feat=12, num_conv=3)
X2 = RRDBNet(scale=2, num_feat=8, num_block=1, num_grow_ch=4)


def write_network(path, spec, **groups):
    """Write random weights, in each group times a factor; 0 and 1 tell groups apart."""
    arrays = sample_weights(spec, seed=5)
    write_pdparams(
        path,
        {
            name: {k: v * factor for k, v in arrays.items()}
            for name, factor in groups.items()
        },
    )
    return path


@pytest.fixture
def student(tmp_path, options) -> dict:
    """Options of a student of LARGE whose only loss is the distillation loss."""
    teacher = write_network(
        tmp_path / "teacher.pdparams", LARGE, params=0, params_ema=1
    )
    options["model_type"] = "RealESRNetModel"
    del options["network_d"]
    for key in ("gan_opt", "optim_d", "artifact_opt", "pixel_opt"):
        del options["train"][key]
    options["train"]["distill_opt"] = {"teacher": str(teacher)}
    return options


def test_the_student_approaches_the_teacher_whose_file_is_unchanged(tmp_path, student):
    before = (tmp_path / "teacher.pdparams").read_bytes()
    student["train"] |= {"total_iter": 60, "optim_g": {"lr": 5e-3}, "warmup_iter": -1}
    lines = reported(
        run(
            tmp_path,
            student,
            "logger.save_checkpoint_freq=100",
            "train.scheduler.milestones=[]",
        )
    )
    assert "l_g_pix" not in lines[0]
    first, last = (
        np.mean([line["l_g_distill"] for line in part])
        for part in (lines[:3], lines[-5:])
    )
    assert last < 0.3 * first
    assert (tmp_path / "teacher.pdparams").read_bytes() == before


def test_the_loss_is_the_distance_from_the_teachers_image(tmp_path, student):
    step = build_step(
        load_config(
            write_yml(tmp_path, student), ["train.distill_opt.loss_weight=0.5"]
        ),
        PLAIN,
    )
    # The teacher is wrapped in a function that sets its precision.
    (teacher,) = step.losses.distillation.teacher.args
    before = [parameter.numpy() for parameter in teacher.parameters()]
    lq, gt = paddle.rand([2, 3, 8, 8]), paddle.rand([2, 3, 32, 32])
    expected = 0.5 * float((step.generator(lq) - teacher(lq)).abs().mean())
    assert float(
        step([Batch(lq=lq, gt=gt, gt_usm=gt)], 1)["l_g_distill"]
    ) == pytest.approx(expected)
    for parameter, array in zip(teacher.parameters(), before, strict=True):
        assert parameter.grad is None
        assert np.array_equal(parameter.numpy(), array)
    assert any(array.any() for array in before), "these are params, not params_ema"


def test_resuming_a_gan_run_with_a_teacher_equals_not_stopping(tmp_path, options):
    teacher = write_network(tmp_path / "teacher.pdparams", LARGE, params=1)
    options["train"]["distill_opt"] = {
        "teacher": str(teacher),
        "type": "CharbonnierLoss",
    }
    straight = run(tmp_path, options, "name=straight")
    run(tmp_path, options, "name=stopped", "train.total_iter=3")
    resumed = run(tmp_path, options, "name=stopped", "auto_resume=true")
    assert_states_equal(
        straight / "training_states/6.state", resumed / "training_states/6.state"
    )
    assert reported(straight) == reported(resumed)
    assert {"l_g_pix", "l_g_distill", "l_g_gan"} <= reported(straight)[0].keys()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["train.distill_opt.teacher=nowhere.pdparams"],
            "nowhere.pdparams: no such file, and no released model",
        ),
        (
            ["train.distill_opt.param_key=best"],
            "has no 'best'; it holds 'params', 'params_ema'",
        ),
        (
            ["train.distill_opt.teacher={folder}/x2.pdparams"],
            "x2.pdparams: is RRDBNet x2, 1 blocks, 8 features, growth 4, but the student "
            "(network_g) upscales RGB images by 4",
        ),
        (
            ["train.distill_opt.teacher={folder}/net_d.pdparams"],
            "a generator is needed",
        ),
        (
            ["train.distill_opt=null"],
            "RealESRNetModel needs train.pixel_opt, train.perceptual_opt or "
            "train.distill_opt",
        ),
    ],
)
def test_an_unsuitable_teacher_is_one_error_line_and_leaves_no_files(
    tmp_path, student, overrides, message
):
    write_network(tmp_path / "x2.pdparams", X2, params=1)
    write_network(
        tmp_path / "net_d.pdparams", UNetDiscriminatorSNOptions(num_feat=8), params=1
    )
    with pytest.raises(UserError) as error:
        run(
            tmp_path,
            student,
            *(override.format(folder=tmp_path) for override in overrides),
        )
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "runs").exists()
