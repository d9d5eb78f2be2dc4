"""Folders that the commands wrote are taken for what they are, or refused by name."""

from pathlib import Path

import pytest
from clips import picture_clip
from sample_runs import picture, write_yml
from sample_weights import sample_weights
from scenes import scene

from realesrgan_paddle.commands.make_lq_data import main as make_lq
from realesrgan_paddle.data.sets.made_folders import images_to_compare
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.options.reading.load import load_config
from realesrgan_paddle.recipes.plan import Plan, choose_set_parts, load_training
from realesrgan_paddle.tools import (
    build_domain_set,
    compare,
    extract_subimages,
    generate_meta_info,
    generate_meta_info_pairdata,
    generate_multiscale,
    preflight,
)
from realesrgan_paddle.training.training_data import (
    check_run,
    open_datasets,
    open_training_data,
)
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images, write_image
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = pytest.mark.paddle


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a set of one video, its validation images of other shots."""
    folder = tmp_path_factory.mktemp("made")
    shots = [scene(n // 2, 8 * (n % 2)) for n in range(8)]
    picture_clip(folder / "match.mkv", shots, rate=1)
    words = ["--input", str(folder / "match.mkv"), "--output", str(folder / "set")]
    size = ["--crop_size", "128", "--step", "64", "--val_share", "0.3"]
    assert build_domain_set.main([*words, *size]) == 0
    return folder


def yml(folder: Path, options: dict, dataroot: Path) -> str:
    options["datasets"]["train"]["dataroot_gt"] = str(dataroot)
    return str(write_yml(folder, options))


def test_training_takes_the_list_of_a_set_and_its_validation_images(
    made, tmp_path, options
):
    made_set = made / "set"
    assert len(list_images(made_set, recursive=True)) > len(
        list_images(made_set / "sub")
    )
    cfg, lines = load_training(yml(tmp_path, options, made_set))
    data = open_training_data(cfg)
    assert data.images.paths == list_images(made_set / "sub")
    assert not data.held_out
    (val,) = cfg.datasets.validation.values()
    assert (val.dataroot_gt, val.dataroot_lq) == (
        str(made_set / "val/HR"),
        str(made_set / "val/LR"),
    )
    assert [line.strip().partition(":")[0] for line in lines] == [
        "datasets.train.meta_info",
        "datasets.val",
    ]


def test_a_set_is_known_without_the_options_being_completed(made, tmp_path, options):
    """From Python, `load_config` alone."""
    cfg = load_config(yml(tmp_path, options, made / "set"))
    paths = list_images(made / "set/sub")
    images, _ = open_datasets(cfg)
    assert images.paths == paths
    assert check_run(cfg, images, None).count == len(paths)


def test_the_recipe_takes_list_and_validation_images(made, options):
    options["datasets"]["train"]["dataroot_gt"] = str(made / "set")
    plan = Plan(options, "test")
    choose_set_parts(plan, plan.config)
    assert plan.config.datasets.train.meta_info == str(made / "set/meta_info.txt")
    assert plan.config.datasets.validation.keys() == {"val"}


def test_given_lists_and_validation_images_stay(made, tmp_path, options):
    (made / "mine.txt").write_text("sub/x.png\n")
    overrides = [
        f"datasets.train.meta_info={made / 'mine.txt'}",
        "datasets.val_mine.type=SingleImageDataset",
        f"datasets.val_mine.dataroot_lq={made / 'set/val/LR'}",
    ]
    cfg, lines = load_training(yml(tmp_path, options, made / "set"), overrides)
    assert cfg.datasets.train.meta_info == str(made / "mine.txt")
    assert cfg.datasets.validation.keys() == {"val_mine"}
    assert not lines


def test_validation_images_of_another_scale_are_left_out_and_the_log_says_so(
    made, tmp_path, options
):
    options |= {"scale": 2, "network_g": {**options["network_g"], "upscale": 2}}
    cfg, lines = load_training(yml(tmp_path, options, made / "set"))
    assert not cfg.datasets.validation
    assert "its validation images are for x4 and not used" in lines[-1]


def test_a_set_that_was_not_built_to_its_end_is_refused(tmp_path, options):
    write_image(tmp_path / "set/frames/a.png", picture(64, 64, 0))
    (tmp_path / "set/.domain_set.json").write_text('{"scale": 4}')
    with pytest.raises(UserError, match=r"set: a set without its list.*again"):
        load_training(yml(tmp_path, options, tmp_path / "set"))


def test_other_commands_take_the_list_of_a_set(made, tmp_path, options, capsys):
    count = len(list_images(made / "set/sub"))
    assert preflight.main(["--input", str(made / "set")]) == 0
    assert f"{count} image files checked" in capsys.readouterr().out
    lq = tmp_path / "LQ"
    file = yml(tmp_path, options, made / "set")
    assert make_lq(["--yml_path", file, "--save_dir", str(lq)]) == 0
    assert len(list_images(lq, recursive=True)) == count
    options["high_order_degradation"] = False
    options["datasets"]["train"] |= {
        "type": "RealESRGANPairedDataset",
        "dataroot_lq": str(lq),
    }
    cfg, _ = load_training(yml(tmp_path, options, made / "set"))
    assert len(open_datasets(cfg)[1].pairs) == count


def test_a_set_is_compared_on_its_validation_images(made, tmp_path, capsys):
    validation = [made / "set/val/LR"], made / "set/val/HR"
    assert images_to_compare([str(made / "set")], None) == validation

    weights = sample_weights(SRVGGNetCompact(num_feat=8, num_conv=1))
    write_pdparams(tmp_path / "a.pdparams", {"params": weights})
    models = ["--models", f"a={tmp_path / 'a.pdparams'}", "--output", str(tmp_path)]
    assert compare.main(["--input", str(made / "set"), *models]) == 0
    assert "PSNR" in capsys.readouterr().out


PROCESS = (
    ("extract_subimages", extract_subimages.main, ("--output", "out")),
    ("generate_multiscale", generate_multiscale.main, ("--output", "out")),
    (
        "generate_meta_info",
        generate_meta_info.main,
        ("--root", "/", "--meta_info", "out"),
    ),
    ("build_domain_set", build_domain_set.main, ("--output", "out")),
)


@pytest.fixture(scope="module")
def others(made) -> Path:
    """`made`, with a run, a comparison and low-quality images beside the set."""
    for name in ("run/visualization/val/a.png", "page/sheet.png"):
        write_image(made / name, picture(64, 64, 0))
    (made / "run/config.yml").write_text("name: run\n")
    (made / "run/models").mkdir()
    (made / "page/index.html").write_text("")
    return made


def test_folders_with_other_images_are_refused_by_name(others, tmp_path, monkeypatch):
    for folder, message in [
        ("set", "a training set of tools/build_domain_set.py; .*set/sub"),
        ("set/frames", "frames for training and for validation; .*frames/train or"),
        ("set/frames_sheet", "the overview of tools/extract_keyframes.py, not the"),
        ("run", "a training run; name the folder of the images"),
        ("run/visualization/val", "lies in the training run .*run; name"),
        ("page", "a comparison of tools/compare.py; name the folder of the images"),
        (".", "holds .*page: a comparison"),
    ]:
        for name, main, words in PROCESS:
            if name == "build_domain_set" and folder in ("set/frames", "."):
                continue  # it takes frames in two parts, and "." holds a video as well
            monkeypatch.chdir(tmp_path)
            with pytest.raises(UserError, match=message):
                main(["--input", str(others / folder), *words])
            assert not list(tmp_path.iterdir())


def test_training_refuses_what_is_no_ground_truth(others, tmp_path, options):
    for folder, message in [
        ("set/frames", "frames for training and for validation"),
        ("set/frames_sheet", "the overview"),
        ("set/val/LR", "low-quality images, made by make_lq_data.py; name the folder"),
        ("set/val", "holds .*LR: low-quality images"),
        ("run", "a training run"),
        ("page", "a comparison"),
        (".", "holds "),
    ]:
        cfg, _ = load_training(yml(tmp_path, options, others / folder))
        with pytest.raises(UserError, match=message):
            open_training_data(cfg)
        with pytest.raises(UserError, match=message):
            preflight.main(["--input", str(others / folder)])


def test_low_quality_images_may_be_cut_validated_on_and_paired(others, tmp_path):
    lq, hr = others / "set/val/LR", others / "set/val/HR"
    words = ["--crop_size", "16", "--step", "16", "--output", str(tmp_path / "out")]
    assert extract_subimages.main(["--input", str(lq), *words]) == 0
    pairs = ["--meta_info", str(tmp_path / "pairs.txt"), "--input"]
    assert generate_meta_info_pairdata.main([*pairs, str(hr), str(lq)]) == 0
    with pytest.raises(UserError, match="LR: low-quality images"):
        generate_meta_info_pairdata.main([*pairs, str(lq), str(hr)])
