"""From object storage into object storage: what a folder gives; noted, so that it goes on."""

from pathlib import Path
from tempfile import gettempdir

import pytest
from made_clips import X264, YUV420, made, pattern
from read_back import NEEDED
from s3_server import s3_server
from sample_runs import picture
from sample_weights import sample_weights

from realesrgan_paddle.commands import upscale_storage
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.tools import predict, upscale
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.rows import rows_of
from realesrgan_paddle.utils.weights.writer import write_pdparams

pytestmark = [NEEDED, pytest.mark.paddle]


class Bucket:
    """The bucket of a server."""

    def __init__(self, client) -> None:
        self.client = client

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket="clips", Key=key, Body=data)

    def below(self, prefix: str) -> dict[str, bytes]:
        found = self.client.list_objects_v2(Bucket="clips", Prefix=prefix)
        return {
            entry["Key"].removeprefix(prefix): self.client.get_object(
                Bucket="clips", Key=entry["Key"]
            )["Body"].read()
            for entry in found.get("Contents", [])
        }


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch):
    """The bucket, with the files of the folder `in`: pictures, one of them deeper, and a clip."""
    weights = sample_weights(SRVGGNetCompact(num_feat=16, num_conv=2))
    write_pdparams(tmp_path / "net.pdparams", {"params": weights})
    inputs = tmp_path / "in"
    for i, name in enumerate(["a.png", "b.jpg", "deep/c.png"]):
        write_image(inputs / name, picture(20 + i, 32, i))
    made(*pattern(size="48x32", also=YUV420, count=6), *X264)(inputs / "d.mp4")
    with s3_server(monkeypatch, "clips") as (client, _):
        filled = Bucket(client)
        for path in inputs.rglob("*.*"):
            filled.put(path.relative_to(tmp_path).as_posix(), path.read_bytes())
        yield filled


def words(tmp_path: Path, where: str, *more: str) -> list[str]:
    places = ["--input", f"{where}/in", "--output", f"{where}/out"]
    return [*places, "--model_path", f"{tmp_path}/net.pdparams", "-r", *more]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.*")
    }


def test_a_bucket_gives_what_a_folder_gives(tmp_path: Path, bucket: Bucket, capsys):
    assert predict.main(words(tmp_path, str(tmp_path), "--precision", "fp32")) == 0
    expected = contents(tmp_path / "out")
    assert len(expected) == 4
    flags = words(tmp_path, "s3://clips", "--precision", "fp32")
    capsys.readouterr()
    assert predict.main(flags) == 0
    said = capsys.readouterr().out
    assert (
        "s3://clips/in/deep/c.png 32x22 -> s3://clips/out/deep/c_out.png 128x88" in said
    )
    assert "4 of 4 files are in s3://clips/out" in said

    results = bucket.below("out/")
    rows = rows_of(results.pop("upscaled.jsonl"))
    assert results == expected
    assert {row.target for row in rows.values()} == {
        f"s3://clips/out/{n}" for n in results
    }

    # Again: nothing is left to do, but what was deleted, and what has changed.
    assert predict.main(flags) == 0
    assert " -> " not in capsys.readouterr().out
    bucket.client.delete_object(Bucket="clips", Key="out/d_out.mp4")
    bucket.put("in/a.png", (tmp_path / "in/deep/c.png").read_bytes())
    assert predict.main(flags) == 0
    assert capsys.readouterr().out.count(" -> ") == 2
    expected["a_out.png"] = expected["deep/c_out.png"]
    results = bucket.below("out/")
    del results["upscaled.jsonl"]
    assert results == expected


def test_what_fails_is_a_line_and_not_the_end(tmp_path: Path, bucket: Bucket, capsys):
    bucket.put("in/a.png", b"no picture")
    bucket.put("in/d.mp4", b"no video")
    bucket.put("in/b.png", (tmp_path / "in/a.png").read_bytes())
    assert predict.main(words(tmp_path, "s3://clips", "--ext", "png")) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        f"s3://clips/in/{name}" for name in ("a.png", "b.png", "d.mp4")
    ]
    assert "would replace that of s3://clips/in/b.jpg" in lines[1]
    assert f"{gettempdir()}/" not in "".join(lines), "no temporary file is named"
    done = {"b_out.png", "deep/c_out.png", "upscaled.jsonl"}
    assert bucket.below("out/").keys() == done


def test_a_run_that_ends_early_goes_on(
    tmp_path: Path, bucket: Bucket, monkeypatch, capsys
):
    flags = words(tmp_path, "s3://clips")
    put, count = upscale_storage.UpscalingStored._put, []

    def end_at_the_third(self, *args):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        return put(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(upscale_storage.UpscalingStored, "_put", end_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            predict.main(flags)
    assert len(bucket.below("out/")) == 3, "two results and the manifest"
    capsys.readouterr()
    assert predict.main(flags) == 0
    assert capsys.readouterr().out.count(" -> ") == 2
    assert len(bucket.below("out/")) == 5


@pytest.mark.parametrize(
    "sharing",
    [
        ["--processes", "2"],
        pytest.param(["--cluster", "auto"], marks=pytest.mark.slow),
    ],
)
def test_several_give_what_one_gives_and_go_on(
    tmp_path: Path, bucket: Bucket, capsys, sharing: list[str]
):
    flags = words(tmp_path, "s3://clips", "--precision", "fp32", "--ext", "png")
    bucket.put("in/b.png", (tmp_path / "in/a.png").read_bytes())
    assert predict.main(flags) == 1
    expected = bucket.below("out/")
    del expected["upscaled.jsonl"]
    flags[flags.index("s3://clips/out")] = "s3://clips/two"
    capsys.readouterr()
    assert predict.main([*flags, *sharing]) == 1
    replaced = "b.png: its result would replace that of s3://clips/in/b.jpg"
    assert replaced in capsys.readouterr().err
    assert predict.main([*flags, *sharing]) == 1
    said = capsys.readouterr()
    assert " -> " not in said.out
    assert replaced in said.err
    results = bucket.below("two/")
    assert len(rows_of(results.pop("upscaled.jsonl"))) == len(results)
    assert results == expected


def test_a_video_larger_than_the_disk_is_not_fetched(
    tmp_path: Path, bucket: Bucket, monkeypatch, capsys
):
    usage = upscale_storage.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        upscale_storage.shutil, "disk_usage", lambda _: usage._replace(free=0)
    )
    assert predict.main(words(tmp_path, "s3://clips")) == 1
    assert capsys.readouterr().err.count("set TMPDIR to a larger disk") == 4


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("-i s3://clips/in", "give one --input such as .* an --output such"),
        ("-i s3://clips/in s3://clips/more -o s3://clips/out", "give one --input"),
        (
            "-i s3://clips/in -o s3://clips/in",
            "s3://clips/in: the folder of the inputs",
        ),
        (
            "-i s3://clips/in -o s3://clips/out --preview 1",
            "--preview: not for object storage",
        ),
    ],
)
def test_flags_that_do_not_fit_are_one_line(flags: str, message: str):
    with pytest.raises(UserError, match=message):
        predict.main(["--model_path", "net", *flags.split()])


def test_upscale_wants_a_network_for_a_bucket(tmp_path: Path, bucket: Bucket):
    places = ["s3://clips/in", "--output", "s3://clips/out"]
    with pytest.raises(UserError, match="--model_path: name a network"):
        upscale.main(places)
    model = f"{tmp_path}/net.pdparams"
    assert upscale.main([*places, "--model_path", model]) == 0
    assert len(bucket.below("out/")) == 4, "without -r none of the deeper ones"
