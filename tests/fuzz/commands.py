"""What the campaign runs: command lines on mutated files, each drawn from a number."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

from child import Conditions, Place
from inputs import Case, clip, graph, one_picture, options, pictures, upscaling, weights
from mutate.anything import mutate_bytes
from mutate.options import mutate_list, mutate_yml
from mutate.records import mutate_lines
from mutate.states import mutate_state
from odd_images import ODD_NAMES
from unlucky import (
    changed_export,
    changed_set,
    compare_clip,
    infer_clip,
    little_memory,
    resumed_clip,
)

Draw = Callable[[Case], list[str]]


def infer_graph(case: Case) -> list[str]:
    """A damaged graph on a good picture."""
    words = case.some("--tile 8", "--outscale 3.5", "--threads 1", "--pre_pad 10")
    folder = graph(case)
    inputs = one_picture(case)
    return upscaling("infer", inputs, folder, words)


def infer_pictures(case: Case) -> list[str]:
    """A good graph on damaged pictures."""
    words = case.some(
        "--tile 16",
        "--ext png",
        "--ext jpg",
        "--suffix=",
        "--outscale 1",
        "--all_frames",
        "--recursive --report out/report.json",
    )
    folder = case.copy("graph", "graph")
    inputs = pictures(case, 2)
    return upscaling("infer", inputs, folder, words)


def predict(case: Case) -> list[str]:
    """Damaged weights on a good picture."""
    words = case.some("--tile 8", "--block 6", "--outscale 0.1")
    file = weights(case)
    inputs = one_picture(case)
    return upscaling("predict", inputs, file, words)


def convert(case: Case) -> list[str]:
    """Damaged weights to another format."""
    suffix = case.rng.choice(("pdparams", "safetensors", "pth"))
    words = case.some("--layout ppgan", "--to torch", "--overwrite")
    return [
        "convert_torch",
        "--input",
        weights(case),
        "--output",
        f"out/net.{suffix}",
        *words,
    ]


def export(case: Case) -> list[str]:
    """Damaged weights to a graph."""
    return ["export_model", "--model_dir", weights(case), "--save_inference_dir", "out"]


def training(case: Case) -> list[str]:
    """A damaged option file, on good images."""
    case.copy("hr", "hr")
    file, overrides = options(case, "options")
    overrides += ["train.total_iter=1", "path.experiments_root=out"]
    words = case.some("--dry_run", "--debug")
    return ["train", "--yml_path", file, *words, *overrides]


def reading_options(case: Case) -> list[str]:
    """A damaged version of the project's own option files, which name released weights."""
    file, overrides = options(case, "shipped")
    return ["train", "--yml_path", file, "--dry_run", *overrides]


def training_list(case: Case) -> list[str]:
    """A damaged meta-info file, or damaged images, with good options."""
    case.copy("options/plain.yml", "options.yml")
    case.copy("hr", "hr")
    words = ["train.total_iter=1", "path.experiments_root=out"]
    if case.rng.random() < 0.5:
        content = (case.samples / "meta_info.txt").read_bytes()
        case.put("meta_info.txt", mutate_list(content, case.rng))
        words.append("datasets.train.meta_info=meta_info.txt")
    else:
        words.append(f"datasets.train.dataroot_gt={pictures(case, large=True)}")
    command = case.rng.choice((["train"], ["preflight"]))
    return [*command, "--yml_path", "options.yml", *words]


def resumed_training(case: Case) -> list[str]:
    """A damaged state, weights or record of a run that is resumed."""
    case.copy("options/gan.yml", "options.yml")
    case.copy("hr", "hr")
    case.copy("run", "out/tiny")
    state = case.place.out / "tiny" / "training_states" / "2.state"
    state.write_bytes(mutate_state(state, case.rng))
    if case.rng.random() < 0.2:
        metrics = case.place.out / "tiny" / "metrics.jsonl"
        metrics.write_bytes(mutate_lines(metrics.read_bytes(), case.rng))
    if case.rng.random() < 0.1:
        config = case.place.out / "tiny" / "config.yml"
        config.write_bytes(mutate_yml(config.read_bytes(), case.rng))
    words = ["train.total_iter=3", "path.experiments_root=out"]
    return ["train", "--yml_path", "options.yml", "--auto_resume", *words]


def low_quality(case: Case) -> list[str]:
    """A damaged option file, or damaged pictures, for make_lq_data."""
    words = case.some("--preview out/sheet.png", "--seed 3", "--fit hr")
    case.copy("hr", "hr")
    if case.rng.random() < 0.5:
        file, overrides = options(case, "shipped")
        words += ["--input", "hr", *overrides]
    else:
        file = case.copy("shipped/generate_lq_data.yml", "options.yml")
        words += ["--input", pictures(case)]
    return ["make_lq_data", "--yml_path", file, "--save_dir", "out", *words]


def preflight(case: Case) -> list[str]:
    """Damaged pictures, looked at."""
    words = case.some("--check", "--check", "--min_size 64")
    return ["preflight", "--input", pictures(case, large=True), *words]


def sub_images(case: Case) -> list[str]:
    """Damaged pictures, cut or downscaled."""
    inputs = ["--input", pictures(case), "--output", "out"]
    if case.rng.random() < 0.5:
        return ["generate_multiscale", *inputs]
    words = case.some("--min_detail 0.05", "--thresh_size 9", "--compression_level 9")
    return ["extract_subimages", *inputs, "--crop_size", "32", "--step", "24", *words]


def lists(case: Case) -> list[str]:
    """Damaged pictures, listed."""
    folder, target = pictures(case, large=True), ["--meta_info", "out/meta.txt"]
    if case.rng.random() < 0.5:
        return [
            "generate_meta_info",
            "--input",
            folder,
            "--root",
            ".",
            "--check",
            *target,
        ]
    return ["generate_meta_info_pairdata", "--input", folder, folder, *target]


