"""Names of files, tensors and runs in lines, commands, pages and plots."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from places import ROOT

from realesrgan_paddle.inference.pictures.upscale_files import upscale_files
from realesrgan_paddle.inference.upscaler import Upscaler
from realesrgan_paddle.tools.extract_subimages import main as extract_subimages
from realesrgan_paddle.utils.cli import say
from realesrgan_paddle.utils.errors import UserError, printable
from realesrgan_paddle.utils.files import check_utf8
from realesrgan_paddle.utils.images import write_image
from realesrgan_paddle.utils.jobs import report_failures
from realesrgan_paddle.utils.next_steps import shell_join
from realesrgan_paddle.utils.parser import Parser
from realesrgan_paddle.utils.report.contact_sheet import Panel, SheetRow, contact_sheet
from realesrgan_paddle.utils.report.gallery import About, GalleryImage, Section, gallery
from realesrgan_paddle.utils.report.image_page import image_page
from realesrgan_paddle.utils.runlog.curves import blank_figure, plot_text
from realesrgan_paddle.utils.runlog.experiment import Experiment

FORGED = "a\n[2/2] b.png 8x8 -> fine"
HOSTILE_NAMES = {
    os.fsdecode(b"\xff"): r"\xff",
    FORGED: r"a\n[2/2] b.png 8x8 -> fine",
    "\x1b[2J": r"\x1b[2J",
    "\u202egnp": r"\u202egnp",
    "a\u200bb": r"a\u200bb",
    "\r100%": r"\r100%",
    "a\ue61cb": r"a\ue61cb",
}
"""Names, and how a line shows them."""

READABLE_NAMES = ("比赛 第1场", "全角　空格", "Fußball é", "матч", "👍")
"""Names that are shown as they are."""


@pytest.mark.parametrize(("name", "shown"), HOSTILE_NAMES.items())
def test_what_is_not_seen_is_escaped(name, shown):
    assert printable(name) == shown


@pytest.mark.parametrize("name", READABLE_NAMES)
def test_letters_of_all_languages_stay(name):
    assert printable(name) == name


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_a_printed_command_is_one_line_that_bash_reads_as_the_words():
    words = ["a b", "it's", "back\\slash", "$x", *HOSTILE_NAMES, *READABLE_NAMES]
    words += [f"'{name}' \\" for name in HOSTILE_NAMES]
    command = shell_join(words)
    assert printable(command) == command
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True
    )
    assert done.stdout.split(b"\0")[:-1] == list(map(os.fsencode, words))


def test_lines_of_commands_logs_and_usage_errors_show_them(tmp_path, capsys):
    name = "".join(HOSTILE_NAMES)
    say(name)
    Experiment(tmp_path).log(name)
    with pytest.raises(SystemExit):
        Parser("").parse([name])
    captured = capsys.readouterr()
    shown = "".join(HOSTILE_NAMES.values())
    assert captured.out == f"{shown}\n{shown}\n"
    assert shown in captured.err
    assert (tmp_path / "train.log").read_text().endswith(f" {shown}\n")


@pytest.fixture
def images(tmp_path) -> Path:
    """An image of each name, every second one damaged."""
    for number, name in enumerate(HOSTILE_NAMES):
        # A "/" is in one of the names' escapes only, never in a name.
        path = tmp_path / "in" / f"{name}.png"
        write_image(path, np.full((16, 16, 3), 90, np.uint8))
        if number % 2:
            path.write_bytes(b"\x89PNG")
    return tmp_path / "in"


def test_a_batch_prints_a_line_for_each_file(tmp_path, images, capsys):
    upscaler = Upscaler(lambda window: window, scale=1)
    upscale_files(upscaler, sorted(images.iterdir()), tmp_path)
    lines = capsys.readouterr().out.splitlines()
    count = len(HOSTILE_NAMES)
    expected = [f"[{i + 1}/{count}]" for i in range(count)]
    assert [line[:5] for line in lines] == expected
    assert printable("".join(lines)) == "".join(lines)


def test_failures_are_a_line_each(tmp_path, images, capsys):
    words = ["--input", str(images), "--output", str(tmp_path / "out")]
    assert extract_subimages([*words, "--crop_size", "16", "--step", "16"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    reason = "not a readable image (cut short)"
    damaged = [*HOSTILE_NAMES.values()][1::2]
    expected = [f"failed: {images / shown}.png: {reason}" for shown in damaged]
    assert sorted(lines) == sorted(expected)


def test_a_terminal_that_knows_ascii_only_gets_escapes(tmp_path):
    path = tmp_path / "比赛" / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "preflight.py", "--input", path.parent],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"failed: ")
    assert rb"\u6bd4\u8d5b/a.png: not a readable image (empty" in done.stderr


def test_pages_sheets_and_plots_show_them(tmp_path):
    name = "".join(HOSTILE_NAMES)
    panel = Panel(name, np.zeros((8, 8, 3), np.uint8), name)
    rows = [SheetRow(name, [panel])]
    page = image_page(
        rows,
        [],
        headline=name,
        remark=name,
        warnings=[name],
        before=name,
        after=name,
    )
    shown = GalleryImage("a", name, name, name, True, {name: 0})
    about = About(name, [name], details=[(name, name)])
    page += gallery([Section(name, [shown], about)], name, name, name)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    assert "\u202e" not in page
    assert r"\x1b[2J" in page
    assert contact_sheet(rows, [], name).any()

    figure = blank_figure(200, 100)
    figure.suptitle(plot_text(f"$\\frac${name}"))
    figure.savefig(tmp_path / "figure.png")


def test_a_name_that_is_no_utf8_is_refused_where_it_must_be():
    with pytest.raises(UserError, match="valid UTF-8; rename it"):
        check_utf8(os.fsdecode(b"\xff"))


def test_the_middle_of_a_long_message_is_cut(capsys):
    report_failures([f"{'x' * 9000}: no such key; do this"])
    line = capsys.readouterr().err
    assert len(line) < 2100
    assert line.startswith("failed: xxx")
    assert line.endswith("xxx: no such key; do this\n")
