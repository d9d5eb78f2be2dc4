"""The networks of an option file: `type` chooses one, the other keys are its arguments.

A generator's keys are declared in its own file under models/networks/, which, like this
module, does not import Paddle.
"""

from typing import Annotated

from pydantic import Field

from realesrgan_paddle.models.networks.discriminators import (
    ProjectedDiscriminatorOptions,
    UNetDiscriminatorSNOptions,
)
from realesrgan_paddle.models.networks.known import AnyGenerator

GeneratorOptions = Annotated[AnyGenerator, Field(discriminator="type")]
DiscriminatorOptions = Annotated[
    UNetDiscriminatorSNOptions | ProjectedDiscriminatorOptions,
    Field(discriminator="type"),
]
