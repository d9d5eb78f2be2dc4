"""The section `logger`: reports and checkpoints."""

from pydantic import Field

from realesrgan_paddle.utils.field_types import Count, Natural, Options


class LoggerOptions(Options):
    """The section `logger`."""

    print_freq: Count = Field(
        default=100,
        description="Iterations between log lines. Lower it for short runs, such as "
        "20 of 300 iterations.",
    )
    save_checkpoint_freq: Count = Field(
        default=5000,
        description="Iterations between checkpoints: the most that a crash can lose. A "
        "signal (Ctrl-C, SIGTERM) saves one too.",
    )
    keep_checkpoints: Natural = Field(
        default=10,
        description="Number of checkpoints to keep, besides latest and best; 0 keeps "
        "all. One of RealESRGAN_x4plus takes about 0.5 GB.",
    )
    use_tb_logger: bool = Field(
        default=False,
        description="Also write metrics and sheets for VisualDL, to tb_logger/ of the "
        "run. Needs pip install visualdl.",
    )
