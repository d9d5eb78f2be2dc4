"""Why weights do not fit a network, in terms of the network's options."""

from realesrgan_paddle.models.networks.description import Description, Tensors
from realesrgan_paddle.models.networks.known import recognize
from realesrgan_paddle.utils.errors import UserError


def differing_options(tensors: Tensors, wanted: Description, source: str) -> str:
    """Return how the network in a file differs from the one of the options; "" if unknown.

    Such as "num_block: the file has 23, the option says 9".

    Args:
        tensors: {name: array} under BasicSR's names.
        wanted: the network that the options describe.
        source: the file.
    """
    arguments = wanted.model_dump()
    try:
        found = recognize(tensors, source, arguments.get("act_type"))
    except UserError:
        return ""
    if type(found) is not type(wanted):
        return f"the file holds {found}, the options say {arguments['type']}"

    differences = []
    for name, in_file in found.model_dump().items():
        if in_file != arguments[name]:
            differences.append(
                f"{name}: the file has {in_file}, the option says {arguments[name]}"
            )
    return "; ".join(differences)
