"""Train or finetune a generator with the options of a file, or chosen by --recipe."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from realesrgan_paddle.commands.train import main
from realesrgan_paddle.utils.cli import run

if __name__ == "__main__":
    run(main)
