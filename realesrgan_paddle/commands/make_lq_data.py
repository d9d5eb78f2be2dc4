"""Write a low-quality PNG for each image of a folder, with the degradation of training.

    degrade datasets/HR --output datasets/LQ --yml_path generate_lq_broadcast
    degrade --hr datasets/HR --fit stream.mp4 --write my_degradation.yml

All random values depend on the seed and on the file's name: the same file is always
degraded in the same way.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realesrgan_paddle.commands.shared_degrading import write_shared_lq_folder
from realesrgan_paddle.commands.shared_work import Sharing
from realesrgan_paddle.commands.what_follows import after_pairs
from realesrgan_paddle.options.reading.read_yaml import SHIPPED
from realesrgan_paddle.utils.cli import (
    float_range,
    int_range,
    parse_flags,
    say,
    setting,
)
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.files import check_target
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.machine.devices import start_paddle
from realesrgan_paddle.utils.next_steps import next_line, print_next

DEFAULTS = SHIPPED / "generate_lq_data.yml"
"""Option file without --yml_path: its degradation is what --write compares with."""

if TYPE_CHECKING:
    from realesrgan_paddle.options.schema.degradation import LQConfig


@dataclass(frozen=True, kw_only=True)
class Flags:
    """The flags of this command."""

    yml_path: str | None = setting(
        None,
        "option file, of a training too, or the name of one that comes with the project: "
        "generate_lq_data, generate_lq_broadcast ...",
        metavar="FILE",
    )
    save_dir: Path | None = setting(
        None,
        "folder for the low-quality images",
        also=["--output"],
        metavar="DIR",
    )
    preview: Path | None = setting(
        None,
        "write a sheet of some images before and after degradation",
        metavar="FILE.png",
    )
    fit: Path | None = setting(
        None,
        "compare the degraded images with real low-quality ones: a folder of images or "
        "videos, an image or a video",
        metavar="REAL",
    )
    write: Path | None = setting(
        None,
        "search the degradation that makes --hr look like --fit, and write it as an "
        "option file for train.py and make_lq_data.py",
        metavar="FILE.yml",
    )
    hr: str | None = setting(
        None,
        "with --write: the ground truth; by default that of --yml_path",
        metavar="HR",
    )
    minutes: float | None = setting(
        None,
        "with --write: about how long to search at most; by default as long as it takes, "
        "some minutes",
        float_range(0.5),
    )
    fit_report: Path | None = setting(
        None,
        "write the sheet of real windows beside synthetic ones of --fit, and its table",
        metavar="FILE.png",
    )
    input: str | None = setting(
        None,
        "degrade all images in DIR instead of those the options name",
        metavar="DIR",
    )
    seed: int | None = setting(
        None, "seed of all random values, instead of manual_seed", int_range(0)
    )
    overwrite: bool = setting(False, "replace low-quality images that exist")
    meta_info: Path | None = setting(
        None, 'also write the pairs to FILE, one line "gt, lq" each', metavar="FILE"
    )
    sharing: Sharing
    words: list[str] = setting(
        [],
        "a folder, as --input; an option that replaces the file's",
        positional=True,
        nargs="*",
        metavar="DIR|a.b=c",
    )

    @property
    def overrides(self) -> list[str]:
        """The words that give an option a value."""
        return [word for word in self.words if "=" in word]

    @property
    def folders(self) -> list[str]:
        """The folders whose images are degraded: at most one."""
        given = [self.input] if self.input else []
        return given + [word for word in self.words if "=" not in word]

    def __post_init__(self) -> None:
        """Refuse flags that do not go together, and too few of them."""
        if problem := self._problem():
            raise argparse.ArgumentTypeError(problem)

    def _problem(self) -> str:
        if len(self.folders) > 1:
            return f"one folder is expected, not {len(self.folders)}"
        if self.write and not self.fit:
            return "--write FILE.yml writes what --fit REAL finds; give both"
        if self.write and self.save_dir:
            return (
                "--write comes first; then degrade with what it wrote: --yml_path "
                "FILE.yml --save_dir DIR"
            )
        if self.minutes is not None and not self.write:
            return (
                "--minutes limits the search of --fit REAL --write FILE.yml; give both"
            )
        if self.hr and not self.write:
            return "--hr goes with --fit and --write; otherwise: --input"
        if self.yml_path is None and not (self.write and self.hr):
            return (
                "--yml_path FILE is needed; only --fit REAL --hr HR --write FILE.yml "
                "works without it"
            )
        only_looks = (self.preview or self.fit) and not self.meta_info
        if self.save_dir is None and not only_looks:
            return (
                "--save_dir DIR, the folder for the low-quality images, is needed; only "
                "--preview and --fit work without it"
            )
        if self.sharing and not self.save_dir:
            return "--processes and --cluster share what --save_dir DIR asks for"
        if self.fit_report and not self.fit:
            return "--fit_report FILE.png shows the comparison of --fit; give both"
        return ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 1 if an image failed."""
    flags = parse_flags(Flags, __doc__, argv)
    for path in (flags.meta_info, flags.fit_report, flags.write):
        if path is not None:
            check_target(path)

    # Everything that loads Paddle is imported after this, here and below.
    start_paddle()
    options = _read_options(flags)

    failures: list[str] = []
    if flags.preview:
        _preview(options, flags.preview)
    if flags.fit and flags.write:
        seconds = 60 * flags.minutes if flags.minutes else math.inf
        failures += _solve(options, flags.fit, flags.write, flags.fit_report, seconds)
    elif flags.fit:
        failures += _compare(options, flags.fit, flags.fit_report)
    if flags.save_dir:
        failures += _write(options, flags.save_dir, flags)

    print_next(_what_follows(flags, options))
    distinct = list(dict.fromkeys(failures))  # --fit and --save_dir may name the same
    return report_failures(distinct)


