"""What to run next: after each command, one line that a shell takes as it is.

The line names the files that were just written, from the current folder, quoted. It
holds for a CPU and a GPU: `train.py --recipe auto` looks at the machine itself.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

import realesrgan_paddle
from realesrgan_paddle.utils.colors import emphasized
from realesrgan_paddle.utils.errors import printable
from realesrgan_paddle.utils.signals import PARENT

NEXT = {
    "frames": (
        "tools/extract_subimages.py --input {images} --output {output}_sub "
        "--manifest {manifest}"
    ),
    "clips": ("train.py --recipe auto --video --dataroot_gt {folder} --minutes 15"),
    "images": (
        "tools/generate_meta_info.py --input {folders} --root {root} "
        "--meta_info {listed} --check"
    ),
    "low-quality images": "tools/preflight.py --input {folder} --check",
    "preview of pairs": (
        "make_lq_data.py --yml_path {yml_path} --save_dir {save_dir} "
        "--meta_info {meta_info} --input {input} --seed {seed} {overrides}"
    ),
    "training images": "train.py --recipe auto --dataroot_gt {gt} {overrides}",
    "option file": "train.py --yml_path {file} {overrides}",
    "interrupted run": "train.py --yml_path {config} --auto_resume",
    "weights": (
        "tools/export_model.py --model_dir {weights} --save_inference_dir {folder} "
        "--denoise_strength {denoise_strength} --dn_model {dn_model}"
    ),
    "tuned network": "tools/upscale.py {images} -m {model}",
    "weights for video": "tools/upscale.py {videos} --model_path {weights}",
    "graph": (
        "tools/infer.py --input {images} --output {folder}_results "
        "--model_path {folder}"
    ),
    "int8 ranges": "tools/infer.py --input inputs --model_path {graph} --precision int8",
    "results": (
        "tools/compare.py --input {images} --gt {gt} --models {models} --output {output}"
    ),
    "upscaled video": (
        "tools/compare.py --video --input {source} --results upscaled={result} "
        "--output {output}"
    ),
    "part of a video": (
        "tools/compare.py --video --input {source} --models {models} --start {start} "
        "--end {end} --output {output}"
    ),
    "metrics": "{script} --input {images} --output results --model_path {model}",
}
"""What was made -> the command that takes it. Braces hold what it is called with."""

ROOT = Path(realesrgan_paddle.__file__).resolve().parents[1]
"""The checkout, or the folder of installed packages."""

PROGRAM = "realesrgan-paddle"
"""What the installed package puts beside `python`."""
SHORT_NAMES = {
    "extract_keyframes": "frames",
    "extract_clips": "clips",
    "build_domain_set": "set",
    "make_lq_data": "degrade",
    "convert_torch": "convert",
    "export_model": "export",
}
"""A script -> its name as a command of that program; others are called the same."""

YOUR_FILES = "IMAGES_OR_VIDEOS"
"""Stands for files that only the user knows; folders of them are taken as well."""
YOUR_VIDEOS = "VIDEOS"
"""Stands for videos that only the user knows."""

# A path that YAML reads as a string without quotes.
_PLAIN_PATH = re.compile(r"[\w./-]*[/_][\w./-]*")


def print_next(line: str) -> None:
    """Print the command that follows, and what it asks for before it can be run."""
    sys.stdout.write(f"{emphasized(next_text(line), sys.stdout)}\n")


def next_text(line: str) -> str:
    """Return such as "next: COMMAND", with what it asks for before it can be run."""
    condition = ""
    for word, what in ((YOUR_FILES, "images or videos"), (YOUR_VIDEOS, "videos")):
        if word in line.split():
            condition = f", with your {what} in place of {word}"
    return f"next{condition}: {line}"


def next_line(made: str, **given: object) -> str:
    """Return the command of `NEXT` that follows what was made; `given` as of `filled`."""
    return command_line(*filled(NEXT[made], **given))


def filled(template: str, **given: object) -> list[str]:
    """Return a command's words: its script in the checkout, and what it is called with.

    Args:
        template: as those of `NEXT`.
        given: what its braces hold. Several values are a list; without a value, or with
            None, the word is left out, and the flag before it.
    """
    words: list[str] = []
    for word in template.split():
        name = word[1:-1]
        if word != f"{{{name}}}":
            is_value = word.startswith("{")
            text = word.format_map(given) if "{" in word else word
            words.append(_as_value(text) if is_value else text)
            continue

        value = given.get(name)
        if value is not None:
            values = value if isinstance(value, list) else [value]
            words += [_as_value(str(each)) for each in values]
        elif words[-1].startswith("-"):
            words.pop()
    return words


def command_line(script: str, *words: str) -> str:
    """Return the line that runs a script, or its command, from this folder.

    The command where there are no scripts, and for who typed a command before.
    """
    return shell_join([*_start(script), *words])


def without_flags(argv: Sequence[str], flags: Sequence[str]) -> list[str]:
    """Return the words of a command without some flags and their values."""
    rest = []
    leave_out = False
    for word in argv:
        name = word.partition("=")[0]
        if name.startswith("--"):  # either spelling is taken
            name = f"--{name[2:].replace('-', '_')}"
        if leave_out:
            leave_out = False
        elif name in flags:
            leave_out = "=" not in word
        else:
            rest.append(word)
    return rest


def override(key: str, text: str | Path) -> str:
    """Return the word that sets the option `key` to a text: its value is YAML."""
    if _PLAIN_PATH.fullmatch(str(text)):
        return f"{key}={text}"
    value = ""
    for character in json.dumps(str(text), ensure_ascii=False):
        is_seen = printable(character) == character
        value += character if is_seen else f"\\U{ord(character):08x}"
    return f"{key}={value}"


def _as_value(text: str) -> str:
    """Return a flag's value so that it is not taken for a flag."""
    return f"./{text}" if text.startswith("-") else text


