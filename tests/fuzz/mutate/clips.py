"""Mutations of video files: boxes of MP4, chunks of AVI, times, lists of other files."""

import struct
from random import Random

from mutate.anything import edited, extreme, mutate_bytes, pack

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"dinf"}
Box = list
"""[name, content], where the content is bytes or a list of boxes."""
EBML = b"\x1aE\xdf\xa3"
TICK, CLUSTER, BLOCK = b"\x2a\xd7\xb1\x83", b"\x1fC\xb6u", b"\xa3"
"""Of Matroska: the length of a tick [ns], in three bytes; a cluster; a SimpleBlock."""


def mutate_clip(content: bytes, address: str, rng: Random) -> bytes:
    """Return a damaged or hostile version of a video.

    Args:
        content: the file.
        address: "host:port" that no reader may connect to.
        rng: draws the changes.
    """
    if rng.random() < 0.1:
        return rng.choice(_lists(address)).encode()
    if rng.random() < 0.35:
        return mutate_bytes(content, rng)
    if content[4:8] == b"ftyp":
        boxes = _boxes(content)
        edited(boxes, [_change_field] * 5 + [_drop, _repeat, _swap, _rename], rng)
        return _joined(boxes, rng)
    if content.startswith(b"RIFF"):
        return _change_riff(content, rng)
    if content.startswith(EBML):
        return _change_times(content, rng)
    return mutate_bytes(content, rng)


def _lists(address: str) -> list[str]:
    """Return playlists and scripts that ffmpeg would follow."""
    url = f"http://{address}/x.ts"
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{}\n#EXT-X-ENDLIST\n"
    return [
        playlist.format(url),
        playlist.format("file:///etc/passwd"),
        playlist.format(f"concat:{url}|file:///etc/passwd"),
        f"ffconcat version 1.0\nfile '{url}'\n",
        "ffconcat version 1.0\nfile '/etc/passwd'\n",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 {address}\nm=video 9 RTP/AVP 96\n",
        f'<?xml version="1.0"?><MPD type="static"><BaseURL>{url}</BaseURL></MPD>',
        f"[reference]\nRef1={url}\n",
    ]


def _boxes(content: bytes) -> list[Box]:
    found, at = [], 0
    while at + 8 <= len(content):
        (size,) = struct.unpack_from(">I", content, at)
        end = at + size if size >= 8 else len(content)
        name, inner = content[at + 4 : at + 8], content[at + 8 : end]
        found.append([name, _boxes(inner) if name in CONTAINERS else inner])
        at = end
    return found


def _all(boxes: list[Box]) -> list[tuple[list[Box], int]]:
    """Return (list, index) of every box at every depth."""
    found = [(boxes, index) for index in range(len(boxes))]
    for _, content in boxes:
        if isinstance(content, list):
            found += _all(content)
    return found


def _change_field(boxes: list[Box], rng: Random) -> None:
    """Write an extreme number into a small box, such as a header or a table."""
    small = [
        (inside, index)
        for inside, index in _all(boxes)
        if isinstance(inside[index][1], bytes) and len(inside[index][1]) < 5000
    ]
    if small:
        inside, index = rng.choice(small)
        content = inside[index][1]
        size = rng.choice((1, 2, 4, 4, 8))
        at = rng.randrange(len(content) + 1) // 4 * 4
        number = extreme(rng, size).to_bytes(size, "big")
        inside[index][1] = content[:at] + number + content[at + size :]


def _drop(boxes: list[Box], rng: Random) -> None:
    places = _all(boxes)
    if places:
        inside, index = rng.choice(places)
        del inside[index]


def _repeat(boxes: list[Box], rng: Random) -> None:
    places = _all(boxes)
    if places:
        inside, index = rng.choice(places)
        inside[index:index] = [inside[index]] * rng.choice((1, 2, 20))


def _swap(boxes: list[Box], rng: Random) -> None:
    places = _all(boxes)
    if places:
        rng.shuffle(rng.choice(places)[0])


def _rename(boxes: list[Box], rng: Random) -> None:
    places = _all(boxes)
    if places:
        inside, index = rng.choice(places)
        inside[index] = [
            rng.choice((b"stco", b"co64", b"cmov", b"uuid", b"trak")),
            inside[index][1],
        ]


def _joined(boxes: list[Box], rng: Random) -> bytes:
    parts = []
    for name, content in boxes:
        inner = _joined(content, rng) if isinstance(content, list) else content
        size = len(inner) + 8
        if rng.random() < 0.01:
            size = extreme(rng, 4)
        parts.append(struct.pack(">I", size) + name + inner)
    return b"".join(parts)


def _change_riff(content: bytes, rng: Random) -> bytes:
    """Change the size of a chunk, or a number of the headers of an AVI file."""
    names = (b"avih", b"strh", b"strf", b"movi", b"idx1", b"LIST", b"00dc")
    at = content.find(rng.choice(names))
    if at < 0:
        return mutate_bytes(content, rng)
    field = at + rng.choice((4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44))
    number = struct.pack("<I", extreme(rng, 4))
    return content[:field] + number + content[field + 4 :]


def _change_times(content: bytes, rng: Random) -> bytes:
    """Change when the frames of a Matroska file are shown: never again, all at once."""
    changed = bytearray(content)
    tick = content.find(TICK) + len(TICK)
    if rng.random() < 0.3 and tick >= len(TICK):
        changed[tick : tick + 3] = pack(">", 3, extreme(rng, 3))
        return bytes(changed)

    # A SimpleBlock's size has 2 or 3 bytes here, its track 1, its time 2.
    clusters = content.find(CLUSTER)
    equal, at = extreme(rng, 2), max(clusters, 0)
    while (at := content.find(BLOCK, at + 1)) >= 0:
        size = 3 if content[at + 1 : at + 2] < b"\x40" else 2
        if content[at + 1 + size : at + 2 + size] == b"\x81" and rng.random() < 0.5:
            time = rng.choice((equal, extreme(rng, 2)))
            changed[at + 2 + size : at + 4 + size] = pack(">", 2, time)
    return bytes(changed)
