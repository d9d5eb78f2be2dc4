"""The passports of a set in files: one for each source, and all in passport.json."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from realesrgan_paddle.data.footage.passport.passport import (
    Passport,
    passport_of,
    with_frames,
)
from realesrgan_paddle.data.footage.passport.verdict import (
    UNWANTED,
    is_unwanted,
    with_verdict,
)
from realesrgan_paddle.data.footage.scoring import VideoScorer
from realesrgan_paddle.data.footage.selection import Selection
from realesrgan_paddle.data.footage.views.decisions import Decisions, base_name
from realesrgan_paddle.data.footage.views.set_images import remove_image
from realesrgan_paddle.data.sets.manifest import (
    DROPPED,
    Record,
    is_kept,
    read_records,
    source_list,
)
from realesrgan_paddle.data.sets.naming import SOURCES_FOLDER
from realesrgan_paddle.utils.files import atomic_path, read_regular

PASSPORT = "passport.json"
"""All passports of a set, in the set's folder."""

_Passports = TypeAdapter(list[Passport])


def passport_path(output: Path, name: str) -> Path:
    """Return the path of the passport of the source called `name`."""
    file = f"{name}.{PASSPORT}"
    return output / SOURCES_FOLDER / file


def write_passport(output: Path, passport: Passport) -> None:
    """Write the passport of a source."""
    with atomic_path(passport_path(output, passport.name)) as temporary:
        temporary.write_text(passport.model_dump_json(indent=1), encoding="utf-8")


def read_passports(output: Path) -> Iterator[Passport]:
    """Yield the passports of a set's sources, sorted by name.

    Sets of earlier versions have none; a damaged one is passed over, as the records of
    the frames hold what it was made from.
    """
    folder = output / SOURCES_FOLDER
    for path in sorted(folder.glob(f"*.{PASSPORT}")):
        try:
            yield Passport.model_validate_json(read_regular(path))
        except ValidationError:
            continue


def write_passports(output: Path, decisions: Decisions) -> list[Passport]:
    """Write all passports of a set into `PASSPORT`, and return them.

    Args:
        output: folder of the set.
        decisions: what was decided over all sources: which frames are copies.
    """
    records = {}
    sources = {}
    for passport in read_passports(output):
        found = _records(output, passport.name)
        records[passport.name] = found
        for record in filter(is_kept, found):
            sources[base_name(record)] = passport.name
    shared = decisions.copies_by_source(sources)

    passports = []
    for passport in read_passports(output):
        decided = list(map(decisions.applied_to, records[passport.name]))
        copies = dict(shared.get(passport.name, {}))
        known = passport.model_copy(update={"copies": copies})
        passports.append(with_frames(known, decided))
    if passports:
        with atomic_path(output / PASSPORT) as temporary:
            temporary.write_bytes(_Passports.dump_json(passports, indent=1))
    return passports


def _records(output: Path, name: str) -> list[Record]:
    """Return the records of a source's frames, read to its end or not."""
    records: list[Record] = []
    for finished in (True, False):
        path = source_list(output, name, finished=finished)
        if path.exists():
            records += read_records(path)
    return [record for record in records if "file" in record]


def apply_verdict(
    scorer: VideoScorer, records: Sequence[Record], output: Path, selection: Selection
) -> list[Record]:
    """Write the passport of a source; remove its frames if it is not worth training on.

    Args:
        scorer: what has seen all its frames.
        records: the manifest's records of all frames.
        output: folder of the set.
        selection: what was asked for.

    Returns:
        The records, with what became of the frames.
    """
    passport = with_verdict(passport_of(scorer, records))
    left = list(records)
    if is_unwanted(passport, selection):
        left = [_without_image(record, output) for record in records]
    write_passport(output, with_frames(passport, left))
    return left


def _without_image(record: Record, output: Path) -> Record:
    """Remove the image of a frame, if it was kept; return its record, dropped."""
    if not is_kept(record):
        return record
    remove_image(output, base_name(record))
    return {**record, "decision": DROPPED, "reason": UNWANTED}
