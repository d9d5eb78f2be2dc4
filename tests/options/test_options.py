import os
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import yaml
from places import ROOT
from sample_options import OPTION_FILES, USM, realesrgan, realesrnet, soccer_lq

from realesrgan_paddle.options.reading.describe import options_page
from realesrgan_paddle.options.reading.load import (
    config_differences,
    dump_config,
    load_config,
    load_lq_config,
)
from realesrgan_paddle.options.reading.sections import sections
from realesrgan_paddle.options.reading.spellings import TOP_LEVEL
from realesrgan_paddle.options.schema.config import (
    Config,
    KernelOptions,
    SynthesisOptions,
)
from realesrgan_paddle.utils.errors import UserError

SHIPPED = sorted((ROOT / "options").glob("*.yml"))
REAL_FILES = Path(
    os.environ.get("OPTION_FILES", ROOT.parent / "shared" / "option_files")
)

MINIMAL = {
    "name": "run",
    "model_type": "RealESRGANModel",
    "datasets": {"train": {"type": "RealESRGANDataset", "dataroot_gt": "hr"}},
    "network_g": {"type": "RRDBNet"},
    "network_d": {"type": "UNetDiscriminatorSN"},
    "train": {
        "total_iter": 400000,
        "optim_g": {"lr": 1e-4},
        "optim_d": {"lr": 1e-4},
        "pixel_opt": {},
        "perceptual_opt": {},
        "gan_opt": {},
    },
}
VAL = "datasets.val={type: PairedImageDataset, dataroot_gt: a, dataroot_lq: b}"


@pytest.fixture
def write(tmp_path):
    """Write options (or text, or bytes) to run.yml and return its path."""

    def _write(options):
        path = tmp_path / "run.yml"
        if isinstance(options, bytes):
            path.write_bytes(options)
        else:
            path.write_text(
                options if isinstance(options, str) else yaml.safe_dump(options),
                encoding="utf-8",
            )
        return path

    return _write


def refusal(path, overrides=(), load=load_config):
    """Return the message, less the folder, with which the options are refused."""
    with pytest.raises(UserError) as caught:
        load(path, overrides)
    message = str(caught.value).replace(f"{path.parent}{os.sep}", "")
    assert "\n" not in message
    return message


# ---- whole files ----


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_load_and_fit_a_screen(path):
    config = load_lq_config(path) if "lq" in path.name else load_config(path)
    assert not config.ignored
    assert len(path.read_text().splitlines()) <= 55


def test_the_promised_files_are_shipped():
    assert {path.stem for path in SHIPPED} == {
        *(
            "train_realesrnet_x4plus",
            "train_realesrnet_x2plus",
            "train_realesrgan_x4plus",
            "train_realesrgan_x2plus",
        ),
        *(
            "finetune_realesrgan_x4plus",
            "finetune_realesrgan_x4plus_pairdata",
            "finetune_realesr_animevideov3",
        ),
        *(
            "finetune_realesr_general_x4v3",
            "finetune_cpu",
            "finetune_cpu_gan",
            "distill_realesr_animevideov3",
        ),
        *("generate_lq_broadcast", "generate_lq_dashcam", "generate_lq_anime"),
        *("generate_lq_data", "smoke_cpu", "quickstart"),
    }


@pytest.mark.parametrize("name", OPTION_FILES)
def test_other_projects_files_load(write, name):
    options = OPTION_FILES[name]
    config = load_config(write(options))
    assert config.network_g.num_block == 23
    assert config.logger.save_checkpoint_freq == 5000
    assert config.train.optim_g.betas == (0.9, 0.99)
    assert (
        config.datasets.train.batch_size_per_gpu
        == options["datasets"]["train"]["batch_size_per_gpu"]
    )


def test_the_soccer_projects_lq_file_loads(write):
    config = load_lq_config(write(soccer_lq()))
    assert config.first_blur.blur_sigma == (0.2, 3)
    assert config.second_pass.noise_range == (1, 25)
    assert set(config.ignored) == set(USM)


