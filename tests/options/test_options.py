"""Option files: what loads, as what, and what is refused with which message."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from places import ROOT
from sample_options import OPTION_FILES, USM, realesrgan, realesrnet, soccer_lq

from realesrgan_paddle.options.reading.load import (
    config_differences,
    dump_config,
    load_config,
    load_lq_config,
)
from realesrgan_paddle.options.reading.other_projects import TOP_LEVEL
from realesrgan_paddle.options.schema.config import Config
from realesrgan_paddle.options.schema.degradation import KernelOptions, SynthesisOptions
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
        if isinstance(options, dict):
            options = yaml.safe_dump(options)
        if isinstance(options, str):
            options = options.encode()
        path = tmp_path / "run.yml"
        path.write_bytes(options)
        return path

    return _write


@pytest.fixture
def load(write):
    """Load `MINIMAL` with overrides."""
    return lambda *overrides: load_config(write(MINIMAL), overrides)


@pytest.fixture
def refused(write):
    """Return the message with which `MINIMAL` with overrides is refused."""
    return lambda *overrides: refusal(write(MINIMAL), overrides)


def refusal(path, overrides=(), loader=load_config):
    """Return the message, without the folder, with which the options are refused."""
    with pytest.raises(UserError) as caught:
        loader(path, overrides)
    message = str(caught.value).replace(f"{path.parent}{os.sep}", "")
    assert "\n" not in message
    return message


# ---- whole files ----


def test_shipped_files_load_and_fit_a_screen():
    for path in SHIPPED:
        config = load_lq_config(path) if "lq" in path.name else load_config(path)
        assert not config.ignored, path
        _editor_line, *lines = path.read_text().splitlines()
        assert len(lines) <= 55, path

    assert {path.stem for path in SHIPPED} == {
        "train_realesrnet_x4plus",
        "train_realesrnet_x2plus",
        "train_realesrgan_x4plus",
        "train_realesrgan_x2plus",
        "finetune_realesrgan_x4plus",
        "finetune_realesrgan_x4plus_pairdata",
        "finetune_realesr_animevideov3",
        "finetune_realesr_general_x4v3",
        "finetune_cpu",
        "finetune_cpu_gan",
        "finetune_recurrent",
        "distill_realesr_animevideov3",
        "generate_lq_broadcast",
        "generate_lq_dashcam",
        "generate_lq_anime",
        "generate_lq_data",
        "smoke_cpu",
        "quickstart",
    }


@pytest.mark.parametrize("name", OPTION_FILES)
def test_other_projects_files_load_and_are_dumped_as_the_same_options(write, name):
    options = OPTION_FILES[name]
    config = load_config(write(options))
    assert config.network_g.num_block == 23
    assert config.logger.save_checkpoint_freq == 5000
    assert config.train.optim_g.betas == (0.9, 0.99)
    batch = options["datasets"]["train"]["batch_size_per_gpu"]
    assert config.datasets.train.batch_size_per_gpu == batch

    again = load_config(write(dump_config(config)))
    assert again.model_dump() == config.model_dump()
    assert config_differences(config, again) == []


def test_the_soccer_projects_lq_file_loads(write):
    config = load_lq_config(write(soccer_lq()))
    assert config.first_blur.blur_sigma == (0.2, 3)
    assert config.second_pass.noise_range == (1, 25)
    assert set(config.ignored) == set(USM)


def test_real_files_load_and_have_no_key_that_the_samples_lack():
    files = sorted(REAL_FILES.rglob("*.yml"))
    if not files:
        pytest.skip(f"no option files of other projects in OPTION_FILES={REAL_FILES}")
    samples = [*OPTION_FILES.values(), soccer_lq()]
    known = set.union(*map(dotted_keys, samples))
    for path in files:
        loader = load_lq_config if "lq_data" in path.name else load_config
        loader(path)
        assert dotted_keys(yaml.safe_load(path.read_text())) <= known, path


def dotted_keys(options, prefix=""):
    keys = set()
    for key, value in options.items():
        keys.add(prefix + key)
        if isinstance(value, dict):
            keys |= dotted_keys(value, f"{prefix}{key}.")
    return keys


def test_defaults_are_real_esrgans(write):
    options = realesrgan()
    del options["val"], options["datasets"]["val"]
    ours, theirs = load_config(write(MINIMAL)), load_config(write(options))
    differing = {line.partition(":")[0] for line in config_differences(ours, theirs)}
    assert differing == {
        "name",
        "datasets.train.name",
        "datasets.train.dataroot_gt",
        "datasets.train.meta_info",
        "path.pretrain_network_g",
        "path.param_key_g",
        "path.pretrain_network_d",
        "path.param_key_d",
        "train.scheduler.milestones",
        "logger.use_tb_logger",
    }


def test_differences_name_each_key_with_both_values(load):
    blur = "datasets.train.blur_sigma=[0.1, 2]"
    new = load("train.total_iter=7", blur, VAL, "val={}")
    found = config_differences(load(), new)
    assert "train.total_iter: 400000 -> 7" in found
    assert "datasets.train.blur_sigma: [0.2, 3.0] -> [0.1, 2.0]" in found
    assert "datasets.val.dataroot_gt: None -> a" in found
    assert "scale" not in " ".join(found)


def test_config_is_frozen(load):
    config = load()
    with pytest.raises(ValueError, match="frozen"):
        config.train.total_iter = 3


def test_options_are_read_and_described_without_paddle():
    reading = "realesrgan_paddle.options.reading"
    modules = f"{reading}.load, {reading}.describe_options"
    code = f"import sys, {modules}; print('paddle' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ---- other spellings ----


def test_synthesis_keys_inside_the_data_set_count_for_the_top_level(write):
    options = realesrgan()
    options["datasets"]["train"] |= {"noise_range": [2, 3], "scale": 4}
    del options["noise_range"]
    config = load_config(write(options))
    assert config.first_pass.noise_range == (2, 3)


def test_two_values_in_two_places_are_refused(write):
    others = {"noise_range": [1, 31], "gt_size": 128, "l1_gt_usm": False, "scale": 2}
    for key, other in others.items():
        options = realesrgan()
        options["datasets"]["train"][key] = other
        message = refusal(write(options))
        assert f"'{key}'" in message
        assert f"'datasets.train.{key}'" in message


def test_an_override_counts_in_either_place(write):
    path = write(realesrgan())  # which gives gt_size in both
    assert load_config(path, ["gt_size=64"]).gt_size == 64
    assert load_config(path, ["datasets.train.gt_size=64"]).gt_size == 64


def test_layers_by_number_are_the_layers_by_name(write, load, refused):
    config = load_config(write(OPTION_FILES["soccer_realesrgan"]))
    assert config.train.perceptual_opt.layer_weights == {
        "conv1_2": 0.1,
        "conv2_2": 0.1,
        "conv3_4": 1,
        "conv4_4": 1,
        "conv5_4": 1,
    }
    numbered = load("train.perceptual_opt.layer_weights={34: 1}")
    assert numbered.train.perceptual_opt.layer_weights == {"conv5_4": 1}
    message = refused("train.perceptual_opt.layer_weights={34: 1, conv5_4: 1}")
    assert "gives a layer by its name and by its number" in message


def test_norm_img_is_range_norm(load, refused):
    norm_img = "train.perceptual_opt.norm_img=true"
    assert load(norm_img).train.perceptual_opt.range_norm
    message = refused(norm_img, "train.perceptual_opt.range_norm=false")
    assert "range_norm and norm_img are the same option with two values" in message


def test_beta1_and_beta2_are_betas(load, refused):
    beta1, beta2 = "train.optim_g.beta1=0.5", "train.optim_g.beta2=0.6"
    assert load(beta1, beta2).train.optim_g.betas == (0.5, 0.6)
    expected = "train.optim_g: give betas: [beta1, beta2], or both beta1 and beta2"
    assert expected in refused(beta1)
    assert expected in refused(beta1, beta2, "train.optim_g.betas=[0.5, 0.6]")


def test_a_schedule_without_a_type_is_multistep(load):
    schedule = load("train.scheduler.milestones=[5]").train.scheduler
    assert (schedule.type, schedule.milestones) == ("MultiStepLR", (5,))


def test_top_level_keys_exist():
    assert set(Config.model_fields) >= set(TOP_LEVEL)


# ---- accepted and ignored ----


def test_ignored_keys_carry_their_reason(write):
    ignored = load_config(write(OPTION_FILES["ancestor"])).ignored
    assert set(ignored) == {
        "num_gpu",
        "dist_params",
        "logger.wandb",
        "gt_usm",
        "datasets.train.prefetch_mode",
        "datasets.train.num_gpu",
        "train.perceptual_opt.out_layer_name",
    }
    assert "metrics.jsonl" in ignored["logger.wandb"]
    assert all(ignored.values())


def test_realesrnet_ignores_an_optimizer_but_not_a_discriminator(write):
    config = load_config(write(OPTION_FILES["soccer_realesrnet"]))
    assert "train.optim_d" in config.ignored
    with_discriminator = {**realesrnet(), "network_d": {"type": "UNetDiscriminatorSN"}}
    assert "network_d" in refusal(write(with_discriminator))


# ---- overrides ----


def test_overrides_win_and_are_yml(write):
    overrides = [
        "train.total_iter=1e3",
        "name='2024'",
        "train.perceptual_opt=~",
        "resize_prob=[0, 0.5, 0.5]",
        "path.resume_state=a=b.state",
        "train.optim_g.lr=3e-5",
    ]
    config = load_config(write(realesrgan()), overrides)
    assert config.train.total_iter == 1000
    assert config.name == "2024"
    assert config.train.perceptual_opt is None
    assert config.resize_prob == (0, 0.5, 0.5)
    assert config.path.resume_state == "a=b.state"
    assert config.train.optim_g.lr == 3e-5
    assert config.train.optim_g.weight_decay == 0


# ---- what is refused ----

REFUSED = {
    "train.bach_size=3": (
        "unknown key 'train.bach_size'; did you mean 'batch_size_per_gpu'?"
    ),
    "trian.total_iter=3": "unknown key 'trian'; did you mean 'train'?",
    "datasets.train.dataroot=3": (  # val.drift has a key of this very name
        "unknown key 'datasets.train.dataroot'; did you mean 'dataroot_lq'?"
    ),
    "network_g.num_blocks=6": (
        "unknown key 'network_g.num_blocks'; did you mean 'num_block'?"
    ),
    "datasets.valid.name=3": (
        "datasets: unknown key 'valid', expected train, train_paired, val, val_2, ..."
    ),
    "ignored={}": "unknown key 'ignored'",
    "name=2024": "'name' is 2024, expected text",
    "name=../up": "'name' is '../up', expected a plain folder name",
    "model_type=ESRGANModel": (
        "'model_type' is 'ESRGANModel', expected 'RealESRGANModel' or 'RealESRNetModel'"
    ),
    "scale=3": "'scale' is 3, expected 1, 2 or 4",
    "scale=2": "scale is 2 but network_g upscales by 4",
    "network_g.num_in_ch=1": (
        "network_g.num_in_ch is 1, but training images are RGB; set it to 3"
    ),
    "network_d.num_in_ch=4": (
        "network_d.num_in_ch is 4, but training images are RGB; set it to 3"
    ),
    "gt_size=100": "'gt_size' is 100, expected a multiple of 8",
    "queue_size=5": "queue_size 5 is less than one batch of 12",
    "l1_gt_usm=maybe": "'l1_gt_usm' is 'maybe', expected true or false",
    "resize_prob=[0.5, 0.5]": "'resize_prob' is [0.5, 0.5], expected more entries",
    "resize_prob=[1, 0, 0, 0]": "'resize_prob' is [1, 0, 0, 0], expected 3 entries",
    "resize_prob=[0.5, 0.5, 0.1]": (
        "expected probabilities that sum to 1, these sum to 1.1"
    ),
    "resize_prob=0.5": "'resize_prob' is 0.5, expected a list",
    "resize_range=[1.1, 1.5]": "expected [low, high] with low <= 1 <= high",
    "noise_range=[30, 1]": (
        "'noise_range' is [30, 1], expected [low, high] with low <= high"
    ),
    "jpeg_range2=[0, 95]": "'jpeg_range2[0]' is 0, expected greater than or equal to 1",
    "jpeg_range=[30, 101]": (
        "'jpeg_range[1]' is 101, expected less than or equal to 100"
    ),
    "gray_noise_prob=true": "'gray_noise_prob' is true, expected a number",
    "gray_noise_prob=.nan": "'gray_noise_prob' is nan, expected a finite number",
    "gray_noise_prob=1.5": "'gray_noise_prob' is 1.5, expected less than or equal to 1",
    "datasets.train.blur_kernel_size=20": (
        "'datasets.train.blur_kernel_size' is 20, expected an odd number"
    ),
    "datasets.train.kernel_list=[iso]": (
        "kernel_list has 1 entries and kernel_prob has 6"
    ),
    "datasets.train.kernel_list2=[box]": (
        "'datasets.train.kernel_list2[0]' is 'box', expected 'iso', 'aniso'"
    ),
    "datasets.train.type=Folder": (
        "expected 'RealESRGANDataset' or 'RealESRGANPairedDataset'"
    ),
    "datasets.train.dataroot_gt=": (
        "'datasets.train.dataroot_gt' is empty, expected text"
    ),
    "datasets.train.dataroot_lq=lr": (
        "datasets.train.dataroot_lq belongs to RealESRGANPairedDataset"
    ),
    "datasets.train.io_backend.type=lmdb": (
        "'datasets.train.io_backend.type' is 'lmdb', expected 'disk'"
    ),
    "datasets.train=3": "'datasets.train' is 3, expected a section",
    "high_order_degradation=false": (
        "RealESRGANDataset goes with high_order_degradation: true"
    ),
    "network_g.type=SwinIR": (
        "'network_g.type' is 'SwinIR', expected 'RRDBNet' or 'RecurrentSRVGG'"
    ),
    "network_g=": "'network_g' is empty, expected a section",
    "network_g.num_block=0": (
        "'network_g.num_block' is 0, expected greater than or equal to 1"
    ),
    "network_d=": "RealESRGANModel needs network_d",
    "train.gan_opt=": "RealESRGANModel needs train.gan_opt",
    "model_type=RealESRNetModel": (
        "RealESRNetModel trains without network_d and train.gan_opt"
    ),
    "train.total_iter=many": "'train.total_iter' is 'many', expected a whole number",
    "train.total_iter=1.5": "'train.total_iter' is 1.5, expected a whole number",
    "train.optim_g.lr=-1": "'train.optim_g.lr' is -1, expected greater than 0",
    "train.optim_g.type=SGD": (
        "'train.optim_g.type' is 'SGD', expected 'Adam' or 'AdamW'"
    ),
    "train.grad_clip=true": (
        "unknown key 'train.grad_clip'; did you mean 'train.optim_g.grad_clip'?"
    ),
    "train.optim_g.grad_clip=true": (
        "'train.optim_g.grad_clip' is true, expected a number"
    ),
    "train.scheduler.type=StepLR": (
        "'train.scheduler.type' is 'StepLR', expected 'MultiStepLR' or 'MultiStepRestartLR'"
    ),
    "train.scheduler={type: CosineAnnealingRestartLR, period: [9]}": (
        "did you mean 'periods'?"
    ),
    "train.scheduler={type: CosineAnnealingRestartLR, periods: [9]}": (
        "scheduler.periods end at iteration 9 of total"
    ),
    "train.scheduler={type: CosineAnnealingRestartLR, periods: [9, 9]}": (
        "2 periods and 1 restart_weights"
    ),
    "train.scheduler={type: MultiStepLR, T_max: 9}": (
        "'train.scheduler.T_max', it belongs to type CosineAnnealingLR"
    ),
    "train.scheduler={type: MultiStepRestartLR, restarts: [0, 5]}": (
        "2 restarts and 1 restart_weights"
    ),
    "train.scheduler={type: MultiStepLR, milestones: [3, 2]}": (
        "expected increasing iterations"
    ),
    "train.perceptual_opt.layer_weights.conv9_9=1": (
        "expected conv1_1 to conv5_4 as keys, found 'conv9_9'"
    ),
    "train.gan_opt.gan_type=relativistic": (
        "expected 'vanilla', 'lsgan', 'wgan', 'wgan_softplus' or 'hinge'"
    ),
    "datasets.val={type: PairedImageDataset, dataroot_lq: b}": (
        "dataroot_gt belongs to PairedImageDataset"
    ),
    "val.metrics.musiq.type=calculate_musiq": (
        "'val.metrics.musiq.type' is 'calculate_musiq', expected 'calculate_psnr'"
    ),
    "queue_size": "override 'queue_size': expected key=value",
    "train.=3": "override 'train.=3': expected key=value",
    "train=[3": "override 'train=[3': line 1:",
}


def test_a_wrong_option_is_refused_in_one_line(refused):
    for override, expected in REFUSED.items():
        message = refused(override)
        assert expected in message, override
        assert message.startswith(("run.yml: ", "override"))


def test_crops_too_small_for_lpips_are_refused(load, refused):
    message = refused("gt_size=24", "train.lpips_opt.net=alex")
    assert "net: alex needs a gt_size of at least 31, found 24" in message
    assert load("gt_size=16", "train.lpips_opt.net=vgg").gt_size == 16


CONTRADICTIONS = [
    (
        ["train.net_d_init_until=0.8"],
        "train.net_d_init_until needs train.net_d_init_iters",
    ),
    (
        ["network_d={type: ProjectedDiscriminator}", "train.net_d_init_detail=true"],
        "train.net_d_init_detail is for UNetDiscriminatorSN",
    ),
    (
        ["train.gan_opt={relativistic: true, gan_type: lsgan}"],
        "relativistic goes with vanilla, hinge, wgan or wgan_softplus",
    ),
    (
        [
            "model_type=RealESRNetModel",
            "network_d=null",
            "train={gan_opt: null, pixel_opt: null, perceptual_opt: null}",
        ],
        "RealESRNetModel needs train.pixel_opt, train.perceptual_opt or",
    ),
    (
        ["datasets.train.type=RealESRGANPairedDataset", "high_order_degradation=false"],
        "RealESRGANPairedDataset needs datasets.train.dataroot_lq",
    ),
    (
        [
            "datasets.train={type: RealESRGANPairedDataset, dataroot_lq: lr}",
            "datasets.train_paired={dataroot_gt: a, dataroot_lq: b}",
            "high_order_degradation=false",
        ],
        "datasets.train_paired goes with a datasets.train of type RealESRGANDataset",
    ),
    (
        ["val.best=held_out/dists"],
        "val.best: 'held_out/dists' is not measured; measured are: held_out/psnr_y",
    ),
    (
        ["val={hold_out: 0, stop_after: 3}"],
        "val.stop_after needs a metric",
    ),
    (
        [VAL, "datasets.val.name=general"],
        "'general' is the name of val.drift's own images",
    ),
    (
        [VAL, "datasets.val.name=real_lq", "val.real_lq=real"],
        "'real_lq' is the name of val.real_lq's own images",
    ),
    (
        [VAL, "val=null"],
        "datasets.val names images to validate on, but val is null",
    ),
    (
        [VAL, VAL.replace("val", "val_night")],
        "needs a name of its own, found validation, validation",
    ),
    (
        ["val.metrics.a={type: calculate_lpips, test_y_channel: true}"],
        "expected false, because calculate_lpips compares RGB",
    ),
]


def test_options_that_contradict_each_other_are_refused(refused):
    for overrides, message in CONTRADICTIONS:
        assert message in refused(*overrides)


def test_a_refused_override_is_named(write, refused):
    assert refused("scale=3").endswith("(given as 'scale=3')")
    assert "given as" not in refusal(write({**MINIMAL, "scale": 3}))


def test_a_missing_key_is_named_and_others_are_counted(write):
    without_total = {**MINIMAL, "train": {"optim_g": {"lr": 1e-4}}}
    assert refusal(write(without_total)) == "run.yml: missing key 'train.total_iter'"
    several = {**MINIMAL, "scale": 3, "gt_size": 1}
    assert refusal(write(several)).endswith("(and 1 more problem)")


def test_lq_files_are_checked_alike(write):
    message = refusal(write({"scale": 4}), loader=load_lq_config)
    assert "missing key 'dataroot_gt'" in message
    misspelt = {**soccer_lq(), "blr_sigma": 3}
    message = refusal(write(misspelt), loader=load_lq_config)
    assert "did you mean 'blur_sigma'?" in message
    assert load_lq_config(write(soccer_lq()), ["scale=2"]).scale == 2


def laughs(value: str) -> str:
    """Return nine lines, each with an alias of the line before nine times in `value`."""
    lines = ["a0: &a0 {x: 1}"]
    for number in range(1, 10):
        repeated = ",".join([f"*a{number - 1}"] * 9)
        lines.append(f"a{number}: &a{number} {value.format('[' + repeated + ']')}")
    return "\n".join(lines)


def chain_of_aliases() -> str:
    """Return lists nested 5 deep, in which the next line's are nested, and so on."""
    lines = ["a0: &a0 1"]
    for number in range(1, 9):
        lines.append(f"a{number}: &a{number} [[[[[*a{number - 1}]]]]]")
    return "\n".join(lines)


