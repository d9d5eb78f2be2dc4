import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from realesrgan_paddle.data.sets.choose_patches import (
    Placed,
    balanced,
    spread,
    without_repeats,
)
from realesrgan_paddle.data.sets.manifest import write_records
from realesrgan_paddle.data.sets.patch_candidates import (
    FLAT,
    OVERLAY,
    SOFT,
    Patch,
    judge_frame,
    positions,
)
from realesrgan_paddle.data.sets.subimages import CropGrid
from realesrgan_paddle.data.statistics import tiles
from realesrgan_paddle.tools.extract_subimages import main
from realesrgan_paddle.utils.crops import Crop
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from tests.helpers.scenes import world

GRID = CropGrid(128, 128)


def picture(seed: int = 0, side: int = 256) -> np.ndarray:
    """Return a sharp picture whose texture is as fine as that of a video."""
    fine = cv2.resize(world(seed), None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(fine[:side, :side])


def reasons(image: np.ndarray, overlays: tuple[Crop, ...] = ()) -> dict[int, str]:
    """Return why each patch is left out, nothing for a good one."""
    judged = judge_frame(image, GRID, overlays, min_detail=0.05, per_frame=99)
    by_number = {patch.number: "" for patch in judged.chosen}
    for reason, patches in judged.rejected.items():
        by_number |= {patch.number: reason for patch in patches}
    return dict(sorted(by_number.items()))


def grainy(image: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(5).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def test_the_named_weights_are_those_of_the_filters():
    noise = np.random.default_rng(0).normal(128, 8, (640, 640))
    powers = [power.mean() for power, _ in tiles._bands(noise.astype(np.float32))]
    named = (tiles.WHITE_FINE, tiles.WHITE_MIDDLE, tiles.WHITE_COARSE)
    assert np.array(powers) / 64 == pytest.approx(named, rel=0.05)


def test_sharp_parts_are_good_and_blurred_ones_out_of_focus():
    image = picture()
    assert set(reasons(image).values()) == {""}
    image[:, 128:] = cv2.GaussianBlur(image, (0, 0), 3)[:, 128:]
    assert reasons(image) == {1: "", 2: SOFT, 3: "", 4: SOFT}


def test_sky_is_flat_whatever_its_grain():
    for sigma in [0, 4, 10]:
        image = picture()
        image[:128] = np.linspace(120, 200, 256)[:, None]
        assert reasons(grainy(image, sigma)) == {1: FLAT, 2: FLAT, 3: "", 4: ""}


def test_grain_does_not_turn_a_blurred_part_into_a_good_one():
    image = picture()
    image[:, 128:] = cv2.GaussianBlur(image, (0, 0), 3)[:, 128:]
    assert set(reasons(grainy(image, 5))) == {1, 2, 3, 4}
    assert [number for number, why in reasons(grainy(image, 5)).items() if why] == [
        2,
        4,
    ]


def test_patches_beside_an_overlay_take_the_place_of_those_that_touch_it():
    box = Crop(0, 0, 256, 20)
    found = positions((256, 256), GRID, [box])
    assert found[:4] == GRID.crops(256, 256)
    assert found[4:] == [Crop(0, 20, 128, 128), Crop(128, 20, 128, 128)]
    assert reasons(picture(), (box,)) == {
        1: OVERLAY,
        2: OVERLAY,
        **dict.fromkeys((3, 4, 5, 6), ""),
    }


def test_of_one_frame_those_with_most_detail_are_chosen_apart_from_each_other():
    image = np.full((256, 256, 3), 128, np.uint8)
    image[128:, 64:] = picture()[128:, 64:]
    image[:64, :64] = picture()[:64, :64]
    grid = CropGrid(128, 32)
    judged = judge_frame(image, grid, (), min_detail=0.05, per_frame=2)
    assert [(patch.crop.x, patch.crop.y) for patch in judged.chosen] == [
        (128, 128),
        (32, 128),
    ], "the second adds most to what the first shows"


def placed(shot: int, score: float, level: int, frame: int = 0) -> Placed:
    signature = np.full(128, level, np.uint8)
    return Placed(frame, shot, Patch(1, Crop(0, 0, 8, 8), score, signature))


def test_of_patches_that_look_alike_the_best_of_the_shot_is_kept():
    patches = [placed(0, 1.0, 50), placed(0, 3.0, 52), placed(0, 2.0, 200)]
    later = placed(1, 9.0, 51, frame=7)
    new, repeats = without_repeats([*patches, later])
    assert new == [patches[1], patches[2]]
    assert repeats == [patches[0], later], "a shot that shows the same place again"


def test_a_limited_number_is_spread_over_kinds_and_shots():
    grass = [
        placed(shot, 1 + shot / 100, 40, frame)
        for frame, shot in enumerate([0, 0, 0, 0, 1])
    ]
    crowd = [placed(0, 5.0, 200, frame) for frame in range(20, 60)]
    chosen, left = spread(grass + crowd, 4)
    assert sorted(one.patch.signature[0] for one in chosen) == [40, 40, 200, 200]
    assert {one.shot for one in chosen if one.patch.signature[0] == 40} == {0, 1}
    assert len(chosen) + len(left) == 45
    assert spread(grass, 0) == (grass, [])


def test_a_still_camera_does_not_fill_the_set():
    still = [
        Placed(frame, 0, placed(0, frame, frame % 200).patch, view=3)
        for frame in range(300)
    ]
    for others, kept_of_it in ((0, 300), (20, 64), (100, 100)):
        moving = [
            Placed(frame, 1, placed(1, 1.0, frame).patch, view=frame % 2)
            for frame in range(others)
        ]
        kept, left = balanced([*still, *moving])
        views = [one.view for one in kept]
        assert views.count(3) == kept_of_it, others
        assert len(views) == kept_of_it + others
        assert len(kept) + len(left) == 300 + others
    # Those with most detail of each kind of content, not the first ones.
    assert np.mean([one.patch.score for one in kept if one.view == 3]) > 160


def cut(root: Path, *flags: str) -> int:
    size = ["--crop_size", "128", "--step", "128", "--patches", "best"]
    folders = ["--input", str(root / "in"), "--output", str(root / "out")]
    return main([*folders, *size, "--min_detail", "0.05", *flags])


def files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "out").glob("*.png")}


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Three frames of a still camera, and one of another scene."""
    for number in range(3):
        write_image(tmp_path / "in" / f"v_{number}.png", picture())
    write_image(tmp_path / "in" / "v_3.png", picture(1))
    return tmp_path


def test_a_still_camera_gives_each_place_once_and_a_sheet_shows_it(frames, capsys):
    assert cut(frames) == 0
    assert sorted(files(frames)) == [
        f"v_{frame}_s00{number}.png" for frame in (0, 3) for number in (1, 2, 3, 4)
    ]
    assert "8 sub-images, 0 flat ones dropped (8 repeated)" in capsys.readouterr().out
    assert (frames / "out_sheet" / "patches.png").is_file()


@pytest.mark.parametrize(("frames", "each"), [(1, 8), (3, 3), (8, 1)])
def test_a_source_of_few_frames_gives_as_many_patches_as_one_of_eight(
    tmp_path, frames, each
):
    for number in range(frames):
        image = picture(number, 384)
        write_image(tmp_path / "in" / f"v_{number}.png", image)
    assert cut(tmp_path, "--patches_per_frame", "1") == 0
    names = [name.partition("_s")[0] for name in files(tmp_path)]
    assert {names.count(f"v_{number}") for number in range(frames)} == {each}


def test_an_interrupted_run_is_completed_with_the_same_patches(frames):
    cut(frames, "--max_patches", "5")
    whole = files(frames)
    assert len(whole) == 5
    for name in list(whole)[:3]:
        (frames / "out" / name).unlink()
    cut(frames, "--max_patches", "5")
    assert files(frames) == whole

    shutil.rmtree(frames / "out")
    cut(frames, "--max_patches", "5", "--n_thread", "1")
    assert files(frames) == whole


def test_added_images_are_added_within_the_number(frames):
    cut(frames, "--max_patches", "10")
    before = files(frames)
    assert len(before) == 8
    write_image(frames / "in" / "w.png", picture(2))
    cut(frames, "--max_patches", "10")
    after = files(frames)
    assert before.items() <= after.items()
    assert len(after) == 10


def test_shots_come_from_the_manifest(frames):
    records = []
    for number in range(4):
        records.append(
            {
                "source": "v.mp4",
                "decision": "kept",
                "reason": "",
                "file": f"v_{number}.png",
                "seconds": 9.0 - number,
                "shot": 0,
                "overlays": [[0, 0, 10, 10]] if number == 2 else [],
            }
        )
    write_records(frames / "in" / "manifest.jsonl", records)
    cut(frames, "--manifest", str(frames / "in" / "manifest.jsonl"))
    names = sorted(files(frames))
    assert "v_2_s001.png" not in names, "touches an overlay"
    assert len([name for name in names if name.startswith("v_3")]) == 4


def test_other_quotas_and_a_grid_are_refused_for_a_set_of_best_patches(frames):
    cut(frames)
    with pytest.raises(UserError, match="patches_per_frame 8, not 2"):
        cut(frames, "--patches_per_frame", "2")
    with pytest.raises(UserError, match="patches_per_frame 8, not None"):
        cut(frames, "--patches", "grid")


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1}', '{"a": [[1, 2, 3, 4, "5"]]}'])
def test_a_damaged_list_of_patches_ends_in_one_line(frames, text):
    cut(frames)
    (frames / "out" / ".patches.json").write_text(text)
    with pytest.raises(UserError, match="not the list of a set's patches"):
        cut(frames)


def test_gray_16_bit_and_tiny_images_are_cut_too(tmp_path):
    gray = picture()[..., 0].astype(np.uint16) * 257
    write_image(tmp_path / "in" / "gray.png", gray)
    write_image(tmp_path / "in" / "tiny.png", picture()[:20, :30])
    assert cut(tmp_path) == 0
    assert sorted(files(tmp_path)) == [
        *(f"gray_s00{number}.png" for number in (1, 2, 3, 4)),
        "tiny_s001.png",
    ]
    chosen = json.loads((tmp_path / "out" / ".patches.json").read_text())
    assert chosen["tiny"] == [[1, 0, 0, 30, 20]]
