"""What the quickstart holds out: whole views, of which no frame is trained on."""

import json

import pytest

from realesrgan_paddle.commands.quickstart import MAX_HELD_OUT, check_work, hold_out
from realesrgan_paddle.data.sets.made_folders import MANIFEST
from realesrgan_paddle.data.sets.naming import moments_of
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.paired import FEWEST_UNITS


def test_the_folder_of_another_video_of_that_name_is_refused(tmp_path):
    check_work(tmp_path / "match", tmp_path / "a/match.mp4")
    check_work(tmp_path / "match", tmp_path / "a/match.mp4")
    with pytest.raises(
        UserError, match=r"made of .*a/match\.mp4; give another --output"
    ):
        check_work(tmp_path / "match", tmp_path / "b/match.mp4")


@pytest.fixture
def split(tmp_path):
    """Hold out frames of a video; return the seconds to train on, and those held out.

    The frames are given as (seconds, view); the manifest also has one that was dropped.
    """

    def _split(frames, *, with_views=True):
        folder = tmp_path / "frames"
        folder.mkdir()
        records = [
            {"source": "a.mp4", "decision": "dropped", "reason": "dark", "overlays": []}
            | {"file": "a_000000.000.png", "view": 0}
        ]
        for seconds, view in frames:
            name = f"a_{seconds:010.3f}.png"
            (folder / name).write_bytes(b"")
            record = {"source": "a.mp4", "decision": "kept", "reason": "", "file": name}
            record |= {"overlays": []} | ({"view": view} if with_views else {})
            records.append(record)
        lines = "".join(f"{json.dumps(record)}\n" for record in records)
        (folder / MANIFEST).write_text(lines)

        hold_out(folder, tmp_path / "train", tmp_path / "held_out")
        return [
            sorted(float(path.stem[2:]) for path in (tmp_path / name).iterdir())
            for name in ("train", "held_out")
        ]

    return _split


def moments(seconds):
    return len(set(moments_of([f"a_{second:010.3f}" for second in seconds])))


def test_no_view_is_on_both_sides(split):
    """Six shots, as those of the quickstart's clip; the fourth is the second again."""
    views = [0, 0, 0, 1, 1, 2, 2, 2, 1, 1, 3, 3, 4, 4, 4, 5]
    view_at = {1.0 + 0.6 * number: view for number, view in enumerate(views)}
    trained, held_out = split(list(view_at.items()))

    assert trained and held_out
    trained_views = {view_at[round(second, 3)] for second in trained}
    held_views = {view_at[round(second, 3)] for second in held_out}
    assert not trained_views & held_views
    unseen = [second for second in view_at if round(second, 3) not in trained]
    for second, view in view_at.items():
        assert (second in unseen) == (view in held_views), "a whole view, or none of it"

    assert FEWEST_UNITS <= moments(held_out) == len(held_out) <= MAX_HELD_OUT
    assert len(unseen) <= 0.6 * len(views)
    assert trained_views >= {0, 5}, "from the middle on, and no more than it takes"


def test_a_frame_of_each_of_a_few_moments_is_compared_on(split):
    """A long view from the middle on would take half a minute to look at."""
    frames = [(float(n), 0) for n in range(12)] + [(12 + n / 2, 1) for n in range(16)]
    trained, held_out = split(frames)
    assert trained == [float(n) for n in range(12)]
    assert held_out == [12.0, 14.0, 16.0, 18.0], "every other of eight moments"


@pytest.mark.parametrize("with_views", [True, False])
def test_of_one_view_its_later_frames_are_held_out(split, with_views):
    frames = [(float(n), 0) for n in range(10)]
    trained, held_out = split(frames, with_views=with_views)
    assert trained == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert held_out == [5.0, 6.0, 7.0, 8.0, 9.0]


def test_two_frames_are_the_least(split):
    with pytest.raises(UserError, match="1 frames, but at least 2 are needed"):
        split([(0.0, 0)])