def repeated_texts() -> str:
    """Return two equal texts, which are compared for each of many keys."""
    text = "x" * 1000
    return f"a: &a {text}\nb: {text}\n" + "b: *a\n" * 1000


NO_YML = [
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
    ("name: !!int x\n", "run.yml: line 1: 'x' is no int"),
    ('scale: 4\nname: !!int ""\n', "run.yml: line 2: '' is no int"),
    ('name: !!float ""\n', "run.yml: line 1: '' is no float"),
    ("name: !!bool x\n", "run.yml: line 1: 'x' is no bool"),
    ("name: !!timestamp x\n", "run.yml: line 1: could not determine a constructor"),
    ("name: !!binary aGk=\n", "run.yml: line 1: could not determine a constructor"),
    (f"name: {'1:' * 190}1.5\n", "run.yml: line 1: '1:1:"),
    ('name: "\\UFFFFFFFF"\n', "run.yml: not valid yml: "),
    (f"name: {'1' * 401}\n", "run.yml: line 1: a number of 401 letters; 400 are"),
    (f"name: 1{':1' * 200}\n", "run.yml: line 1: a number of 401 letters"),
    (f"name: !!int {{=: 1{':1' * 200}}}\n", "run.yml: line 1: a number of 401"),
    ("[" * 1000, "run.yml: line 1: nested more than 12 deep"),
    ("- " * 1000, "run.yml: line 1: nested more than 12 deep"),
    ("a: &a {b: *a}\n", "run.yml: line 1: nested more than 12 deep"),
    (chain_of_aliases(), "run.yml: line 2: nested more than 12 deep"),
    (laughs("{}"), "run.yml: line 1: its aliases (*) make it more than 8 times"),
    (
        laughs("{{<<: {}}}"),
        "run.yml: line 1: its aliases (*) make it more than 8",
    ),
    (repeated_texts(), "run.yml: line 1: its aliases (*) make it more than 8"),
    ("#" * 64_001, "run.yml: 64,001 letters; an option file has at most 64,000"),
    (b"name: \xff\n", "run.yml: byte 6 is not UTF-8"),
]