def test_real_files_load_and_have_no_key_that_the_samples_lack():
    files = sorted(REAL_FILES.rglob("*.yml"))
    if not files:
        pytest.skip(f"no option files of other projects in OPTION_FILES={REAL_FILES}")
    known = set(
        chain.from_iterable(
            flat_keys(sample) for sample in (*OPTION_FILES.values(), soccer_lq())
        )
    )
    for path in files:
        (load_lq_config if "lq_data" in path.name else load_config)(path)
        assert flat_keys(yaml.safe_load(path.read_text())) <= known, path


def flat_keys(options, prefix=""):
    inner = (
        flat_keys(value, f"{prefix}{key}.")
        for key, value in options.items()
        if isinstance(value, dict)
    )
    return {prefix + key for key in options}.union(*inner)


def test_defaults_are_real_esrgans(write):
    given = {
        "datasets.train.name",
        "datasets.train.dataroot_gt",
        "datasets.train.meta_info",
    }
    given |= {
        "path.pretrain_network_g",
        "path.param_key_g",
        "path.pretrain_network_d",
        "path.param_key_d",
    }
    given |= {"name", "train.scheduler.milestones", "logger.use_tb_logger"}
    options = realesrgan()
    del options["val"], options["datasets"]["val"]
    differing = config_differences(
        load_config(write(MINIMAL)), load_config(write(options))
    )
    assert {line.partition(":")[0] for line in differing} == given


@pytest.mark.parametrize("name", OPTION_FILES)
def test_dump_loads_as_the_same_options(write, name):
    config = load_config(write(OPTION_FILES[name]))
    again = load_config(write(dump_config(config)))
    assert again.model_dump() == config.model_dump()
    assert config_differences(config, again) == []


def test_differences_name_each_key_with_both_values(write):
    path = write(MINIMAL)
    new = load_config(
        path,
        ["train.total_iter=7", "datasets.train.blur_sigma=[0.1, 2]", VAL, "val={}"],
    )
    found = config_differences(load_config(path), new)
    assert "train.total_iter: 400000 -> 7" in found
    assert "datasets.train.blur_sigma: [0.2, 3.0] -> [0.1, 2.0]" in found
    assert "datasets.val.dataroot_gt: None -> a" in found
    assert "scale" not in " ".join(found)


def test_config_is_frozen(write):
    config = load_config(write(MINIMAL))
    with pytest.raises(ValueError, match="frozen"):
        config.train.total_iter = 3


def test_options_load_without_paddle():
    modules = "realesrgan_paddle.options.reading.load, realesrgan_paddle.options.reading.describe"
    code = f"import sys, {modules}; print('paddle' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        ).stdout
        == "False\n"
    )


# ---- other spellings ----


def test_synthesis_keys_inside_the_data_set_count_for_the_top_level(write):
    options = realesrgan()
    options["datasets"]["train"] |= {"noise_range": [2, 3], "scale": 4}
    del options["noise_range"]
    config = load_config(write(options))
    assert config.first_pass.noise_range == (2, 3)


@pytest.mark.parametrize("key", ["noise_range", "gt_size", "l1_gt_usm", "scale"])
def test_two_values_in_two_places_are_refused(write, key):
    options = realesrgan()
    options["datasets"]["train"][key] = {
        "noise_range": [1, 31],
        "gt_size": 128,
        "l1_gt_usm": False,
        "scale": 2,
    }[key]
    message = refusal(write(options))
    assert f"'{key}'" in message
    assert f"'datasets.train.{key}'" in message


def test_an_override_counts_in_either_place(write):
    path = write(realesrgan())  # which gives gt_size in both
    assert load_config(path, ["gt_size=64"]).gt_size == 64
    assert load_config(path, ["datasets.train.gt_size=64"]).gt_size == 64


