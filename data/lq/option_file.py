"""Write what was solved for: an option file with its evidence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from realesrgan_paddle.data.lq.solution import FoundParameter
from realesrgan_paddle.data.lq.solve import Solved
from realesrgan_paddle.options.schema.degradation import KernelOptions, LQConfig
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.files import atomic_path

EXPLAINED_BY: Mapping[str, str] = {
    "blur_sigma": "blur",
    "blur_aspect": "anisotropy",
    "motion_blur_range": "motion",
    "resize_modes2": "scaler",
    "noise_range2": "noise",
    "poisson_scale_range2": "noise",
    "grain_size2": "grain",
    "gaussian_noise_prob2": "noise kind",
    "gray_noise_prob2": "noise color",
    "halo_range": "halo",
    "halo_sigma": "halo width",
    "interlace_list": "fields",
    "final_sinc_prob": "last filter",
    "codec_list": "codec",
    "jpeg_prob2": "codec",
    "jpeg_range2": "quality",
    "h264_crf": "quality",
    "hevc_crf": "quality",
    "mpeg2_qscale": "quality",
    "vp9_crf": "quality",
    "jpeg_chroma_upsampling": "chroma",
    "chroma_422_prob": "chroma",
    "jpeg_range": "first JPEG",
}
"""The parameter that an option comes from."""
TRAINING = """
network_g: {network}
{start}
train:
  total_iter: 2400
  ema_decay: 0.998
  optim_g: {{lr: 2e-4, grad_clip: 1.0}}
  scheduler: {{type: CosineAnnealingLR, T_max: 2400, eta_min: 2e-5}}
  pixel_opt: {{type: L1Loss}}
  lpips_opt: {{loss_weight: 0.1}}
{grid}
val: {{val_freq: 400}}

logger:
  print_freq: 50
  save_checkpoint_freq: 400
"""
"""The rest of the file: that of options/finetune_cpu.yml."""
GRID = "  grid_opt: {loss_weight: 1.0}\n"
"""For scale 4 alone: with the networks of the others it was not measured."""
START = "\npath:\n  pretrain_network_g: {name}\n"
NETWORKS: Mapping[int, tuple[str, str]] = {
    4: (
        "{type: SRVGGNetCompact, num_conv: 32}",
        START.format(name="realesr-general-x4v3"),
    ),
    2: ("{type: RRDBNet, scale: 2}", START.format(name="RealESRGAN_x2plus")),
    1: ("{type: SRVGGNetCompact, num_conv: 16, upscale: 1}", ""),
}
"""The network for each scale, and its start weights; none is released for 1."""


def write_options(solved: Solved, options: LQConfig, real: Path, path: Path) -> None:
    """Write an option file that train.py and make_lq_data.py take.

    Each line of the degradation says the value, its interval and the evidence.

    Args:
        solved: what to write.
        options: the ground truth and the scale.
        real: the real images, for the first line.
        path: the yml file.
    """
    found = {finding.name: finding for finding in solved.findings}
    kernels = KernelOptions.model_fields
    top: list[str] = []
    inner: list[str] = []
    for key, value in solved.options.items():
        line = _line(key, value, found.get(EXPLAINED_BY.get(key, "")))
        (inner if key in kernels else top).append(line)

    network, start = NETWORKS[options.scale]
    lines = [
        f"# The degradation of {printable(str(real))}, solved for by make_lq_data.py.",
        *(f"# {printable(note)}" for note in solved.notes),
        *(f"# warning: {printable(warning)}" for warning in solved.warnings),
        *_distances(solved),
        f"name: {_plain('finetune_' + real.stem)}",
        "model_type: RealESRNetModel",
        f"scale: {options.scale}",
        f"manual_seed: {options.manual_seed}",
        "",
        *top,
        "",
        "gt_size: 160",
        "queue_size: 60",
        "",
        "datasets:",
        "  train:",
        "    type: RealESRGANDataset",
        *_images(options),
        "    batch_size_per_gpu: 6",
        "    num_worker_per_gpu: 1",
        *(f"    {line}" for line in inner),
    ]
    grid = GRID if options.scale == 4 else ""
    training = TRAINING.format(network=network, start=start, grid=grid)
    text = "\n".join(lines) + "\n" + training
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")


def _line(key: str, value: Any, finding: FoundParameter | None) -> str:
    line = f"{key}: {_inline(value)}"
    if finding is None:
        return line
    return f"{line}  # {finding.value}; {finding.interval}; {finding.evidence}"


def _images(options: LQConfig) -> list[str]:
    lines = [f"    dataroot_gt: {_inline(options.dataroot_gt)}"]
    if options.meta_info is not None:
        lines.append(f"    meta_info: {_inline(options.meta_info)}")
    return lines


def _distances(solved: Solved) -> list[str]:
    lines = ["# distance: before, after (between halves of the real images)"]
    for group, after in solved.after.items():
        before = solved.before[group]
        null = solved.null[group]
        lines.append(f"#   {group}: {before:.2f}, {after:.2f} ({null:.2f})")
    return lines


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _inline(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()
