"""What all option models share: the frozen base class and the checked value types."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")

SUM_TOLERANCE = 1e-6
"""How far probabilities may sum from 1: they are written in decimals, not in binary."""


LARGEST_INT = 2**63 - 1
"""Of a whole number: NumPy and Paddle count in 64 bits."""
LARGEST_GRAIN = 4
"""Coarser grain looks like clouds [pixels]."""


class Options(BaseModel):
    """A group of options: frozen, unknown keys refused, numbers finite."""

    # No protected names: `model_type` is BasicSR's key, and pydantic before 2.10 warns
    # of names that start with model_.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        validate_default=True,
        protected_namespaces=(),
    )


def _not_bool(value: object) -> object:
    """Return `value`; refuse true and false, which pydantic would take for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def _in_64_bits(value: int) -> int:
    if abs(value) > LARGEST_INT:
        raise ValueError(f"expected at most {LARGEST_INT:,}")
    return value


def _without_nul(value: str) -> str:
    """Return `value`; refuse the one character that no file name can have."""
    if "\0" in value:
        raise ValueError("expected text without the character NUL")
    return value


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("expected an odd number")
    return value


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("expected [low, high] with low <= high")
    return value


def _around_one(value: tuple[float, float]) -> tuple[float, float]:
    if not value[0] <= 1 <= value[1]:
        raise ValueError("expected [low, high] with low <= 1 <= high")
    return value


def _sums_to_one(value: tuple[float, ...]) -> tuple[float, ...]:
    total = sum(value)
    if abs(total - 1) > SUM_TOLERANCE:
        raise ValueError(
            f"expected probabilities that sum to 1, these sum to {total:g}"
        )
    return value


def _folder_name(value: str) -> str:
    if value in (".", "..") or "/" in value or "\\" in value:
        raise ValueError("expected a plain folder name")
    return value


# Bounds come before `_Number`: pydantic leaves later ones out of the JSON schema.
_Number = BeforeValidator(_not_bool)
Float = Annotated[float, _Number]
_Int64 = AfterValidator(_in_64_bits)
Natural = Annotated[int, Field(ge=0), _Number, _Int64]
Count = Annotated[int, Field(ge=1), _Number, _Int64]
WarmUp = Annotated[int, Field(ge=-1), _Number, _Int64]
NonNegative = Annotated[float, Field(ge=0), _Number]
Positive = Annotated[float, Field(gt=0), _Number]
Probability = Annotated[float, Field(ge=0, le=1), _Number]
Share = Annotated[float, Field(gt=0, lt=1), _Number]
Accuracy = Annotated[float, Field(gt=0.5, lt=1), _Number]  # 0.5 is chance
Decay = Annotated[float, Field(ge=0, lt=1), _Number]

# The U-Net discriminator halves the size three times, so crops are multiples of 8. The
# upper bounds of crops, kernels and motion catch typing errors before they fill the
# memory.
CropSize = Annotated[int, Field(ge=16, le=4096, multiple_of=8), _Number]
# Real-ESRGAN draws kernel sizes from 7 on; only an odd size has a center pixel.
KernelSize = Annotated[
    int,
    Field(ge=7, le=511, json_schema_extra={"not": {"multipleOf": 2}}),
    _Number,
    AfterValidator(_odd),
]
# A Gaussian of this width fills the largest kernel evenly.
Sigma = Annotated[float, Field(gt=0, le=511), _Number]
MotionLength = Annotated[float, Field(ge=1, le=255), _Number]
Aspect = Annotated[float, Field(ge=0.1, le=10), _Number]
GrainSize = Annotated[float, Field(ge=0, le=LARGEST_GRAIN), _Number]

# These catch typing errors too: a network of more channels, a larger batch or more
# workers fit no machine.
Dimension = Annotated[int, Field(ge=1, le=4096), _Number]
BatchSize = Annotated[int, Field(ge=1, le=4096), _Number]
Workers = Annotated[int, Field(ge=0, le=256), _Number]
Enlargement = Annotated[int, Field(ge=1, le=10_000), _Number]

# The ranges of the encoders themselves: libjpeg, x264 and x265, libvpx, ffmpeg's mpeg2.
Quality = Annotated[float, Field(ge=1, le=100), _Number]
CRF = Annotated[float, Field(ge=0, le=51), _Number]
VP9CRF = Annotated[float, Field(ge=0, le=63), _Number]
QScale = Annotated[float, Field(ge=1, le=31), _Number]

Ordered = Annotated[tuple[T, T], AfterValidator(_ordered)]
ResizeFactor = Annotated[float, Field(ge=0.01, le=16), _Number]
ResizeRange = Annotated[tuple[ResizeFactor, ResizeFactor], AfterValidator(_around_one)]
FactorRange = Annotated[tuple[Positive, Positive], AfterValidator(_around_one)]
UpDownKeep = Annotated[
    tuple[Probability, Probability, Probability], AfterValidator(_sums_to_one)
]
Probabilities = Annotated[tuple[Probability, ...], AfterValidator(_sums_to_one)]

Scale = Literal[1, 2, 4]
Text = Annotated[str, Field(min_length=1), AfterValidator(_without_nul)]
FolderName = Annotated[
    Text,
    Field(json_schema_extra={"pattern": r"^(?!\.{1,2}$)[^/\\]+$"}),
    AfterValidator(_folder_name),
]

OnePass = TypeVar("OnePass", bound=Options)


def one_pass(group: type[OnePass], options: Options, *, suffix: str) -> OnePass:
    """Return the options of one pass: the fields of `group`, followed by `suffix`."""
    values = {}
    for name in group.model_fields:
        values[name] = getattr(options, name + suffix)
    # Without validation: `options` are checked already, and kernels are drawn for
    # every sample.
    return group.model_construct(**values)


def check_lengths(
    kinds_key: str,
    kinds: Sequence[str],
    probabilities_key: str,
    probabilities: Sequence[float],
) -> None:
    """Raise ValueError unless there are as many probabilities as kinds."""
    if len(kinds) != len(probabilities):
        raise ValueError(
            f"{kinds_key} has {len(kinds)} entries and {probabilities_key} has "
            f"{len(probabilities)}; give one chance for each kind"
        )
