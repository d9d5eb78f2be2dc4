"""Use the installed wheel from outside any checkout: its contents, its command line, its Python API."""

import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import numpy as np

checkout = Path(sys.argv[1])
files = [str(file) for file in metadata.files("realesrgan-paddle") or []]
strangers = [
    file
    for file in files
    if not file.startswith(("realesrgan_paddle/", "realesrgan_paddle-", "../"))
]
assert not strangers, f"the wheel puts these outside its package: {strangers}"
for folder in (
    "data",
    "loss",
    "models",
    "options",
    "tools",
    "utils",
    "realesrgan_paddle",
):
    for source in (checkout / folder).rglob("*.[py]*"):
        if source.suffix in (".py", ".yml"):
            inside = source.relative_to(
                checkout / "realesrgan_paddle"
                if folder == "realesrgan_paddle"
                else checkout
            )
            assert f"realesrgan_paddle/{inside}" in files, (
                f"{source} is missing from the wheel"
            )

import realesrgan_paddle  # noqa: E402

assert checkout not in Path(realesrgan_paddle.__file__).parents, (
    "this is the checkout, not the wheel"
)
print("models:", ", ".join(realesrgan_paddle.list_models()))

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)

    def command(*words: str) -> None:
        """Run `python -m realesrgan_paddle WORDS`."""
        subprocess.run(
            [sys.executable, "-m", "realesrgan_paddle", *words], check=True, cwd=folder
        )

    command("--help")
    command("convert_torch", "--name", "realesr-animevideov3")
    command(
        "export_model",
        "--model-dir",
        "weights/realesr-animevideov3.pdparams",
        "--save-inference-dir",
        "infer",
    )
    upscaler = realesrgan_paddle.Upscaler.load(folder / "infer")
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert upscaler(image).shape == (80, 120, 3)
print("the wheel works")
