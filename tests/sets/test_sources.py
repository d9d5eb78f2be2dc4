"""Images in tar shards and in object storage are read as those of folders are."""

import io
import sys
import tarfile
import threading
import time

import numpy as np
import pytest
from s3_server import s3_server
from sample_runs import assert_states_equal, picture, reported, run, state_of

from realesrgan_paddle.data.loading import header_checks
from realesrgan_paddle.data.loading.datasets import PairedDataset, ValidationDataset
from realesrgan_paddle.data.loading.header_checks import check_headers
from realesrgan_paddle.data.loading.hold_out import hold_out
from realesrgan_paddle.data.sets import sources
from realesrgan_paddle.data.sets.image_list import ImageList
from realesrgan_paddle.data.sets.meta_info import training_images
from realesrgan_paddle.data.sets.naming import (
    image_name,
    one_of_each_clip,
    source_and_frame,
)
from realesrgan_paddle.options.schema.datasets import TrainPairedDataset, ValDataset
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_samples, write_image

ESCAPES = ("../outside.png", "/etc/outside.png", "a/../../outside.png")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, and nothing remembered of other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sources.open_shard.cache_clear()
    sources._is_file.cache_clear()
    return tmp_path / "cache"


def write_tar(path, members: dict[str, bytes], records=True) -> None:
    """Write a shard as WebDataset does: each image followed by its record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            add(archive, name, data)
            if records:
                add(archive, name.replace(".png", ".json"), b'{"source": "match"}')


def add(archive, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def footage(folder, seed=0):
    """Write frames of two clips as files, and as a shard of each; return both folders."""
    for clip, count in (("goal", 4), ("match", 5)):
        members = {}
        for number in range(count):
            name = f"{clip}.{number:06d}.png"
            file = folder / f"frames/{clip}/{name}"
            write_image(file, picture(60 + number, 64, seed + number))
            members[name] = file.read_bytes()
        write_tar(folder / f"shards/{clip}.tar", members)
    return folder / "frames", folder / "shards"


def test_shards_hold_what_the_folders_held(tmp_path):
    files, shards = (training_images(root, None) for root in footage(tmp_path))
    assert [str(p).replace("/frames/", "/shards/") for p in files] == [
        str(p).replace(".tar/", "/") for p in shards
    ]
    assert check_headers(shards).sides.tolist() == check_headers(files).sides.tolist()
    for file, member in zip(files, shards, strict=True):
        assert np.array_equal(read_samples(file), sources.read_samples(member))

    held = hold_out(shards)
    names = {path.name for path in held.excluded}
    assert names == {path.name for path in hold_out(files).excluded} != set()
    assert len(shards.without(held.excluded)) == len(files) - len(names)


def test_the_index_of_a_shard_is_made_once_for_each_version(tmp_path, monkeypatch):
    _, shards = footage(tmp_path)
    before = list(training_images(shards, None))
    sources.open_shard.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(sources, "_places", None)
        assert list(training_images(shards, None)) == before

    sources.open_shard.cache_clear()
    image = (tmp_path / "frames/goal/goal.000000.png").read_bytes()
    write_tar(shards / "goal.tar", {"new.png": image})
    names = [path.name for path in training_images(shards, None)]
    assert names == ["new.png", *(path.name for path in before[4:])]


@pytest.mark.parametrize("escape", ESCAPES)
def test_a_hostile_shard_is_only_data(tmp_path, escape):
    """Links, names that lead out of it and sparse files are no images; nothing is written."""
    secret = tmp_path / "outside.png"
    write_image(secret, picture(64, 64, 1))
    shard = tmp_path / "set/a.tar"
    write_tar(shard, {"good.png": secret.read_bytes(), escape: secret.read_bytes()})
    with tarfile.open(shard, "a") as archive:
        for name, kind in (
            ("soft.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
        ):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, str(secret)
            archive.addfile(link)
    files = sorted(tmp_path.rglob("*.png"))
    assert [path.name for path in training_images(shard.parent, None)] == ["good.png"]
    with pytest.raises(UserError, match="has no such image"):
        sources.read_samples(shard / escape.lstrip("/"))
    assert sorted(tmp_path.rglob("*.png")) == files


@pytest.mark.parametrize("size", [b"77777777777\0", b"\xff" * 11 + b"\x00"])
def test_a_size_that_lies_is_one_line(tmp_path, size):
    shard = tmp_path / "a.tar"
    write_tar(shard, {"good.png": b"x" * 600}, records=False)
    data = bytearray(shard.read_bytes())
    data[124:136] = size
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    shard.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.tar: "):
        training_images(tmp_path, None)


def test_headers_are_read_again_only_of_files_that_changed(tmp_path, monkeypatch):
    hr, _ = footage(tmp_path)
    monkeypatch.setattr(header_checks, "WORTH_KEEPING", 1)
    before = check_headers(training_images(hr, None))

    write_image(hr / "goal/goal.000001.png", picture(33, 44, 9))
    (hr / "goal/goal.000002.png").write_bytes(b"")
    read = []
    monkeypatch.setattr(
        header_checks,
        "read_size",
        lambda path: read.append(path.name) or sources.read_size(path),
    )
    after = check_headers(training_images(hr, None))
    assert sorted(read) == ["goal.000001.png", "goal.000002.png"]
    assert after.sides[:3].tolist() == [before.sides[0].tolist(), [44, 33], [0, 0]]
    assert after.sides[3:].tolist() == before.sides[3:].tolist()
    assert len(after.problems) == 1 and after.count == 9
    assert check_headers(training_images(hr, None)).problems == after.problems


def test_a_list_is_its_paths_and_few_names_tell_all_clips(tmp_path):
    names = [f"c{clip}/{number:06d}{crop}.png" for clip in "ab" for number in range(5)
             for crop in ("", "_s001")]  # fmt: skip
    names += [f"m_{number:010.3f}.png" for number in range(5)]
    names += [
        "x_123456.0001.png",
        "match.000012.png",
        "aT2.png",
        "7.png",
        "ü\udcff.png",
    ]
    listed = ImageList(tmp_path, names)
    assert listed == [tmp_path / name for name in names] and len(listed) == len(names)
    assert listed[::7] == [tmp_path / name for name in names[::7]]
    assert listed.without([tmp_path / names[3]]) == list(listed)[:3] + list(listed)[4:]

    def clips(some):
        stems = (image_name(path) for path in map(type(tmp_path), some))
        return {source_and_frame(type(tmp_path)(f"{stem}.png"))[0] for stem in stems}

    few = one_of_each_clip(names)
    assert clips(few) == clips(names) and len(few) <= 10


def test_object_storage_without_fsspec_names_the_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UserError, match=r'pip install "realesrgan-paddle\[remote\]"'):
        training_images("s3://bucket/hr", None)


def test_object_storage_without_keys_is_not_waited_for(tmp_path, monkeypatch):
    s3fs = pytest.importorskip("s3fs")
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("SHARED_CREDENTIALS", "CONFIG"):
        monkeypatch.setenv(f"AWS_{name}_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(UserError, match=r"Unable to locate credentials; set AWS_ACC"):
        training_images("s3://bucket/hr", None)


@pytest.fixture
def storage(tmp_path, monkeypatch):
    """A local S3 server with the footage in it: its address, and what stops and starts it."""
    with s3_server(monkeypatch, "footage") as (client, stop_for):
        for root in (*footage(tmp_path), *footage(tmp_path / "lq", seed=50)):
            for file in root.rglob("*.*"):
                name = file.relative_to(tmp_path).as_posix()
                client.put_object(Bucket="footage", Key=name, Body=file.read_bytes())
        yield stop_for


def test_object_storage_lists_and_reads_what_the_disk_has(tmp_path, storage):
    files = training_images(tmp_path / "frames", None)
    for folder in ("frames", "shards"):
        objects = training_images(f"s3://footage/{folder}", None)
        assert [path.name for path in objects] == [path.name for path in files]
        sides = check_headers(objects).sides
        assert sides.tolist() == check_headers(files).sides.tolist()
        for file, stored in zip(files, objects, strict=True):
            assert np.array_equal(read_samples(file), sources.read_samples(stored))

    with pytest.raises(UserError, match=r"s3://footage/frames/none\.png"):
        sources.read_samples(objects.root.parent / "frames/none.png")
    meta = tmp_path / "meta.txt"
    meta.write_text("goal/goal.000001.png\n")
    (chosen,) = training_images("s3://footage/frames", meta)
    assert chosen.name == "goal.000001.png"
    meta.write_text("goal/none.png\n")
    with pytest.raises(UserError, match=r"1 of its 1 images are not in .*none\.png"):
        training_images("s3://footage/frames", meta)


@pytest.mark.parametrize("folder", ["frames", "shards"])
def test_pairs_and_validation_images_are_those_of_the_disk(tmp_path, storage, folder):
    """Networks of scale 1, so that the footage and other footage of its sizes are pairs."""
    place = f"s3://footage/{folder}", f"s3://footage/lq/{folder}"
    local = str(tmp_path / "frames"), str(tmp_path / "lq/frames")
    (pairs, stored), (images, objects) = (
        [open_set(*roots) for roots in (local, place)]
        for open_set in (open_pairs, open_validation)
    )
    assert len(pairs) == len(stored) == 9
    for number in range(9):
        for array, other in zip(pairs[number, 5], stored[number, 5], strict=True):
            assert np.array_equal(array, other)
    for image, other in zip(images, objects, strict=True):
        assert image.name == other.name and np.array_equal(image.lq, other.lq)
        assert np.array_equal(image.gt, other.gt) and (image.gt != image.lq).any()

    without_gt = ValDataset(type="SingleImageDataset", name="v", dataroot_lq=place[1])
    alone = ValidationDataset.open(without_gt, 1)
    assert [i.lq.sum() for i in alone] == [i.lq.sum() for i in images]
    with pytest.raises(UserError, match=r"s3://footage/none: no images in it"):
        open_pairs(place[0], "s3://footage/none")


def open_pairs(gt, lq):
    options = TrainPairedDataset(dataroot_gt=gt, dataroot_lq=lq)
    return PairedDataset.open(options, gt_size=32, scale=1, seed=3)


def open_validation(gt, lq):
    options = ValDataset(
        type="PairedImageDataset", name="v", dataroot_gt=gt, dataroot_lq=lq
    )
    return ValidationDataset.open(options, 1)


@pytest.mark.parametrize(("folder", "seconds"), [("frames", 3), ("shards", 20)])
def test_a_run_from_object_storage_equals_the_run_from_disk(
    tmp_path, options, storage, monkeypatch, capfd, folder, seconds
):
    """Resumed once; the server is away for a while in the middle of the rest."""
    options["datasets"]["train"]["dataroot_gt"] = str(tmp_path / "frames")
    options["val"] = {"hold_out": 2}
    disk = run(tmp_path, options, "name=disk", "train.total_iter=12")

    options["datasets"]["train"]["dataroot_gt"] = f"s3://footage/{folder}"
    run(tmp_path, options, "name=s3")
    monkeypatch.setattr(sources, "_said_at", -np.inf)
    away, reads = threading.Thread(target=storage, args=[seconds]), []
    read_bytes = sources.read_bytes

    def read_while_away(path):
        reads.append(path)
        if len(reads) == 5:
            away.start()
            time.sleep(1)
        return read_bytes(path)

    monkeypatch.setattr(sources, "read_bytes", read_while_away)
    stored = run(
        tmp_path, options, "name=s3", "auto_resume=true", "train.total_iter=12"
    )
    away.join()
    if seconds > 11:  # for so long s3fs asks again itself, and nothing may be said
        assert capfd.readouterr().err.count("waiting for it") == 1
    assert_states_equal(state_of(disk, 12), state_of(stored, 12))
    losses = [line for line in reported(disk) if "l_g_pix" in line]
    assert losses == [line for line in reported(stored) if "l_g_pix" in line]
