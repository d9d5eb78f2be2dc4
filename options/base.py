"""What all option models share: the frozen base and the checked kinds of number."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")


class Options(BaseModel):
    """A group of options: frozen, every key declared, every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def _not_bool(value: object) -> object:
    """Return `value`; pydantic would take `true` for 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("expected [low, high] with low <= high")
    return value


def sums_to_one(value: tuple[float, ...]) -> tuple[float, ...]:
    """Return `value`; ValueError unless it sums to 1 within 1e-6."""
    if abs(sum(value) - 1) > 1e-6:
        raise ValueError(f"expected probabilities that sum to 1, these sum to {sum(value):g}")
    return value


Int = Annotated[int, BeforeValidator(_not_bool)]
Float = Annotated[float, BeforeValidator(_not_bool)]
Natural = Annotated[Int, Field(ge=0)]
Count = Annotated[Int, Field(ge=1)]
NonNegative = Annotated[Float, Field(ge=0)]
Positive = Annotated[Float, Field(gt=0)]
Probability = Annotated[Float, Field(ge=0, le=1)]
Quality = Annotated[Float, Field(ge=1, le=100)]
Ordered = Annotated[tuple[T, T], AfterValidator(_ordered)]
