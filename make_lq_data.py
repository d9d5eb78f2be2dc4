"""Write a low-quality PNG for each image of a folder, with the degradation of training."""

if __name__ == "__main__":  # before all that takes time to import
    from realesrgan_paddle.utils.signals import end_at_once

    end_at_once()

from realesrgan_paddle.commands.make_lq_data import main
from realesrgan_paddle.utils.cli import run

if __name__ == "__main__":
    run(main)
