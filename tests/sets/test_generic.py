"""Footage that is poor throughout: generic pictures are trained on, degraded like it."""

import functools
import http.server
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import world

from realesrgan_paddle.commands import train
from realesrgan_paddle.data.sets import generic
from realesrgan_paddle.data.sets.generic import NAME, generic_images
from realesrgan_paddle.recipes import recipe
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import sha256_of
from realesrgan_paddle.utils.images import list_images, write_image


@pytest.fixture
def served(tmp_path, monkeypatch) -> Path:
    """Serve an archive of three pictures, as large as two sub-images each."""
    archive = tmp_path / "server" / "pictures.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as zipped:
        for seed in range(3):
            _, data = cv2.imencode(".png", cv2.resize(world(seed, 480), (960, 480)))
            zipped.writestr(f"{NAME}/080{seed}.png", data.tobytes())
        zipped.writestr(f"{NAME}/README.txt", "no picture")

    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(archive.parent)
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", ignore)
    monkeypatch.setenv("no_proxy", "*")
    url = f"http://127.0.0.1:{server.server_port}/pictures.zip"
    monkeypatch.setattr(generic, "URL", url)
    monkeypatch.setattr(generic, "SHA256", sha256_of(archive))
    monkeypatch.setattr(generic, "SIZE", archive.stat().st_size)
    monkeypatch.chdir(tmp_path)
    yield archive
    server.shutdown()
    server.server_close()


def ignore(*_: object) -> None:
    """Say nothing of a request."""


def test_generic_pictures_are_downloaded_once_and_cut(served):
    users = Path("datasets") / f"{NAME}.zip"
    users.parent.mkdir()
    users.write_bytes(b"somebody's own")
    sub = generic_images()
    assert users.read_bytes() == b"somebody's own"
    assert sub == Path("datasets") / f"{NAME}_sub"
    names = [path.name for path in list_images(sub)]
    assert names == [f"080{n}_s00{part}.png" for n in range(3) for part in (1, 2)]
    assert not (sub.parent / f".{NAME}.zip").exists()

    served.unlink()  # nothing is asked for again
    assert generic_images() == sub


def test_several_at_once_have_the_same_pictures(served):
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(generic_images) for _ in range(3)]
    assert [len(list_images(run.result())) for run in runs] == [6, 6, 6]


def test_an_interrupted_unpacking_goes_on(served):
    folder = Path("datasets")
    folder.mkdir()
    (folder / f".{NAME}.zip").write_bytes(served.read_bytes())
    (folder / NAME).mkdir()
    write_image(folder / NAME / "0800.png", world(7, 480))
    generic_images()
    assert len(list_images(folder / NAME)) == 3


def test_pictures_of_ones_own_are_taken(served):
    served.unlink()
    write_image(Path("datasets") / NAME / "mine.png", world(5, 480))
    assert [path.name for path in list_images(generic_images())] == ["mine_s001.png"]


def test_out_of_reach_says_what_to_do_instead(served):
    served.unlink()
    with pytest.raises(
        UserError, match=r"404 .*; put sharp pictures into .*: tune FOLDER --lq"
    ):
        generic_images()
    write_image(Path("datasets") / NAME / "flat.png", np.zeros((480, 480, 3), np.uint8))
    with pytest.raises(UserError, match="without detail"):
        generic_images()


@pytest.mark.paddle
def test_the_recipe_needs_nothing_but_poor_footage(served, monkeypatch, capsys):
    solved_for = []

    def solve(plan, lq, seconds):
        solved_for.append((plan.config.datasets.train.dataroot_gt, lq))

    monkeypatch.setattr(recipe, "solve_degradation", solve)
    network = ["scale=2", "network_g.type=SRVGGNetCompact", "network_g.upscale=2"]
    words = ["--recipe", "auto", "--dry_run", *network, "train.total_iter=300"]
    assert train.main([*words, "--lq", "poor.mp4"]) == 0
    printed = capsys.readouterr()
    sub = f"datasets/{NAME}_sub"
    assert solved_for == [(sub, Path("poor.mp4"))]
    assert f"dataroot_gt: {sub}" in printed.out
    assert "for academic research only" in printed.out + printed.err

    with pytest.raises(UserError, match="--lq FOOTAGE alone"):
        train.main(words)