def process_words(script: str, words: Sequence[str]) -> list[str]:
    """Return what starts a script as a process of this very Python, wherever it runs."""
    if _names_scripts():
        return [sys.executable, str(ROOT / script), *words]
    return [sys.executable, "-m", "realesrgan_paddle", _short_name(script), *words]


def start_command(
    script: str,
    words: Sequence[str],
    output: int | IO[bytes] = subprocess.PIPE,
    **environment: str,
) -> "subprocess.Popen[str]":
    """Start a script in a process that ends with this one, and return it.

    It has a session of its own: Ctrl-C reaches it only if this process passes it on.

    Args:
        script: its path in the checkout.
        words: what it is called with.
        output: gets what it prints, errors too, in UTF-8 and at once.
        environment: variables that it has beside those of this process.
    """
    return subprocess.Popen(
        process_words(script, words),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        env={
            **os.environ,
            PARENT: str(os.getpid()),
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
            **environment,
        },
        start_new_session=True,
    )


def is_checkout() -> bool:
    """Return whether this is a checkout, with its scripts, and not an installed package."""
    return (ROOT / "train.py").is_file()


def _names_scripts() -> bool:
    """Return whether lines name a checkout's scripts: not to who typed the program."""
    typed_program = sys.argv[0].startswith(f"{PROGRAM} ")
    return is_checkout() and not typed_program


def _start(script: str) -> list[str]:
    """Return the words that start a script from the current folder."""
    if not _names_scripts():
        return [*_program(), _short_name(script)]
    if Path.cwd() == ROOT:
        return [_python(), script]
    return [_python(), str(ROOT / script)]


def _short_name(script: str) -> str:
    name = Path(script).stem
    return SHORT_NAMES.get(name, name)


def _program() -> list[str]:
    """Return the words that start the installed program, which may not be on the path."""
    beside = Path(sys.executable).with_name(PROGRAM)
    found = shutil.which(PROGRAM)
    if found and Path(found).parent == beside.parent:
        return [PROGRAM]
    if beside.is_file():
        return [str(beside)]
    return [_python(), "-m", "realesrgan_paddle"]


def _python() -> str:
    """Return "python", or the path of this Python if that is another one or none."""
    this = Path(sys.executable)
    found = shutil.which("python")
    if found and Path(found).parent == this.parent:
        return "python"
    return str(this)


def shell_join(words: Iterable[str]) -> str:
    """Return a command that can be pasted into a shell, and holds no hidden character."""
    return " ".join(map(_shell_word, words))


def _shell_word(word: str) -> str:
    """Return a quoted word; with $'...' of bash and zsh where it is not printable."""
    if printable(word) == word:
        return shlex.quote(word)
    quoted = ""
    for character in word:
        if printable(character) == character and character not in "'\\":
            quoted += character
        else:
            quoted += "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
    return f"$'{quoted}'"
