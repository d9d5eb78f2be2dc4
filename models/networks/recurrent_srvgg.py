"""RecurrentSRVGG: SRVGGNetCompact for video, which carries a state from frame to frame.

Beside a frame it sees the frames before and after it, and features that it made of the
frame before: the hidden state of RLSP (Fuoli et al. 2019, "Efficient Video
Super-Resolution through Recurrent Latent Space Propagation", section 3), here without its
feedback of the last output. All of that enters by one convolution without a bias, whose
weights begin at zero, so an SRVGGNetCompact made recurrent computes what it did, to the bit,
until training has found a use for it. And always a frame with zeros beside it is what the
frame is as a single picture, to the bit.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field
from typing_extensions import Self

from realesrgan_paddle.models.networks.description import (
    Constant,
    Layers,
    Parameter,
    Tensors,
    Weights,
    conv,
    conv_channels,
)
from realesrgan_paddle.models.networks.srvgg import SRVGGNetCompact
from realesrgan_paddle.utils.field_types import Dimension

if TYPE_CHECKING:
    from paddle import Tensor

    from realesrgan_paddle.ops.plain import Ops

Array = TypeVar("Array", bound=Any)

BESIDE, STATE = "beside", "state"
"""The layers that SRVGGNetCompact has not."""
CHANGE = 40.0
"""Factor on the differences of frames, which brings them to the size of the state.

They are 0.02 on average in footage that moves (a dashcam clip and a street clip at a
quarter of their size). The first convolution of the released networks meets frames with
weights of 2 to 3, which Adam would need 10,000 iterations to reach.
"""
MOST = 1.0
"""Bound of the state, so that nothing can grow from frame to frame."""


class RecurrentSRVGG(SRVGGNetCompact):
    """SRVGGNetCompact that carries a state from frame to frame of a video.

    A single picture is upscaled as by an SRVGGNetCompact of the same `body`.
    """

    type: Literal["RecurrentSRVGG"] = Field(  # type: ignore[assignment]
        default="RecurrentSRVGG", description="The network."
    )
    num_state: Dimension = Field(
        default=32,
        description="Channels of the state, at the size of the input. More remember "
        "more: 16, 32 and 64 add 4, 6 and 9 % of realesr-general-x4v3.",
    )

    def __str__(self) -> str:
        plain = super().__str__().replace("SRVGGNetCompact", "RecurrentSRVGG", 1)
        return f"{plain}, {self.num_state} channels of state"

    @property
    def num_beside(self) -> int:
        """Channels of what `step` gets beside a frame."""
        return 2 * self.num_in_ch + self.num_state

    def layers(self) -> Layers:
        """See `Generator`."""
        weight = (self.num_feat, self.num_beside, 3, 3)
        return {
            **super().layers(),
            # Without a bias, so that zeros beside a frame add nothing.
            BESIDE: {"weight": Parameter(weight, Constant(0.0))},
            STATE: conv(self.num_feat, self.num_state),
        }

    def step(
        self, x: "Tensor", beside: "Tensor", w: Weights, ops: "Ops"
    ) -> tuple["Tensor", "Tensor"]:
        """Return the upscaled frames, and the state for those after them.

        Args:
            x: frames, one of each of N videos, (N, num_in_ch, H, W), float32 in [0, 1].
            beside: (N, num_beside, H, W), see `joined_beside`.
            w: as for `forward`.
            ops: as for `forward`.

        Returns:
            (N, num_out_ch, scale * H, scale * W), and (N, num_state, H, W) in [-1, 1].
        """
        added = ops.conv(ops.enter(beside), *w[BESIDE])
        features = self._features(x, w, ops, added)

        state = ops.leave(ops.conv(features, *w[STATE]))
        return self._upscaled(x, features, w, ops), ops.clip(state, MOST)

    @classmethod
    def recognize(
        cls, tensors: Tensors, source: str, act_type: str | None
    ) -> Self | None:
        """See `Description`."""
        if f"{STATE}.weight" not in tensors:
            return None
        plain = SRVGGNetCompact.recognize(tensors, source, act_type)
        if plain is None:
            return None
        num_state, _ = conv_channels(tensors, f"{STATE}.weight", source)
        arguments = plain.model_dump(exclude={"type"})
        return cls(**arguments, num_state=num_state)


def joined_beside(
    x: Array,
    before: Array,
    after: Array,
    state: Array,
    concat: Callable[[list[Array]], Array],
) -> Array:
    """Return what `step` gets beside frames, as arrays of any library.

    Args:
        x: the frames.
        before: those before them, (..., num_in_ch, H, W); x where there is none.
        after: those after them, as well.
        state: what `step` made of those before, (..., num_state, H, W); zeros if nothing.
        concat: concatenates along the channels.
    """
    return concat([CHANGE * (before - x), CHANGE * (after - x), state])
