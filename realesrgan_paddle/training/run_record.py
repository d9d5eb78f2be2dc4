"""What a run remembers besides its tensors; every training state holds it."""

import reprlib
from dataclasses import field
from typing import Annotated

from pydantic import (
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictStr,
    TypeAdapter,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from realesrgan_paddle.data.loading.hold_out import HeldOutNames
from realesrgan_paddle.training.pace import Number, Pace
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.runlog.training_state import TrainingState

Finite = Annotated[StrictFloat, Field(allow_inf_nan=False)]
RecordedFigures = dict[StrictStr, dict[StrictStr, dict[StrictStr, Finite]]]
NO_OTHERS = ConfigDict(extra="forbid")


@dataclass(config=NO_OTHERS)
class Best:
    """The best validation so far: its metric, value and iteration."""

    figure: StrictStr
    value: Finite
    iteration: Number


@dataclass(config=NO_OTHERS)
class RunRecord:
    """What a run remembers besides its tensors.

    Every training state holds it, so a resumed run behaves as one that never stopped.

    Attributes:
        saved: iterations whose checkpoints this run wrote and has not removed.
        good: the last regular checkpoint that was not saved between skipped updates.
        start: the metrics before the first iteration, by "<set>/<metric>".
        figures: those of single images, by method, set, image and metric: of bicubic
            interpolation, the start network, and the networks of the best and the last
            validation.
        best: the validation of `net_g_best.pdparams`.
        stale: validations since `best`.
        drifted: the last validation's iteration, if the drift alarm went off there.
        skipped: updates skipped because something was not finite.
        skipped_in_a_row: those since the last update that was made.
        rolled_back: whether the run has gone back to a checkpoint.
        validation_due: whether the last iteration is still to be validated.
        held_out: the images that are held out; None in states of older versions.
        pace: the plan of a run with `train.minutes`.
    """

    saved: list[Number] = field(default_factory=list)
    good: Number | None = None
    start: dict[StrictStr, StrictFloat] = field(default_factory=dict)
    figures: dict[StrictStr, RecordedFigures] = field(default_factory=dict)
    best: Best | None = None
    stale: Number = 0
    drifted: Number | None = None
    skipped: Number = 0
    skipped_in_a_row: Number = 0
    rolled_back: StrictBool = False
    validation_due: StrictBool = False
    held_out: HeldOutNames | None = None
    pace: Pace | None = None

    @classmethod
    def of(cls, state: TrainingState) -> "RunRecord":
        """Return the record in a training state.

        Raises:
            UserError: there is none, or a value is not of its type or in its range.
        """
        try:
            record = TypeAdapter(cls).validate_python(state.record.get("run"))
        except ValidationError as error:
            problem = error.errors()[0]
            key = ".".join(map(str, ("run", *problem["loc"])))
            found = reprlib.repr(problem["input"])
            raise UserError(
                f"{state.path}: its record has {key}: {found} ({problem['msg']})"
            ) from None

        dates = [*record.saved, record.good or 0, record.drifted or 0]
        if record.best is not None:
            dates.append(record.best.iteration)
        if max(dates) > state.iteration:
            raise UserError(
                f"{state.path}: its record of iteration {state.iteration} mentions "
                f"iteration {max(dates)}"
            )
        return record
