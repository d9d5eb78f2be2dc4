"""What went well before, and what changed since: videos, exports, runs, memory."""

import importlib.util
import json

from inputs import Case, clip, one_picture, upscaling
from mutate.anything import mutate_bytes, span
from mutate.pictures import mutate_picture
from mutate.records import mutate_json

FRAMES = ["--output", "out/frames", "--sheet", "out/sheet"]


def infer_clip(case: Case) -> list[str]:
    """A good graph on a damaged video."""
    words = case.some(
        "--start 0.5 --end 1",
        "--bad_frames repeat",
        "--deinterlace field",
        "--codec ffv1 --container mkv",
        "--outscale 1.5 --segment_seconds 0.2",
        "--all_frames --ext png",
    )
    inputs = clip(case)
    if inputs.startswith("real_"):  # they are large, and long
        words = ["--preview_frames", "2"]
    return upscaling("infer", inputs, case.copy("graph", "graph"), words)


def compare_clip(case: Case) -> list[str]:
    """A damaged video, compared."""
    good = case.copy("weights/small.pdparams", "good.pdparams")
    models = ["--models", f"a={good}", f"b={good}", "--output", "out"]
    words = ["--end", case.rng.choice(("0.1", "0.3")), "--measured_frames", "3"]
    source = clip(case)
    if source.startswith("real_"):
        words = ["--end", "0.01", "--measured_frames", "0"]
    return ["compare", "--video", "--input", source, *models, *words]


def resumed_clip(case: Case) -> list[str]:
    """A video whose segments, notes or source were changed since the run that is resumed."""
    rng, out = case.rng, case.place.out
    source = case.place.work / case.copy("parts/moving.mp4", "moving.mp4")
    case.copy("parts/result.mkv.parts", "out/result.mkv.parts")
    parts = out / "result.mkv.parts"
    segments = sorted(parts.glob("*.nut"))
    one, other = rng.sample(segments, 2)
    case.conditions.video = out / "result.mkv", case.samples / "parts" / "result.mkv"

    choice = rng.randrange(6)
    if choice == 0:
        one.write_bytes(mutate_bytes(one.read_bytes(), rng))
    elif choice == 1:
        swapped = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(swapped)
    elif choice == 2:
        one.unlink()
    elif choice == 3:
        notes = parts / "rows.jsonl"
        notes.write_bytes(mutate_bytes(notes.read_bytes(), rng))
    elif choice == 4:
        job = parts / "job.json"
        changed = mutate_json(json.loads(job.read_bytes()), rng)
        job.write_text(json.dumps(changed))
        case.conditions.video = None  # what is decided, such as tiles, may be another
    else:
        content = bytearray(source.read_bytes())
        content[len(content) // 2] ^= 1 << rng.randrange(8)
        source.write_bytes(content)
        case.conditions.must_fail = True
    words = ["--segment_seconds", "0.4", "--output", "out/result.mkv"]
    graph = case.copy("graph", "graph")
    return ["infer", "--input", "moving.mp4", "--model_path", graph, *words]


def changed_export(case: Case) -> list[str]:
    """An exported network whose weights are zero in part, or with another's files."""
    rng, folder = case.rng, case.place.work / case.copy("graph", "graph")
    words = [] if rng.random() < 0.7 else ["--engine", "paddle"]
    case.conditions.must_fail = True
    choice = rng.random()
    if choice < 0.5:
        weights = folder / "inference.pdiparams"
        content = bytearray(weights.read_bytes())
        part = span(len(content), rng)
        content[part] = bytes(len(content[part]))
        case.conditions.must_fail = content != weights.read_bytes()
        weights.write_bytes(content)
    elif choice < 0.7 and importlib.util.find_spec("onnxruntime"):
        case.copy("other_graph/inference.onnx", "graph/inference.onnx")
        words = ["--engine", "onnxruntime"]
    else:
        name = rng.choice(("inference.pdiparams", "inference.pdmodel"))
        case.copy(f"other_graph/{name}", f"graph/{name}")
    return upscaling("infer", one_picture(case), "graph", words)


def changed_set(case: Case) -> list[str]:
    """A run with held-out images is resumed on another set than before."""
    case.copy("hr", "hr")
    case.copy("held", "out/held")
    files = sorted((case.place.work / "hr").iterdir())
    case.rng.shuffle(files)
    for path in files[: case.rng.randrange(len(files) + 1)]:
        choice = case.rng.randrange(3)
        if choice == 0:
            path.write_bytes(mutate_picture(path.read_bytes(), case.rng))
        elif choice == 1:
            path.rename(path.with_name(f"z{path.name}"))
        else:
            path.unlink()
    words = ["path.experiments_root=out", "--auto_resume", "train.total_iter=3"]
    yml = case.copy("options/held.yml", "options.yml")
    return ["train", "--yml_path", yml, *words]


def little_memory(case: Case) -> list[str]:
    """Good files under a low `ulimit -v`."""
    spare = case.rng.choice((10, 40, 120, 300, 700, 1500, 3000))
    case.conditions.addresses = spare << 20
    net = case.copy("weights/small.pdparams", "net.pdparams")
    graph, picture = case.copy("graph", "graph"), one_picture(case)
    video = case.copy("clips/moving.mp4", "moving.mp4")
    case.copy("hr", "hr")
    yml = case.copy("options/gan.yml", "options.yml")
    commands = [
        upscaling("infer", picture, graph, case.some("--engine paddle")),
        upscaling("infer", video, graph, ["--end", "0.5"]),
        upscaling("predict", "hr", net, []),
        ["train", "--yml_path", yml, "path.experiments_root=out", "train.total_iter=1"],
        ["extract_keyframes", "--input", video, *FRAMES],
        ["extract_subimages", "--input", "hr", "--output", "out", "--crop_size", "32"],
        ["convert_torch", "--input", net, "--output", "out/net.safetensors"],
        ["export_model", "--model_dir", net, "--save_inference_dir", "out"],
    ]
    return case.rng.choice(commands)
