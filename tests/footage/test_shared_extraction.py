"""A set whose frames several processes extract is the set that one process makes."""

from pathlib import Path

import pytest
from clips import picture_clip
from scenes import scene

from realesrgan_paddle.data.footage import keyframes
from realesrgan_paddle.tools.build_domain_set import main
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import is_leftover

OPTIONS = ["--crop_size", "128", "--step", "128", "--val_share", "0.2"]


def build(videos: Path, output: Path, *more: str) -> int:
    return main(["--input", f"{videos}", "--output", f"{output}", *OPTIONS, *more])


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not list(filter(is_leftover, files))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_processes_give_the_set_that_one_gives(tmp_path: Path, capsys, monkeypatch):
    """Of one name, a copy, and a damaged video are among them."""
    videos = tmp_path / "videos"
    for number, name in enumerate(("a.mkv", "b.mkv", "again/a.mkv")):
        (videos / name).parent.mkdir(exist_ok=True, parents=True)
        shots = [scene(3 * number + n // 2, 8 * (n % 2)) for n in range(6)]
        picture_clip(videos / name, shots, rate=1)
    (videos / "copy.mkv").write_bytes((videos / "b.mkv").read_bytes())
    (videos / "broken.mkv").write_bytes(b"no video")

    found = []
    for number, flags in enumerate(([], ["--processes", "2"])):
        output = tmp_path / "set"
        assert build(videos, output, *flags) == 1
        found.append((contents(output), capsys.readouterr()))
        # The next time others must decode: this changes nothing in new processes.
        monkeypatch.setattr(keyframes, "VideoScorer", None)
        output.rename(tmp_path / f"{number}")  # pages show its name
    (expected, said), (shared, said_then) = found
    assert shared == expected
    assert said_then == said
    assert "broken.mkv" in said.err


def test_a_folder_of_images_is_not_shared(tmp_path: Path):
    picture_clip(tmp_path / "a.png", [scene(0)], options=("-frames:v", 1))
    with pytest.raises(UserError, match="holds images, and --processes"):
        build(tmp_path, tmp_path.with_name("set"), "--processes", "2")
