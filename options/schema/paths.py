"""The section `path`: where a run starts from and where it writes."""

from pydantic import Field

from realesrgan_paddle.utils.field_types import Options, Text


class PathOptions(Options):
    """The section `path`."""

    experiments_root: Text = Field(
        default="experiments",
        description="Folder in which each run gets a folder of its name.",
    )
    pretrain_network_g: Text | None = Field(
        default=None,
        description="Generator to start from: a weight file or the name of a released "
        "model. To finetune, take a released or finetuned GAN network; null starts "
        "from scratch.",
    )
    param_key_g: Text | None = Field(
        default=None,
        description="Which weights of that file; null takes params_ema, else params, "
        "else the only ones.",
    )
    strict_load_g: bool = Field(
        default=True,
        description="Require every tensor to fit. false loads those that fit, such as "
        "x4 weights into an x2 network.",
    )
    pretrain_network_d: Text | None = Field(
        default=None,
        description="Discriminator to start from: a weight file or the name of a "
        "released one. null: a new one; then let it learn alone first "
        "(train.net_d_init_iters).",
    )
    param_key_d: Text | None = Field(
        default=None,
        description="Which weights of that file; as param_key_g.",
    )
    strict_load_d: bool = Field(
        default=True,
        description="Require every tensor of the discriminator to fit; as "
        "strict_load_g.",
    )
    resume_state: Text | None = Field(
        default=None,
        description="Training state (.state) to resume from. To resume from the "
        "newest one, use --auto_resume instead.",
    )
