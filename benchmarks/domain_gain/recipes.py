"""What may be done otherwise in a finetune: one thing each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.domain_gain.domains import Domain
from benchmarks.domain_gain.finetune import BASE, ROOT

MEASURED = ("soccer", "drone", "dashcam")
"""Domains that recipes are tried on unless they say otherwise."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """How a finetune differs from that of `options/finetune_cpu.yml`."""

    name: str
    domains: Sequence[str] = MEASURED
    """Where it is tried; "generic" is the placebo."""
    length: float = 1
    """Iterations, as a multiple of the plain finetune's."""
    frames: int | None = None
    """Train on so many frames, evenly spaced; None: on all."""
    clips: int | None = None
    """Train on the first so many clips; None: on all."""
    keys: Mapping[str, Any] = field(default_factory=dict)
    """Other values of the option file."""
    base: Path = BASE
    """The option file."""
    goes_on: bool = False
    """Starts from what the plain finetune made, not from the released weights."""

    def images(self, names: Sequence[str], domain: Domain) -> list[str]:
        """Return those of a domain's sub-images, named FRAME_..., to train on."""
        stems = [path.stem for path in domain.train]
        if self.clips is not None:
            # A file is named CLIP_...
            clips = list(dict.fromkeys(stem.partition("_")[0] for stem in stems))
            known = clips[: self.clips]
            stems = [stem for stem in stems if stem.partition("_")[0] in known]
        if self.frames is not None:
            places = range(self.frames)
            stems = [stems[place * len(stems) // self.frames] for place in places]
        return [name for name in names if name.rpartition("_")[0] in stems]


def _lpips(weight: float) -> dict[str, Any]:
    return {"train": {"lpips_opt": {"loss_weight": weight}}}


def _grid(weight: float) -> dict[str, Any]:
    return {"train": {"grid_opt": {"loss_weight": weight}}}


def _rate(rate: float) -> dict[str, Any]:
    scheduler = {"eta_min": rate / 10}
    return {"train": {"optim_g": {"lr": rate}, "scheduler": scheduler}}


def _ema(decay: float) -> dict[str, Any]:
    return {"train": {"ema_decay": decay}}


def _candidates(count: int) -> dict[str, Any]:
    return {"datasets": {"train": {"crop_candidates": count}}}


CURVE = {"logger": {"save_checkpoint_freq": 1200, "keep_checkpoints": 20}}
"""Checkpoints that `benchmarks.domain_gain.curve` judges."""
GRID_WEIGHTS = (0, 0.5, 1, 2, 4)
GRIDDED = ("soccer", "film", "street", "anime")
CANDIDATES = (1, 4, 16)
DECAYS = (0.9, 0.99)
EVERYWHERE = ("soccer", "street", "film", "anime", "drone", "dashcam")
PLAIN = Recipe("")
LONG = Recipe(
    "3 x as long", domains=("soccer", "drone", "dashcam", "generic"), length=3
)
GAN = ROOT / "options" / "finetune_cpu_gan.yml"
RECIPES = (
    Recipe("GAN", (*MEASURED, "film"), length=0.6, base=GAN, goes_on=True),
    Recipe("LPIPS x 3", keys=_lpips(0.3)),
    LONG,
    Recipe("8 frames", frames=8),
    Recipe("twice the rate", keys=_rate(4e-4)),
    Recipe("half the rate", keys=_rate(1e-4)),
    Recipe("no LPIPS", keys=_lpips(0)),
    Recipe("quarter as long", length=0.25),
    Recipe("24 frames", domains=("soccer",), frames=24),
    Recipe("1 clip", domains=("soccer",), clips=1),
    Recipe("1 clip, 8 frames", domains=("soccer",), clips=1, frames=8),
    Recipe("1 clip, 2 frames", domains=("soccer",), clips=1, frames=2),
    Recipe("2 clips", domains=("soccer",), clips=2),
    Recipe("2 clips, 8 frames", domains=("soccer",), clips=2, frames=8),
    Recipe("3 clips, 10 frames", domains=("soccer",), clips=3, frames=10),
    Recipe(
        "GAN, grid loss 2",
        (*MEASURED, "film"),
        length=0.6,
        base=GAN,
        goes_on=True,
        keys=_grid(2),
    ),
    Recipe("4 x as long", domains=("soccer",), length=4, keys=CURVE),
    *(
        Recipe(
            f"GAN, {times:g} x as long",
            domains=("soccer",),
            length=times,
            keys=CURVE,
            base=GAN,
            goes_on=True,
        )
        for times in (0.125, 1.5, 3)
    ),
    *(Recipe(f"grid loss {w:g}", GRIDDED, keys=_grid(w)) for w in GRID_WEIGHTS),
    *(Recipe(f"{n} candidates", EVERYWHERE, keys=_candidates(n)) for n in CANDIDATES),
    *(Recipe(f"EMA {d:g}", keys=_ema(d)) for d in DECAYS),
)
"""The most telling first."""
