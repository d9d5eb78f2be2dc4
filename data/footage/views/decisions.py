"""What was decided over all videos of a set: its copies, views and parts."""

from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from realesrgan_paddle.data.sets.made_folders import TRAIN, VAL
from realesrgan_paddle.data.sets.manifest import DROPPED, Record, is_kept
from realesrgan_paddle.data.sets.naming import SOURCES_FOLDER
from realesrgan_paddle.utils.errors import UserError
from realesrgan_paddle.utils.files import atomic_path, read_regular

COPY = "copy of "
"""Start of the reason to drop a copy; the better one's name follows."""

_Name = Annotated[str, Field(pattern=r"^[^\x00/\\]+$")]
_Part = Annotated[str, Field(pattern=f"^({TRAIN}|{VAL})$")]
_Count = Annotated[int, Field(ge=0, le=10**9)]


class Decisions(BaseModel):
    """The decisions; frames are named by their files without the part's folder.

    What only sets of earlier versions noted is passed over.
    """

    model_config = ConfigDict(strict=True)

    fingerprint: str = ""
    """Of the records that they were made from."""
    copies: dict[_Name, _Name] = {}
    """The better copy by the worse one."""
    parts: dict[_Name, _Part] = {}
    """The part of each kept frame; none without a split."""
    views: dict[_Name, _Count] = {}
    """The number of each frame's view, copies included."""
    remark: str = ""
    """Why validation has another share than was asked for."""

    def applied_to(self, record: Record) -> Record:
        """Return the record of a frame as all videos together decide on it."""
        if not is_kept(record):
            return record
        name = base_name(record)
        better = self.copies.get(name)
        if better:
            reason = f"{COPY}{better} (better)"
            dropped = {"decision": DROPPED, "reason": reason, "file": name}
            return {**record, **dropped}

        decided = {**record, "file": self.place(name)}
        if name in self.views:
            decided["view"] = self.views[name]
        return decided

    def place(self, name: str) -> str:
        """Return a kept frame's path in the set: "train/a.png", or "a.png"."""
        part = self.parts.get(name)
        return f"{part}/{name}" if part else name

    def copies_by_source(self, sources: dict[str, str]) -> dict[str, Counter[str]]:
        """Return, for each source, how many copies it shares with each other source.

        Args:
            sources: the source by the name of each kept frame, copies included.
        """
        shared: dict[str, Counter[str]] = {
            source: Counter() for source in sources.values()
        }
        for worse, better in self.copies.items():
            if worse not in sources or better not in sources:
                continue
            one, other = sources[worse], sources[better]
            shared[one][other] += 1
            if one != other:
                shared[other][one] += 1
        return shared


def base_name(record: Record) -> str:
    """Return the name of a frame's file, also of a record of `Decisions.applied_to`.

    There the folder of its part stands before it: "train/a.png".
    """
    return Path(record["file"]).name


def read_decisions(output: Path) -> Decisions:
    """Return the decisions on a set; empty ones before the first.

    Raises:
        UserError: the file is damaged.
    """
    path = _path(output)
    if not path.exists():
        return Decisions()
    try:
        return Decisions.model_validate_json(read_regular(path))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"])) or "content"
        raise UserError(
            f"{path}: not the decisions of tools/extract_keyframes.py ({key}: "
            f"{problem['msg']}); delete it to decide anew"
        ) from None


def write_decisions(output: Path, decisions: Decisions) -> None:
    """Write the decisions on a set, atomically."""
    with atomic_path(_path(output)) as temporary:
        temporary.write_text(decisions.model_dump_json(indent=1), encoding="utf-8")


def _path(output: Path) -> Path:
    return output / SOURCES_FOLDER / "decisions.json"