def test_layers_by_number_and_by_name_are_the_same(write):
    numbered = load_config(
        write(OPTION_FILES["soccer_realesrgan"])
    ).train.perceptual_opt
    assert numbered.layer_weights == {
        "conv1_2": 0.1,
        "conv2_2": 0.1,
        "conv3_4": 1,
        "conv4_4": 1,
        "conv5_4": 1,
    }
    text = yaml.safe_dump(MINIMAL).replace(
        "perceptual_opt: {}", "perceptual_opt:\n    layer_weights:\n      34: 1"
    )
    assert load_config(write(text)).train.perceptual_opt.layer_weights == {"conv5_4": 1}


def test_norm_img_is_range_norm(write):
    assert load_config(
        write(MINIMAL), ["train.perceptual_opt.norm_img=true"]
    ).train.perceptual_opt.range_norm
    both = [
        "train.perceptual_opt.norm_img=true",
        "train.perceptual_opt.range_norm=false",
    ]
    assert "range_norm and norm_img" in refusal(write(MINIMAL), both)


def test_betas_one_by_one(write):
    config = load_config(
        write(MINIMAL), ["train.optim_g.beta1=0.5", "train.optim_g.beta2=0.6"]
    )
    assert config.train.optim_g.betas == (0.5, 0.6)
    assert "betas" in refusal(write(MINIMAL), ["train.optim_g.beta1=0.5"])


def test_a_schedule_without_a_type_is_multistep(write):
    assert load_config(
        write(MINIMAL), ["train.scheduler.milestones=[5]"]
    ).train.scheduler.milestones == (5,)


def test_top_level_keys_exist():
    assert set(Config.model_fields) >= TOP_LEVEL


# ---- accepted and ignored ----


def test_ignored_keys_carry_their_reason(write):
    ignored = load_config(write(OPTION_FILES["ancestor"])).ignored
    assert set(ignored) == {
        *("num_gpu", "dist_params", "logger.wandb", "gt_usm"),
        *(
            "datasets.train.prefetch_mode",
            "datasets.train.num_gpu",
            "train.perceptual_opt.out_layer_name",
        ),
    }
    assert "metrics.jsonl" in ignored["logger.wandb"]
    assert all(ignored.values())


def test_realesrnet_ignores_an_optimizer_but_not_a_discriminator(write):
    assert (
        "train.optim_d" in load_config(write(OPTION_FILES["soccer_realesrnet"])).ignored
    )
    with_discriminator = {**realesrnet(), "network_d": {"type": "UNetDiscriminatorSN"}}
    assert "network_d" in refusal(write(with_discriminator))


# ---- overrides ----


def test_overrides_win_and_are_yml(write):
    overrides = [
        "train.total_iter=1e3",
        "name='2024'",
        "train.perceptual_opt=~",
        "resize_prob=[0, 0.5, 0.5]",
    ]
    config = load_config(
        write(realesrgan()),
        [*overrides, "path.resume_state=a=b.state", "train.optim_g.lr=3e-5"],
    )
    assert (config.train.total_iter, config.name, config.train.perceptual_opt) == (
        1000,
        "2024",
        None,
    )
    assert config.resize_prob == (0, 0.5, 0.5)
    assert config.path.resume_state == "a=b.state"
    assert config.train.optim_g.lr == 3e-5
    assert config.train.optim_g.weight_decay == 0


# ---- what is refused ----