def _read_options(flags: Flags) -> "LQConfig":
    """Return the options of the yml file, with those that flags replace."""
    from realesrgan_paddle.data.lq.folder import read_lq_options

    overrides = list(flags.overrides)
    if flags.seed is not None:
        overrides.append(f"manual_seed={flags.seed}")
    options = read_lq_options(flags.yml_path or DEFAULTS, overrides)
    for key, reason in options.ignored.items():
        sys.stderr.write(f"option {printable(key)} is ignored: {reason}\n")

    root = next(iter(flags.folders), flags.hr)
    if root is None:
        return options
    return options.model_copy(update={"dataroot_gt": root, "meta_info": None})


def _preview(options: "LQConfig", sheet: Path) -> None:
    """Write the sheet of --preview."""
    from realesrgan_paddle.data.lq.folder import write_preview

    count = write_preview(options, sheet)
    say(f"{sheet}: {count} images before and after degradation")


def _compare(options: "LQConfig", real: Path, sheet: Path | None) -> Sequence[str]:
    """Print the comparison of --fit; return a line for each unreadable image."""
    from realesrgan_paddle.data.lq.fit import fit
    from realesrgan_paddle.data.lq.folder import write_windows

    found = fit(options, real)
    sys.stdout.write(f"{found}\n")
    if sheet is not None:
        headline = f"{real}, and ground truth that shows the most alike, degraded"
        write_windows(found.real, found.synthetic, sheet, headline, found.lines())
        say(f"{sheet}: real windows beside synthetic ones")
    return found.failures


def _solve(
    options: "LQConfig", real: Path, path: Path, sheet: Path | None, seconds: float
) -> Sequence[str]:
    """Write the option file of --write and its sheet; return unreadable images."""
    from realesrgan_paddle.data.lq.folder import write_windows
    from realesrgan_paddle.data.lq.option_file import write_options
    from realesrgan_paddle.data.lq.solve import solve_for

    solved = solve_for(options, real, seconds=seconds)
    sys.stdout.write(f"{solved}\n")
    write_options(solved, options, real, path)
    sheet = sheet or path.with_name(f"{path.stem}_windows.png")
    write_windows(
        solved.real, solved.synthetic, sheet, solved.headline, solved.warnings
    )
    say(f"{path}: the degradation; {sheet}: real windows beside synthetic ones")
    return solved.failures


def _write(options: "LQConfig", save_dir: Path, flags: Flags) -> Sequence[str]:
    """Write the low-quality images; return a line for each that failed."""
    from realesrgan_paddle.data.lq.folder import write_lq_folder, write_pairs

    if flags.sharing:
        write: Any = partial(write_shared_lq_folder, sharing=flags.sharing)
    else:
        write = write_lq_folder
    done = write(options, save_dir, overwrite=flags.overwrite)
    if flags.meta_info is not None:
        write_pairs(done.pairs, flags.meta_info)

    count = f"{len(done.pairs)} low-quality images"
    if done.skipped:
        count += f", {done.skipped} of them existed before (--overwrite replaces them)"
    say(f"{save_dir}: {count}; {len(done.failures)} failed")
    return done.failures


def _what_follows(flags: Flags, options: "LQConfig") -> str:
    """Return the command that trains on the pairs, or writes what was only looked at."""
    if flags.write:
        return next_line("option file", file=flags.write)
    listed = options.meta_info is not None and flags.meta_info is None
    if flags.save_dir and not listed:
        gt = Path(options.dataroot_gt)
        return after_pairs(gt, flags.save_dir, flags.meta_info, options.scale)

    save_dir = flags.save_dir or Path("LQ")
    meta_info = None
    if options.meta_info is not None:  # which are the pairs is not seen in the folders
        meta_info = flags.meta_info or Path(f"{save_dir}_pairs.txt")
    return next_line(
        "preview of pairs",
        yml_path=flags.yml_path,
        save_dir=save_dir,
        meta_info=meta_info,
        input=next(iter(flags.folders), None),
        seed=flags.seed,
        overrides=flags.overrides,
    )
