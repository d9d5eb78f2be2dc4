"""One command from frames to a set that trains."""

import errno
import itertools
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from clips import picture_clip
from killed import run_until_killed, run_until_operation
from odd_images import ODD_NAMES
from PIL import Image
from sample_runs import picture
from scenes import scene

from realesrgan_paddle.commands.domain_set import DomainOptions, build_domain_set
from realesrgan_paddle.commands.train import Flags
from realesrgan_paddle.data.footage import frame_writer
from realesrgan_paddle.data.footage.keyframes import Settings
from realesrgan_paddle.data.sets.made_folders import list_of_set
from realesrgan_paddle.data.sets.meta_info import read_meta_info, training_images
from realesrgan_paddle.recipes.environment import Machine
from realesrgan_paddle.recipes.plan import Plan, choose_set_parts, nested
from realesrgan_paddle.recipes.recipe import choose_losses, choose_network
from realesrgan_paddle.tools.build_domain_set import main
from realesrgan_paddle.utils.cli import parse_flags
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import list_images, read_image, write_image

pytestmark = pytest.mark.paddle

SMALL = ["--crop_size", "64", "--step", "64"]


def texture(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)


def build(root: Path, *flags: str) -> int:
    return main(
        ["--input", str(root / "frames"), "--output", str(root / "set"), *SMALL, *flags]
    )


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Two frames, the right half of the first of them sky."""
    half_sky = texture(64, 128, 0)
    half_sky[:, 64:] = 180
    write_image(tmp_path / "frames" / "a.png", half_sky)
    write_image(tmp_path / "frames" / "b.png", texture(64, 128, 1))
    return tmp_path / "frames"


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_frames_become_sub_images_in_a_meta_info_file_without_flat_ones(
    tmp_path, frames, capsys
):
    assert build(tmp_path, "--val_share", "0.2") == 0
    lines = (tmp_path / "set" / "meta_info.txt").read_text().splitlines()
    assert lines == ["sub/a_s001.png", "sub/b_s001.png", "sub/b_s002.png"]
    output = capsys.readouterr().out
    assert "2 frames, 3 sub-images, 1 flat ones dropped" in output
    assert "for validation: none; a folder of images is not split" in output
    nothing = (
        "training will hold out, for its verdict: nothing: there are fewer than three"
    )
    assert nothing in output
    assert trained_on(output) == str(tmp_path / "set")


def test_the_set_says_of_how_much_a_training_could_tell(tmp_path, capsys):
    for clip, number in itertools.product("ab", range(4)):
        name = f"{clip}_{5 * number:010.3f}.png"
        write_image(tmp_path / "frames" / name, texture(64, 64, 4 * ord(clip) + number))
    assert build(tmp_path) == 0
    told = "training will hold out, for its verdict: 4 moments of 2 clips\n"
    assert told in capsys.readouterr().out


def trained_on(output: str) -> str:
    """The images of the training command that is printed at the end."""
    line = output.rpartition("next: ")[2]
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line}"], check=True, capture_output=True
    )
    _, script, *arguments = done.stdout.decode().split("\0")[:-1]
    assert Path(script).name == "train.py"
    args = parse_flags(Flags, None, arguments)
    assert args.recipe == "auto"
    return args.dataroot_gt


def test_a_second_build_adds_new_frames_and_leaves_other_files_unchanged(
    tmp_path, frames
):
    build(tmp_path)
    before = snapshot(tmp_path / "set")
    assert build(tmp_path) == 0
    assert snapshot(tmp_path / "set") == before
    write_image(frames / "c.png", texture(64, 64, 2))
    assert build(tmp_path) == 0
    after = snapshot(tmp_path / "set")
    assert set(after) - set(before) == {tmp_path / "set" / "sub" / "c_s001.png"}
    assert "sub/c_s001.png\n" in (tmp_path / "set" / "meta_info.txt").read_text()


def test_multiscale_versions_are_in_the_meta_info_file(tmp_path, frames):
    build(tmp_path, "--multiscale")
    lines = (tmp_path / "set" / "meta_info.txt").read_text().splitlines()
    assert len(lines) == 3 * 4
    assert read_image(tmp_path / "set" / "multiscale" / "a_s001T1.png").shape == (
        32,
        32,
        3,
    )


def test_split_frames_become_training_images_and_validation_pairs(
    tmp_path, frames, capsys
):
    write_image(tmp_path / "split/frames/train/a.png", texture(64, 64, 0))
    write_image(tmp_path / "split/frames/val/b.png", texture(70, 50, 1))
    assert build(tmp_path / "split") == 0
    made = tmp_path / "split" / "set"
    assert [path.name for path in list_images(made / "sub")] == ["a_s001.png"], (
        "nothing of the validation frames"
    )
    assert read_image(made / "val" / "HR" / "b.png").shape == (64, 48, 3)
    assert read_image(made / "val" / "LR" / "b.png").shape == (16, 12, 3)
    assert trained_on(capsys.readouterr().out) == str(made)
    given = nested("datasets.train.dataroot_gt", str(made))
    given |= nested("path.pretrain_network_g", "realesr-general-x4v3")
    plan = Plan(given, "test")
    choose_network(plan)
    choose_losses(plan, Machine(False, 2, 16.0))
    choose_set_parts(plan, plan.config)
    (val,) = plan.config.datasets.validation.values()
    assert val.dataroot_lq == str(made / "val" / "LR")


def test_unreadable_frames_are_reported_and_the_others_are_used(
    tmp_path, frames, capsys
):
    (frames / "empty.png").write_bytes(b"")
    (frames / "page.jpg").write_bytes(b"<html>")
    (frames / "pointer.png").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    (frames / "cut.png").write_bytes((frames / "a.png").read_bytes()[:-40])
    (frames / "folder.png").mkdir()
    (frames / "gone.png").symlink_to("nothing")
    Image.fromarray(np.zeros((8, 8), np.float32)).save(frames / "float.tif")
    assert build(tmp_path) == 1
    captured = capsys.readouterr()
    assert "3 images; 5 failures" in captured.out
    for name in ("empty.png", "page.jpg", "pointer.png", "cut.png", "float.tif"):
        assert captured.err.count(f"{frames / name}: ") == 1


def test_an_output_folder_with_other_files_is_refused(tmp_path, frames):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="set: holds other files; use another --output"):
        build(tmp_path)
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["mine.txt"]


def test_a_set_made_with_other_options_is_refused(tmp_path, frames):
    build(tmp_path)
    with pytest.raises(
        UserError,
        match=r"was made with min_detail 0\.05, not 0\.5; use another --output",
    ):
        build(tmp_path, "--min_detail", "0.5")


def test_an_output_folder_inside_the_frames_is_refused(tmp_path, frames):
    with pytest.raises(UserError, match="the results would join the images"):
        build_domain_set([frames], frames / "set", DomainOptions(), Settings())
    assert not (frames / "set").exists()


def test_detail_is_measured_in_smooth_and_in_16_bit_gray_images(tmp_path):
    write_image(
        tmp_path / "frames" / "waves.png",
        picture(64, 64, 0)[..., 0].astype(np.uint16) * 257,
    )
    write_image(tmp_path / "frames" / "fog.png", np.full((64, 64), 40_000, np.uint16))
    assert build(tmp_path) == 0
    assert [path.name for path in list_images(tmp_path / "set" / "sub")] == [
        "waves_s001.png"
    ]


def test_odd_file_names_of_frames_and_of_the_set_work(tmp_path, capsys):
    for seed, name in enumerate(ODD_NAMES):
        write_image(tmp_path / "frames" / name, texture(64, 64, seed))
    made = tmp_path / "a 'set' \"of\" $x; #1: [b], 100% \n-é"
    assert (
        main(
            [
                "--input",
                str(tmp_path / "frames"),
                "--output",
                str(made),
                *SMALL,
                "--multiscale",
            ]
        )
        == 0
    )
    lines = read_meta_info(made / "meta_info.txt")
    assert len(lines) == len(ODD_NAMES) * 4
    assert trained_on(capsys.readouterr().out) == str(made)
    paths = training_images(made, None)
    assert len(paths) == len(lines)
    assert all(path.is_file() for path in paths)


def test_the_error_says_why_there_is_no_frame(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "broken.mp4").write_bytes(b"no video")
    words = ["--input", str(videos), "--output", str(tmp_path / "set"), *SMALL]
    with pytest.raises(
        UserError, match=r"1 videos failed, such as .*broken\.mp4: not a"
    ):
        main(words)

    (videos / "broken.mp4").unlink()
    picture_clip(videos / "black.mkv", [np.zeros_like(scene(0))] * 2)
    with pytest.raises(UserError, match=r"dropped \(2 black\).*--lq .*videos") as error:
        main(words)
    assert "tools/tune.py --lq" in str(error.value)

    # Nor is it said to build the set again, by what gets the set.
    with pytest.raises(UserError, match=r"no frame was good enough.*--lq FOOTAGE"):
        list_of_set(tmp_path / "set")


def test_the_error_says_why_no_frame_could_be_written(tmp_path, monkeypatch):
    """As where memory is short: it named a folder without images instead."""

    def fail(path: Path, _: np.ndarray) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    (tmp_path / "videos").mkdir()
    picture_clip(tmp_path / "videos" / "a.mkv", [scene(0), scene(1)])
    monkeypatch.setattr(frame_writer, "write_image", fail)
    words = ["--input", str(tmp_path / "videos"), "--output", str(tmp_path / "set")]
    said = r"frames: no frame could be extracted; 1 videos failed, .*: Input/output"
    with pytest.raises(UserError, match=said):
        main([*words, *SMALL])


def test_a_machine_without_processes_is_no_fault_of_the_videos(tmp_path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    (tmp_path / "videos").mkdir()
    picture_clip(tmp_path / "videos" / "a.mkv", [scene(0)])
    monkeypatch.setattr("realesrgan_paddle.utils.ffmpeg.ffmpeg.run_async", fail)
    words = ["--input", str(tmp_path / "videos"), "--output", str(tmp_path / "set")]
    with pytest.raises(BlockingIOError):
        main([*words, *SMALL])


def test_a_folder_of_videos_and_images_is_refused(tmp_path, frames):
    picture_clip(frames / "match.mkv", [scene(0)])
    with pytest.raises(UserError, match="frames: holds videos and images; name"):
        build(tmp_path)


@pytest.fixture(scope="module")
def whole_build(tmp_path_factory) -> tuple[list[str], dict[str, bytes]]:
    """The arguments of a build without its output, and the files of the whole set."""
    folder = tmp_path_factory.mktemp("whole")
    videos = folder / "in put"
    videos.mkdir()
    for number, name in enumerate(("-rf; 'a' \"b\", c.mkv", "new\nline 比赛..x.mkv")):
        shots = [scene(3 * number + n // 2, 8 * (n % 2)) for n in range(6)]
        picture_clip(videos / name, shots, rate=1)
    options = "--crop_size 128 --step 128 --multiscale --val_share 0.2 --output"
    words = ["--input", str(videos), *options.split()]
    assert main([*words, str(folder / "set")]) == 0
    return words, contents(folder / "set")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
@pytest.mark.parametrize(
    ("file", "nth"),
    [("/.sources/", 2), ("/sub/", 2), ("/LR/", 2)],  # all others: -m slow
)
def test_a_build_killed_in_any_stage_is_resumed_to_the_same_set(
    tmp_path, whole_build, file, nth, capsys
):
    words, whole = whole_build
    words = [*words, str(tmp_path / "set")]
    run_until_killed(main, words, file, nth)
    assert contents(tmp_path / "set") != whole
    assert main(words) == 0
    assert contents(tmp_path / "set") == whole
    # 6 shots, one of which is for validation.
    assert " frames of 5 views: " in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
@pytest.mark.parametrize("nth", range(1, 600, 37))
def test_a_build_killed_at_any_operation_is_resumed_to_the_same_set(
    tmp_path, whole_build, nth
):
    words, whole = whole_build
    words = [*words, str(tmp_path / "set")]
    run_until_operation(main, words, tmp_path, nth)
    assert main(words) == 0
    assert contents(tmp_path / "set") == whole


def contents(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files by their paths in the folder."""
    return {
        str(path.relative_to(folder)): data for path, data in snapshot(folder).items()
    }