REFUSED = {
    "train.bach_size=3": "unknown key 'train.bach_size'; did you mean 'batch_size_per_gpu'?",
    "trian.total_iter=3": "unknown key 'trian'; did you mean 'train'?",
    "network_g.num_blocks=6": "unknown key 'network_g.num_blocks'; did you mean 'num_block'?",
    "datasets.valid.name=3": "datasets: unknown key 'valid', expected train, train_paired, val, val_2, ...",
    "ignored={}": "unknown key 'ignored'",
    "name=2024": "'name' is 2024, expected text",
    "name=../up": "'name' is '../up', expected a plain folder name",
    "model_type=ESRGANModel": "'model_type' is 'ESRGANModel', expected 'RealESRGANModel' or 'RealESRNetModel'",
    "scale=3": "'scale' is 3, expected 1, 2 or 4",
    "scale=2": "scale is 2 but network_g enlarges by 4",
    "gt_size=100": "'gt_size' is 100, expected a multiple of 8",
    "queue_size=5": "queue_size 5 is less than one batch of 12",
    "l1_gt_usm=maybe": "'l1_gt_usm' is 'maybe', expected true or false",
    "resize_prob=[0.5, 0.5]": "'resize_prob' is [0.5, 0.5], expected more entries",
    "resize_prob=[1, 0, 0, 0]": "'resize_prob' is [1, 0, 0, 0], expected 3 entries",
    "resize_prob=[0.5, 0.5, 0.1]": "expected probabilities that sum to 1, these sum to 1.1",
    "resize_prob=0.5": "'resize_prob' is 0.5, expected a list",
    "resize_range=[1.1, 1.5]": "expected [low, high] with low <= 1 <= high",
    "noise_range=[30, 1]": "'noise_range' is [30, 1], expected [low, high] with low <= high",
    "jpeg_range2=[0, 95]": "'jpeg_range2[0]' is 0, expected greater than or equal to 1",
    "jpeg_range=[30, 101]": "'jpeg_range[1]' is 101, expected less than or equal to 100",
    "gray_noise_prob=true": "'gray_noise_prob' is true, expected a number",
    "gray_noise_prob=.nan": "'gray_noise_prob' is nan, expected a finite number",
    "gray_noise_prob=1.5": "'gray_noise_prob' is 1.5, expected less than or equal to 1",
    "datasets.train.blur_kernel_size=20": "'datasets.train.blur_kernel_size' is 20, expected an odd number",
    "datasets.train.kernel_list=[iso]": "kernel_list has 1 entries and kernel_prob has 6",
    "datasets.train.kernel_list2=[box]": "'datasets.train.kernel_list2[0]' is 'box', expected 'iso', 'aniso'",
    "datasets.train.type=Folder": "expected 'RealESRGANDataset' or 'RealESRGANPairedDataset'",
    "datasets.train.dataroot_gt=": "'datasets.train.dataroot_gt' is empty, expected text",
    "datasets.train.dataroot_lq=lr": "datasets.train.dataroot_lq belongs to RealESRGANPairedDataset",
    "datasets.train.io_backend.type=lmdb": "'datasets.train.io_backend.type' is 'lmdb', expected 'disk'",
    "datasets.train=3": "'datasets.train' is 3, expected a section",
    "high_order_degradation=false": "RealESRGANDataset goes with high_order_degradation: true",
    "network_g.type=SwinIR": "'network_g.type' is 'SwinIR', expected 'RRDBNet' or 'SRVGGNetCompact'",
    "network_g=": "'network_g' is empty, expected a section",
    "network_g.num_block=0": "'network_g.num_block' is 0, expected greater than or equal to 1",
    "network_d=": "RealESRGANModel needs network_d",
    "train.gan_opt=": "RealESRGANModel needs train.gan_opt",
    "model_type=RealESRNetModel": "RealESRNetModel trains without network_d and train.gan_opt",
    "train.total_iter=many": "'train.total_iter' is 'many', expected a whole number",
    "train.total_iter=1.5": "'train.total_iter' is 1.5, expected a whole number",
    "train.optim_g.lr=-1": "'train.optim_g.lr' is -1, expected greater than 0",
    "train.optim_g.type=SGD": "'train.optim_g.type' is 'SGD', expected 'Adam' or 'AdamW'",
    "train.grad_clip=true": "unknown key 'train.grad_clip'; did you mean 'train.optim_g.grad_clip'?",
    "train.optim_g.grad_clip=true": "'train.optim_g.grad_clip' is true, expected a number",
    "train.scheduler.type=StepLR": "'train.scheduler.type' is 'StepLR', expected 'MultiStepLR' or 'MultiStepRestartLR'",
    "train.scheduler={type: CosineAnnealingRestartLR, period: [9]}": "did you mean 'periods'?",
    "train.scheduler={type: CosineAnnealingRestartLR, periods: [9]}": "scheduler.periods end at iteration 9 of total",
    "train.scheduler={type: CosineAnnealingRestartLR, periods: [9, 9]}": "2 periods and 1 restart_weights",
    "train.scheduler={type: MultiStepLR, T_max: 9}": "'train.scheduler.T_max', it belongs to type CosineAnnealingLR",
    "train.scheduler={type: MultiStepRestartLR, restarts: [0, 5]}": "2 restarts and 1 restart_weights",
    "train.scheduler={type: MultiStepLR, milestones: [3, 2]}": "expected increasing iterations",
    "train.perceptual_opt.layer_weights.conv9_9=1": "expected conv1_1 to conv5_4 as keys, found 'conv9_9'",
    "train.gan_opt.gan_type=relativistic": "expected 'vanilla', 'lsgan', 'wgan', 'wgan_softplus' or 'hinge'",
    "datasets.val={type: PairedImageDataset, dataroot_lq: b}": "dataroot_gt belongs to PairedImageDataset",
    "val.metrics.niqe.type=calculate_niqe": "'val.metrics.niqe.type' is 'calculate_niqe', expected 'calculate_psnr'",
    "queue_size": "override 'queue_size': expected key=value",
    "train.=3": "override 'train.=3': expected key=value",
    "train=[3": "override 'train=[3': line 1:",
}