def test_a_file_that_is_no_yml_mapping_is_refused(write):
    for text, message in NO_YML:
        assert message in refusal(write(text)), text[:60]


def test_a_missing_file_is_named_with_a_similar_one(write):
    message = refusal(write(MINIMAL).with_name("rum.yml"))
    assert message == "rum.yml: no such file; did you mean 'run.yml'?"


def test_a_key_repeated_with_the_same_value_is_accepted(write):
    text = (
        yaml.safe_dump(MINIMAL)
        + "scale: 4\nnoise_range: [1, 30]\nscale: 4\nnoise_range: [ 1, 30 ]\n"
    )
    assert load_config(write(text)).scale == 4


def test_no_path_or_name_holds_nul(write):
    places = (
        "name",
        "path.experiments_root",
        "path.resume_state",
        "path.pretrain_network_g",
        "datasets.train.dataroot_gt",
        "datasets.train.meta_info",
    )
    for key in places:
        message = refusal(write(MINIMAL), [f'{key}="a\\0b"'])
        assert "expected text without the character NUL" in message, key


def test_whole_numbers_are_in_64_bits(write):
    for key in ("manual_seed", "queue_size", "train.total_iter"):
        for number in (2**63, 10**399, f"'{10**399}'"):
            message = refusal(write(MINIMAL), [f"{key}={number}"])
            assert f"'{key}' is " in message
            assert "expected at most 9,223,372,036,854,775,807" in message
    assert load_config(write(MINIMAL), [f"manual_seed={2**63 - 1}"])