def key_frames(case: Case) -> list[str]:
    """A damaged video."""
    words = case.some("--select interval", "--max_gigabytes 0.001")
    output = ["--output", "out/frames", "--sheet", "out/sheet"]
    return ["extract_keyframes", "--input", clip(case), *output, *words]


def domain_set(case: Case) -> list[str]:
    """A set from a damaged video, or from damaged pictures."""
    source = clip(case) if case.rng.random() < 0.5 else pictures(case)
    words = ["--crop_size", "32", "--step", "32"]
    return ["build_domain_set", "--input", source, "--output", "out", *words]


def comparison(case: Case) -> list[str]:
    """Damaged weights, a damaged graph or damaged pictures, compared."""
    good = case.copy("weights/small.pdparams", "good.pdparams")
    choice = case.rng.random()
    other, inputs = good, "in"
    if choice < 0.3:
        other, inputs = weights(case), one_picture(case)
    elif choice < 0.6:
        other, inputs = graph(case), one_picture(case)
    else:
        pictures(case, 2)
    words = case.some("--tile 16", "--crop 0,0,9,9", "--crop_size 9")
    models = ["--models", f"a={good}", f"b={other}"]
    return ["compare", "--input", inputs, *models, "--output", "out", *words]


def evaluation(case: Case) -> list[str]:
    """Damaged weights, a damaged graph or damaged pictures, measured."""
    good = case.copy("weights/small.pdparams", "good.pdparams")
    choice = case.rng.random()
    if choice < 0.3:
        good, gt = weights(case), one_picture(case)
    elif choice < 0.5:
        good, gt = graph(case), one_picture(case)
    else:
        gt = pictures(case, 3)
    given = ["--input", gt] if case.rng.random() < 0.3 else ["--degrade", "bicubic"]
    words = case.some("--size 9", "--crop_border 1", "--scale 3", "--json out/f.json")
    return ["evaluate", "--models", "bicubic", f"a={good}", "--gt", gt, *given, *words]


def plot(case: Case) -> list[str]:
    """A damaged metrics file."""
    case.copy("run", "run")
    metrics = case.place.work / "run" / "metrics.jsonl"
    metrics.write_bytes(mutate_lines(metrics.read_bytes(), case.rng))
    return ["plot_run", "--input", "run", "--output", "out/curves.png"]


def odd_output(case: Case) -> list[str]:
    """Pictures whose results go where none can."""
    words = infer_pictures(case)
    odd = ["x.mp4", "a.gif", "new/../a.png", "a.png/b", "x" * 300, *ODD_NAMES]
    words[words.index("out")] = f"out/{case.rng.choice(odd)}"
    return words


def odd_flags(case: Case) -> list[str]:
    """Good files and damaged flags."""
    draw = case.rng.choice((predict, infer_pictures, sub_images, preflight, comparison))
    words = draw(case)
    inputs = [i for i, word in enumerate(words) if i and "out" not in word]
    index = case.rng.choice(inputs)
    odd = mutate_bytes(words[index].encode(), case.rng)
    values = ["-1", "nan", "1e999", "9" * 400, "", "\x1b[2J", os.fsdecode(odd)]
    words[index] = case.rng.choice(values).replace("\0", "")
    return words


DRAWS: dict[Draw, int] = {
    infer_graph: 18,
    infer_pictures: 8,
    predict: 8,
    convert: 16,
    export: 2,
    training: 7,
    reading_options: 4,
    training_list: 4,
    resumed_training: 6,
    low_quality: 6,
    preflight: 8,
    sub_images: 5,
    lists: 3,
    key_frames: 8,
    domain_set: 4,
    comparison: 3,
    evaluation: 3,
    plot: 3,
    infer_clip: 10,
    compare_clip: 3,
    resumed_clip: 4,
    changed_export: 4,
    changed_set: 3,
    little_memory: 8,
    odd_output: 3,
    odd_flags: 4,
}
"""What is run, and how often."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PLANTED = [".ses", "graph", "openvino", "paddle", "matplotlib", "tmp", "a_out.png"]
"""Names in TMPDIR that another user of the machine may link to a file of this one."""

COMMANDS = ["train", "make_lq_data", "infer", "predict", "convert_torch"]
COMMANDS += ["export_model", "preflight", "extract_subimages", "generate_multiscale"]
COMMANDS += ["generate_meta_info", "generate_meta_info_pairdata", "extract_keyframes"]
COMMANDS += ["build_domain_set", "compare", "evaluate", "plot_run"]


def draw_case(
    number: int, place: Place, samples: Path, address: str
) -> tuple[list[str], Conditions]:
    """Put the files of case `number` into its place; return command line and conditions."""
    rng = Random(number)
    case = Case(rng, place, samples, address)
    (draw,) = rng.choices(list(DRAWS), weights=list(DRAWS.values()))
    words = draw(case)
    _make_unlucky(case)
    return words, case.conditions


def _make_unlucky(case: Case) -> None:
    """Now and then: end the command early, forbid HOME, plant links in TMPDIR."""
    rng, choice = case.rng, case.rng.random()
    if case.conditions != Conditions():
        return  # one thing at a time, so that it is known what a run must come to
    if choice < 0.1:
        case.conditions.signal = rng.choice(ENDING)
        case.conditions.after = rng.random() * rng.choice((0.5, 5))
    elif choice < 0.15:
        case.place.home.chmod(0o555)
    elif choice < 0.2:
        for name in PLANTED:
            (case.place.tmp / name).symlink_to(case.place.canary)