@pytest.mark.parametrize("override", REFUSED)
def test_wrong_options_are_refused_in_one_line(write, override):
    message = refusal(write(MINIMAL), [override])
    assert REFUSED[override] in message
    assert message.startswith(("run.yml: ", "override"))


def test_crops_too_small_for_lpips_are_refused_when_the_options_are_read(write):
    message = refusal(write(MINIMAL), ["gt_size=24", "train.lpips_opt.net=alex"])
    assert (
        "train.lpips_opt with net: alex needs a gt_size of at least 31, found 24"
        in message
    )
    assert (
        load_config(write(MINIMAL), ["gt_size=16", "train.lpips_opt.net=vgg"]).gt_size
        == 16
    )


def test_a_refused_override_is_named(write):
    assert refusal(write(MINIMAL), ["scale=3"]).endswith("(given as 'scale=3')")
    assert "given as" not in refusal(write({**MINIMAL, "scale": 3}))


def test_a_missing_key_is_named_and_others_are_counted(write):
    assert (
        refusal(write({**MINIMAL, "train": {"optim_g": {"lr": 1e-4}}}))
        == "run.yml: missing key 'train.total_iter'"
    )
    several = {**MINIMAL, "scale": 3, "gt_size": 1}
    assert refusal(write(several)).endswith("(and 1 more problem)")


def test_lq_files_are_checked_alike(write):
    assert "missing key 'dataroot_gt'" in refusal(
        write({"scale": 4}), load=load_lq_config
    )
    assert "did you mean 'blur_sigma'?" in refusal(
        write({**soccer_lq(), "blr_sigma": 3}), load=load_lq_config
    )
    assert load_lq_config(write(soccer_lq()), ["scale=2"]).scale == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "run.yml: holds no 'key: value' lines"),
        ("- a\n- b\n", "run.yml: holds no 'key: value' lines"),
        (
            "name: a\nscale: 4\nscale: 2\n",
            "run.yml: line 3: the key 'scale' has another value than in line 2",
        ),
        (
            "train:\n\ttotal_iter: 3\n",
            r"run.yml: line 2: found character '\t' that cannot start any token; indent",
        ),
        ("name: a: b\n", "run.yml: line 1: mapping values are not allowed here"),
        ("name: [a\n", "run.yml: line 2: expected ',' or ']'"),
        (
            "name: !!python/object/apply:os.getcwd []\n",
            "run.yml: line 1: could not determine a constructor for the tag",
        ),
        ("name: !!int x\n", "run.yml: not valid yml: invalid literal"),
        ("[" * 5000, "run.yml: not valid yml: maximum recursion depth"),
        (b"name: \xff\n", "run.yml: byte 6 is not UTF-8"),
    ],
)
def test_what_is_no_yml_mapping_is_refused(write, text, message):
    assert message in refusal(write(text))