def test_numbers_that_no_machine_has_room_for_are_refused(write):
    largest = {
        "datasets.train.batch_size_per_gpu": 4096,
        "datasets.train.accum_iter": 4096,
        "datasets.train.num_worker_per_gpu": 256,
        "datasets.train.dataset_enlarge_ratio": 10_000,
        "network_g.num_feat": 4096,
        "network_g.num_block": 4096,
        "network_d.num_feat": 4096,
    }
    for key, most in largest.items():
        assert load_config(write(MINIMAL), [f"{key}={most}", "queue_size=0"])
        message = refusal(write(MINIMAL), [f"{key}={most + 1}"])
        expected = f"'{key}' is {most + 1}, expected less than or equal to {most}"
        assert expected in message

    for key in ("halo_sigma", "datasets.train.blur_sigma"):  # the largest kernel's
        assert load_config(write(MINIMAL), [f"{key}=[511, 511]"])
        message = refusal(write(MINIMAL), [f"{key}=[1, 1.0e+308]"])
        assert "expected less than or equal to 511" in message


def test_anchors_aliases_merge_keys_and_dates_are_read(write):
    minimal = {key: value for key, value in MINIMAL.items() if key != "name"}
    text = (
        "name: 2024-01-31\n"
        "logger: &often {print_freq: 7}\n"
        "val: {metrics: {a: &psnr {type: calculate_psnr}, b: *psnr, "
        "c: {<<: *psnr, crop_border: 0}}}\n"
    )
    config = load_config(write(yaml.safe_dump(minimal) + text))
    borders = {name: metric.crop_border for name, metric in config.val.metrics.items()}
    assert borders == {"a": 4, "b": 4, "c": 0}
    assert (config.name, config.logger.print_freq) == ("2024-01-31", 7)


