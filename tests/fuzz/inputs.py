"""What a case of the campaign works on: mutated files in a place of its own."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import yaml
from child import Conditions, Place
from mutate.clips import mutate_clip
from mutate.graphs import mutate_parameters, mutate_program
from mutate.options import draw_overrides, mutate_yml
from mutate.pictures import mutate_picture
from mutate.weights import mutate_weights
from odd_images import ODD_NAMES
from verdict import LARGEST_PICTURE, decoded_bytes

from realesrgan_paddle.utils.files import sha256_of

SMALL = 1_000_000
"""Decoded bytes of the largest picture that is upscaled or cut: more takes its time."""


@dataclass(frozen=True)
class Case:
    """One case while it is drawn."""

    rng: Random
    place: Place
    samples: Path
    address: str
    """"host:port" that nothing may connect to."""
    conditions: Conditions = field(default_factory=Conditions)

    def sample(self, kind: str) -> Path:
        """Return one of the undamaged files of a kind."""
        return self.rng.choice(sorted((self.samples / kind).iterdir()))

    def put(self, name: str, content: bytes) -> str:
        """Write an input, and return its path as the command line gives it."""
        path = self.place.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return name

    def copy(self, name: str, target: str) -> str:
        """Copy a folder or file of the samples to the inputs."""
        source, path = self.samples / name, self.place.work / target
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, path)
        else:
            shutil.copyfile(source, path)
        return target

    def some(self, *choices: str) -> list[str]:
        """Return the words of one of the choices, or none of them."""
        return self.rng.choice([*choices, ""]).split()


def pictures(case: Case, most: int = 4, *, large: bool = False) -> str:
    """Put a folder of mutated pictures, and now and then something that is none.

    Pictures between `SMALL` and the largest that are read at all only if `large`.
    """
    rng = case.rng
    (case.place.work / "in").mkdir()
    for _ in range(rng.randrange(1, most + 1)):
        sample = case.sample("pictures")
        name = sample.name if rng.random() < 0.8 else rng.choice(ODD_NAMES)
        suffix = rng.choice((".png", ".jpg", ".tif", ".webp", ".bmp", ".gif"))
        if rng.random() < 0.1:
            name = Path(name).stem + suffix
        content = mutate_picture(sample.read_bytes(), rng)
        if large or not SMALL < decoded_bytes(content) <= LARGEST_PICTURE:
            case.put(f"in/{name}", content)
    if rng.random() < 0.05:
        os.mkfifo(case.place.work / "in" / "pipe.png")
    if rng.random() < 0.05:
        (case.place.work / "in" / "zero.png").symlink_to("/dev/zero")
    return "in"


def one_picture(case: Case) -> str:
    """Put an undamaged picture, for commands whose other input is damaged."""
    sample = case.samples / "pictures" / "plain.ppm"
    return case.put("in/a.ppm", sample.read_bytes())


def weights(case: Case) -> str:
    """Put a mutated file of weights."""
    rng = case.rng
    if rng.random() < 0.2:
        pair = case.rng.choice(("srvgg", "rrdb"))
        case.copy(f"ncnn/{pair}", "ncnn")
        damaged = case.place.work / "ncnn" / rng.choice(("net.param", "net.bin"))
        damaged.write_bytes(mutate_weights(damaged.read_bytes(), rng))
        return "ncnn/net.param"
    sample = case.sample("weights")
    name = (
        sample.name if rng.random() < 0.9 else f"net{rng.choice(('.pth', '.h5', ''))}"
    )
    return case.put(name, mutate_weights(sample.read_bytes(), rng))


def graph(case: Case) -> str:
    """Put an exported network with a mutated program, or mutated parameters."""
    case.copy("graph", "graph")
    rng = case.rng
    program, parameters = (
        case.place.work / "graph" / f"inference.{suffix}"
        for suffix in ("pdmodel", "pdiparams")
    )
    if rng.random() < 0.7:
        changed = mutate_program(program.read_bytes(), case.place.canary, rng)
        program.write_bytes(changed)
    else:
        parameters.write_bytes(mutate_parameters(parameters.read_bytes(), rng))
    _change_yml(case.place.work / "graph" / "inference.yml", rng)
    if rng.random() < 0.05:
        program.replace(program.with_suffix(".json"))
    return "graph"


def _change_yml(path: Path, rng: Random) -> None:
    """Remove an inference.yml, or let it agree with the files, mutated or as it is."""
    choice = rng.random()
    if choice < 0.6:  # then Paddle runs what there is
        path.unlink()
        return
    content = yaml.safe_load(path.read_bytes())
    files = content["RealESRGAN"]["files"]
    for name in files:
        files[name] = sha256_of(path.with_name(name))
    mark, _ = path.read_bytes().split(b"\n", 1)
    changed = mark + b"\n" + yaml.safe_dump(content).encode()
    if choice < 0.8:
        changed = mutate_yml(changed, rng)
    path.write_bytes(changed)


def options(case: Case, kind: str) -> tuple[str, list[str]]:
    """Put a mutated option file and return it with overrides."""
    sample = case.sample(kind)
    content = sample.read_bytes()
    overrides = draw_overrides(yaml.safe_load(content), case.rng)
    mutated = mutate_yml(content, case.rng)
    return case.put("options.yml", mutated), overrides


def clip(case: Case) -> str:
    """Put a mutated video."""
    sample = case.sample("clips")
    mutated = mutate_clip(sample.read_bytes(), case.address, case.rng)
    return case.put(sample.name, mutated)


def upscaling(command: str, inputs: str, model: str, words: list[str]) -> list[str]:
    """Return the command that upscales `inputs` with a model."""
    flags = ["--input", inputs, "--output", "out", "--model_path", model]
    return [command, *flags, *words]