def test_a_missing_file_is_named_with_its_neighbour(write):
    assert (
        refusal(write(MINIMAL).with_name("rum.yml"))
        == "rum.yml: no such file; did you mean 'run.yml'?"
    )


def test_a_key_repeated_with_the_same_value_is_accepted(write):
    text = (
        yaml.safe_dump(MINIMAL)
        + "scale: 4\nnoise_range: [1, 30]\nscale: 4\nnoise_range: [ 1, 30 ]\n"
    )
    assert load_config(write(text)).scale == 4


@pytest.mark.parametrize("number", ["5000", "5e3", "!!float 5e3", "5_000", "5000.0"])
def test_numbers_as_people_write_them(write, number):
    text = yaml.safe_dump(MINIMAL).replace("400000", number).replace("0.0001", "1e-4")
    config = load_config(write(text))
    assert (config.train.total_iter, config.train.optim_g.lr) == (5000, 1e-4)


def test_files_of_windows_editors_load(write):
    assert (
        load_config(
            write(
                b"\xef\xbb\xbf" + yaml.safe_dump(MINIMAL).replace("\n", "\r\n").encode()
            )
        ).scale
        == 4
    )


# ---- what the code gets ----


def test_every_second_key_reaches_the_second_pass():
    changed = {
        "resize_prob2": (1, 0, 0),
        "resize_range2": (0.5, 2),
        "gaussian_noise_prob2": 1,
        "noise_range2": (5, 6),
    }
    changed |= {
        "poisson_scale_range2": (1, 2),
        "gray_noise_prob2": 1,
        "jpeg_range2": (50, 60),
    }
    options = SynthesisOptions(**changed)
    assert vars(options.second_pass) == {
        key[:-1]: value for key, value in changed.items()
    }
    assert options.first_pass == SynthesisOptions().first_pass


def test_every_second_key_reaches_the_second_blur():
    changed = {
        "blur_kernel_size2": 9,
        "kernel_list2": ("iso",),
        "kernel_prob2": (1,),
        "sinc_prob2": 0.5,
    }
    changed |= {"blur_sigma2": (5, 6), "betag_range2": (6, 7), "betap_range2": (7, 8)}
    options = KernelOptions(**changed)
    assert vars(options.second_blur) == {
        key[:-1]: value for key, value in changed.items()
    }
    assert options.first_blur == KernelOptions().first_blur


def test_images_to_validate_on_without_validation_are_refused(write):
    message = "datasets.val names images to validate on, but val is null, which turns validation off"
    assert message in refusal(write(MINIMAL), [VAL, "val=null"])


def test_images_are_held_out_unless_others_are_named_or_none_are_wanted(write):
    found = [
        load_config(write(MINIMAL), o).hold_out
        for o in ([], ["val=null"], ["val.hold_out=3"], [VAL])
    ]
    assert found == [8, 0, 3, 0]


def test_several_validation_sets(write):
    overrides = [VAL, VAL.replace("val", "val_night"), "val.val_freq=10"]
    assert "needs a name of its own, found validation, validation" in refusal(
        write(MINIMAL), overrides
    )
    config = load_config(write(MINIMAL), [*overrides, "datasets.val_night.name=night"])
    assert list(config.datasets.validation) == ["val", "val_night"]
    assert config.datasets.validation["val_night"].dataroot_lq == "b"
    assert set(config.val.metrics) == {"psnr", "ssim", "lpips"}


def test_every_key_is_described():
    for section in sections(Config):
        for key, schema in section.keys.items():
            assert schema.get("description"), section.dotted(key)


def test_the_reference_page_is_current():
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert page == options_page(), "run: python tools/describe_options.py"
    assert re.search(r"\| `total_iter` \|  \| integer >= 1 \|", page)