def test_numbers_as_people_write_them(write):
    for number in ("5000", "5e3", "!!float 5e3", "5_000", "5000.0"):
        text = yaml.safe_dump(MINIMAL).replace("400000", number)
        config = load_config(write(text.replace("0.0001", "1e-4")))
        assert (config.train.total_iter, config.train.optim_g.lr) == (5000, 1e-4)


def test_files_of_windows_editors_load(write):
    text = yaml.safe_dump(MINIMAL).replace("\n", "\r\n")
    assert load_config(write(b"\xef\xbb\xbf" + text.encode())).name == "run"


# ---- what the code gets ----


def test_keys_that_end_in_2_are_the_second_pass():
    changed = {
        "resize_prob2": (1, 0, 0),
        "resize_range2": (0.5, 2),
        "gaussian_noise_prob2": 1,
        "noise_range2": (5, 6),
        "poisson_scale_range2": (1, 2),
        "gray_noise_prob2": 1,
        "grain_size2": (1, 2),
        "jpeg_range2": (50, 60),
        "jpeg_prob2": 0.5,
        "resize_modes2": ("area",),
    }
    options = SynthesisOptions(**changed)
    expected = {key.removesuffix("2"): value for key, value in changed.items()}
    assert vars(options.second_pass) == expected
    assert options.first_pass == SynthesisOptions().first_pass


