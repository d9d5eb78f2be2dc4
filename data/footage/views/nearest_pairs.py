"""Validation images beside their nearest training images, for the overview of frames."""

from collections.abc import Sequence

from realesrgan_paddle.data.sets.manifest import Record

NEAREST = "validation images, each followed by its nearest training image"
"""Title of the section that shows them."""

_OF = "nearest_to"


def nearest_pairs(kept: Sequence[Record]) -> list[Record]:
    """Return each validation image followed by its nearest training image.

    Those with most corners in common first, as the likeliest to be a mistake.

    Args:
        kept: the records of the kept frames that are shown.
    """
    by_file = {record["file"].rpartition("/")[2]: record for record in kept}
    pairs = []
    for record in kept:
        nearest = record.get("nearest")
        if nearest and nearest["file"] in by_file:
            pairs.append((record, by_file[nearest["file"]]))
    pairs.sort(key=lambda pair: -pair[0]["nearest"]["inliers"])

    records = []
    for image, training in pairs:
        of_it = {**image["nearest"], "file": image["file"]}
        records += [image, {**training, _OF: of_it}]
    return records


def short_nearness(record: Record) -> str:
    """Return what `nearness` does, to fit under a thumbnail."""
    nearest = record.get(_OF)
    if not nearest:
        return ""
    return f"{nearest['inliers']} corners, hash {nearest['distance']:.2f}"


def nearness(record: Record) -> str:
    """Return how near a record's frame is to the other one of its pair, or ""."""
    nearest = record.get(_OF)
    if not nearest:
        return ""
    mirrored = ", mirrored" if nearest["mirrored"] else ""
    return (
        f"nearest: {nearest['inliers']} corners in common{mirrored}, hash distance "
        f"{nearest['distance']:.2f}"
    )
