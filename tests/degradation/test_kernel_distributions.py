"""The parameters of blur kernels have the distributions that the options define.

On fixed seeds. A parameter that is added to a kernel fails until it is tested here.
"""

import inspect
from math import pi

import numpy as np
import pytest
from distributions import Distributions, equal

from realesrgan_paddle.data.degradation import kernels
from realesrgan_paddle.options.schema.degradation import BlurOptions, KernelOptions
from realesrgan_paddle.utils.seeds import Stream, generator

SAMPLES = 5000
# All ranges and probabilities differ, so that none can be mistaken for another.
OPTIONS = KernelOptions(
    blur_kernel_size=15,
    kernel_list=(
        "plateau_aniso",
        "iso",
        "generalized_iso",
        "aniso",
        "plateau_iso",
        "generalized_aniso",
    ),
    kernel_prob=(0.1, 0.3, 0.1, 0.2, 0.12, 0.18),
    sinc_prob=0.3,
    blur_sigma=(0.3, 2.7),
    betag_range=(0.4, 3.5),
    betap_range=(0.7, 2.2),
    blur_kernel_size2=17,
    kernel_list2=("aniso", "generalized_aniso", "plateau_iso"),
    kernel_prob2=(0.5, 0.2, 0.3),
    sinc_prob2=0.2,
    blur_sigma2=(0.6, 1.4),
    betag_range2=(0.6, 2.5),
    betap_range2=(0.8, 1.6),
    final_sinc_prob=0.66,
    motion_blur_prob=0.44,
    motion_blur_range=(4, 11),
)
PREFIXES = {
    "gaussian_kernel": "",
    "generalized_gaussian_kernel": "generalized_",
    "plateau_kernel": "plateau_",
}
FUNCTIONS = (*PREFIXES, "sinc_kernel", "motion_kernel")

Call = tuple[str, dict]
"""A kernel function's name and its arguments."""


@pytest.fixture(scope="module")
def calls() -> list[list[Call]]:
    """For each sample, the kernels that were made, in order."""
    recorded: list[list[Call]] = []

    def recorder(name: str):
        signature = inspect.signature(getattr(kernels, name))

        def record(*args, **kwargs):
            arguments = signature.bind(*args, **kwargs).arguments
            recorded[-1].append((name, arguments))
            return np.ones((1, 1))

        return record

    with pytest.MonkeyPatch.context() as patch:
        for name in FUNCTIONS:
            patch.setattr(kernels, name, recorder(name))
        for number in range(SAMPLES):
            recorded.append([])
            kernels.draw_kernels(OPTIONS, generator(5, Stream.SAMPLE, number))
    return recorded


def kind_of(name: str, arguments: dict) -> str:
    """Return the kernel_list entry that a call belongs to."""
    return f"{PREFIXES[name]}{'iso' if arguments['theta'] == 0 else 'aniso'}"


def check_blur(
    found: Distributions, which: str, calls: list[Call], options: BlurOptions
) -> None:
    """Check the kernels of the first or second blur."""
    is_sinc = [name == "sinc_kernel" for name, _ in calls]
    found.event(f"kind {which} sinc", is_sinc, options.sinc_prob)
    kinds = [kind_of(*call) for call in calls if call[0] != "sinc_kernel"]
    expected = dict(zip(options.kernel_list, options.kernel_prob, strict=True))
    found.choice(f"kind {which}", kinds, expected)

    sizes = equal(range(7, options.blur_kernel_size + 1, 2))
    sincs = [arguments for name, arguments in calls if name == "sinc_kernel"]
    found.choice(f"sinc_kernel.size {which}", [a["size"] for a in sincs], sizes)
    small = [a["cutoff"] for a in sincs if a["size"] < 13]
    large = [a["cutoff"] for a in sincs if a["size"] >= 13]
    found.uniform(f"sinc_kernel.cutoff {which} small", small, pi / 3, pi)
    found.uniform(f"sinc_kernel.cutoff {which} large", large, pi / 5, pi)

    for name in PREFIXES:
        made = [arguments for called, arguments in calls if called == name]
        found.choice(f"{name}.size {which}", [a["size"] for a in made], sizes)
        check_shape(found, name, which, made, options)


def check_shape(
    found: Distributions,
    name: str,
    which: str,
    made: list[dict],
    options: BlurOptions,
) -> None:
    """Check the widths, the angle and the exponent of one kind of kernel."""
    sigma_x = [a["sigma_x"] for a in made]
    found.uniform(f"{name}.sigma_x {which}", sigma_x, *options.blur_sigma)

    round_ones = [a for a in made if a["theta"] == 0]
    assert all(a["sigma_x"] == a["sigma_y"] for a in round_ones)
    turned = [a for a in made if a["theta"] != 0]
    if turned:  # the second plateau kernels are all round
        sigma_y = [a["sigma_y"] for a in turned]
        found.uniform(f"{name}.sigma_y {which}", sigma_y, *options.blur_sigma)
        found.uniform(f"{name}.theta {which}", [a["theta"] for a in turned], -pi, pi)

    ranges = {
        "generalized_gaussian_kernel": options.betag_range,
        "plateau_kernel": options.betap_range,
    }
    if name in ranges:
        betas = [a["beta"] for a in made]
        found.around_one(f"{name}.beta {which}", betas, *ranges[name])


def test_all_parameters_of_the_kernels_have_their_distributions(calls):
    found = Distributions()
    check_blur(found, "first", [made[0] for made in calls], OPTIONS.first_blur)
    check_blur(found, "second", [made[1] for made in calls], OPTIONS.second_blur)

    finals = [dict(made[2:]).get("sinc_kernel") for made in calls]
    found.event("final sinc", finals, 0.66)
    sincs = [arguments for arguments in finals if arguments]
    sizes = equal((7, 9, 11, 13, 15, 17))
    found.choice("sinc_kernel.size final", [a["size"] for a in sincs], sizes)
    cutoffs = [a["cutoff"] for a in sincs]
    found.uniform("sinc_kernel.cutoff final", cutoffs, pi / 3, pi)

    motions = [dict(made[2:])["motion_kernel"] for made in calls]
    lengths = [a["length"] for a in motions]
    found.event("motion_kernel.length moves", lengths, 0.44)
    moved = [a for a in motions if a["length"]]
    found.uniform("motion_kernel.length", [a["length"] for a in moved], 4, 11)
    found.uniform("motion_kernel.theta", [a["theta"] for a in moved], 0, pi)
    found.assert_likely()

    assert {a["size"] for a in motions} == {13}, "samples of one size can be stacked"
    parameters = {
        f"{name}.{parameter}"
        for name in FUNCTIONS
        for parameter in inspect.signature(getattr(kernels, name)).parameters
    }
    tested = found.tested - {"kind", "final"} | {"motion_kernel.size"}
    assert tested == parameters, "every parameter is tested"
