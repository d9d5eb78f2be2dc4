"""What can be trained where the pretrained weights of a run are out of reach."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from realesrgan_paddle.models.networks.description import Generator
from realesrgan_paddle.models.weights.catalogue import ReleasedModel, nearest_in_package
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.next_steps import command_line


@contextmanager
def naming_an_alternative(
    argv: Sequence[str] | None, *, with_network: bool
) -> Iterator[None]:
    """Add to the error about weights out of reach a training command that works.

    Nothing is replaced without being asked for.

    Args:
        argv: the words of the training command; None: `sys.argv`.
        with_network: whether `network_g` is given and must change, too.
    """
    # Imported here: downloads need no Paddle, but this import would cost every --help.
    from realesrgan_paddle.models.weights.read_generator import OutOfReachError

    try:
        yield
    except OutOfReachError as error:
        words = list(sys.argv[1:] if argv is None else argv)
        changes = overrides_without(error.model, with_network=with_network)
        if not changes:
            raise
        line = command_line("train.py", *words, *changes)
        raise UserError(f"{error}; or train without it: {line}") from error


def overrides_without(model: ReleasedModel, *, with_network: bool) -> list[str]:
    """Return the options of a run that does without a released model; [] for none.

    A generator is replaced by the nearest one in a package. A discriminator is left
    out: a new one is trained alone first.

    Args:
        model: what is out of reach.
        with_network: also change `network_g` where the other network differs.
    """
    if not isinstance(model.network, Generator):
        return [
            "path.pretrain_network_d=null",
            "train.net_d_init_until=0.8",
            "train.net_d_init_iters=1000",
        ]
    nearest = nearest_in_package(model)
    if nearest is None:
        return []

    changes = [f"path.pretrain_network_g={nearest.name}"]
    if with_network:
        wanted = model.network.model_dump()
        for key, value in nearest.network.model_dump().items():
            if value != wanted[key]:
                changes.append(f"network_g.{key}={value}")
    return changes
