"""The finetunes that are compared: on which images, and with which degradation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmarks.domain_gain.finetune import ROOT
from benchmarks.domain_gain.recipes import LONG, PLAIN, RECIPES, Recipe

DOMAINS = ("soccer", "drone", "dashcam", "drone_back", "film", "street", "anime")
RELEASED, SMALLEST = "realesr-general-x4v3", "realesr-animevideov3"
LARGE = "RealESRGAN_x4plus"
"""Released networks that are judged beside; the large one has 14 times the parameters of
the first, of which finetunes start."""
GENERIC, GENERAL = "generic", "general"
"""What the placebo trains on; what a network may forget."""
PLACEBO, DOMAIN, MIXED = "placebo", "domain", "mixed"
HALF = "half generic"
"""Trains on the domain and the generic images, about half of each."""
FITTED = "fitted H.264"
"""Its degradation is solved for from the H.264 inputs at CRF 28."""
ORACLES = ("oracle H.264", "oracle MPEG-2")
"""They know the true degradation of an input that is no synthetic one."""
OPTIONS = Path(__file__).parent / "options"
LATER = {
    ORACLES[0]: OPTIONS / "h264.yml",
    FITTED: None,
    MIXED: OPTIONS / "mixed.yml",
    ORACLES[1]: OPTIONS / "mpeg2.yml",
}
"""Arms with other degradations: their option files."""
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
    recipe: Recipe = PLAIN

    @property
    def name(self) -> str:
        """How it is called in records and folders."""
        name = f"{self.kind}, {self.images}, seed {self.seed}"
        return f"{name}, {self.recipe.name}" if self.recipe is not PLAIN else name

    def judged_on(self, domains: Sequence[str]) -> tuple[str, ...]:
        """Return the kinds of images that it is judged on."""
        own = domains if self.images == GENERIC else (self.images,)
        return (*own, GENERAL)


def all_arms(seeds: Sequence[int], domains: Sequence[str] = DOMAINS) -> Iterator[Arm]:
    """Yield the arms, the most telling first, so that a part of them says something."""
    for seed in seeds:
        yield Arm(PLACEBO, GENERIC, seed, MILD)
        for domain in domains:
            yield Arm(DOMAIN, domain, seed, MILD)
    for kind, yml in LATER.items():
        for seed, domain in product(seeds, domains):
            yield Arm(kind, domain, seed, yml)
    for seed, recipe in product(seeds, RECIPES):
        for images in recipe.domains:
            if images in (*domains, GENERIC):
                kind = PLACEBO if images == GENERIC else DOMAIN
                yield Arm(kind, images, seed, MILD, recipe)
    for seed, domain in product(seeds, domains):
        yield Arm(HALF, domain, seed, MILD, LONG)