def test_keys_that_end_in_2_are_the_second_blur():
    changed = {
        "blur_kernel_size2": 9,
        "kernel_list2": ("iso",),
        "kernel_prob2": (1,),
        "sinc_prob2": 0.5,
        "blur_sigma2": (5, 6),
        "blur_aspect2": (2, 3),
        "betag_range2": (6, 7),
        "betap_range2": (7, 8),
    }
    options = KernelOptions(**changed)
    expected = {key.removesuffix("2"): value for key, value in changed.items()}
    assert vars(options.second_blur) == expected
    assert options.first_blur == KernelOptions().first_blur


def test_images_are_held_out_unless_there_are_others_or_no_validation(load):
    counts = [([], None), (["val=null"], 0), (["val.hold_out=3"], 3), ([VAL], 0)]
    for overrides, count in counts:
        assert load(*overrides).hold_out == count


def test_several_validation_sets(load):
    night = VAL.replace("val", "val_night")
    config = load(VAL, night, "datasets.val_night.name=night", "val.val_freq=10")
    assert list(config.datasets.validation) == ["val", "val_night"]
    assert config.datasets.validation["val_night"].dataroot_lq == "b"
    assert set(config.val.metrics) == {"psnr_y", "ssim_y", "lpips"}


def test_a_dumped_config_has_no_key_without_an_effect(tmp_path, options):
    """Or a run that is resumed by its config.yml would report its own defaults."""
    del options["network_d"], options["train"]["optim_d"], options["train"]["gan_opt"]
    options["model_type"] = "RealESRNetModel"
    (tmp_path / "given.yml").write_text(yaml.safe_dump(options))
    cfg = load_config(tmp_path / "given.yml")
    (tmp_path / "config.yml").write_text(dump_config(cfg))
    again = load_config(tmp_path / "config.yml")
    assert not again.ignored
    assert again == cfg
