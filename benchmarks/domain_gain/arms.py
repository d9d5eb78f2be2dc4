"""The finetunes that are compared: on which images, and with which degradation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.domain_gain.finetune import ROOT

DOMAINS = ("soccer", "drone", "dashcam", "drone_back", "film")
RELEASED, SMALLEST = "realesr-general-x4v3", "realesr-animevideov3"
LARGE = "RealESRGAN_x4plus"
"""Released networks that are judged beside; the large one has 14 times the parameters of
the first, of which finetunes start."""
GENERIC, GENERAL = "generic", "general"
"""What the placebo trains on; what a network may forget."""
PLACEBO, DOMAIN, MIXED = "placebo", "domain", "mixed"
ORACLES = {"oracle H.264": "h264.yml", "oracle MPEG-2": "mpeg2.yml"}
"""They know the true degradation of an input that is no synthetic one."""
FITTED = "fitted H.264"
"""Its degradation is solved for from the H.264 inputs at CRF 28."""
MILD = ROOT / "options" / "finetune_cpu.yml"


@dataclass(frozen=True)
class Arm:
    """One finetune."""

    kind: str
    images: str
    """The domain that it trains on."""
    seed: int
    yml: Path | None
    """Its degradation; None: it is solved for."""

    @property
    def name(self) -> str:
        """How it is called in records and folders."""
        return f"{self.kind}, {self.images}, seed {self.seed}"

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that it is judged on."""
        own = DOMAINS if self.images == GENERIC else (self.images,)
        return (*own, GENERAL)


def all_arms(seeds: Sequence[int]) -> Iterator[Arm]:
    """Yield the arms, the most telling first, so that a part of them says something."""
    here = Path(__file__).parent / "options"
    for seed in seeds:
        yield Arm(PLACEBO, GENERIC, seed, MILD)
        for domain in DOMAINS:
            yield Arm(DOMAIN, domain, seed, MILD)
    for seed in seeds:
        for domain in DOMAINS:
            yield Arm("oracle H.264", domain, seed, here / ORACLES["oracle H.264"])
        for domain in DOMAINS:
            yield Arm(FITTED, domain, seed, None)
    for seed in seeds:
        for domain in DOMAINS:
            yield Arm(MIXED, domain, seed, here / "mixed.yml")
        for domain in DOMAINS:
            yield Arm("oracle MPEG-2", domain, seed, here / ORACLES["oracle MPEG-2"])
