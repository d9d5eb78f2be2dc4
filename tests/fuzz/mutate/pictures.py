"""Mutations of picture files, by their formats' structure."""

import struct
import zlib
from random import Random

from odd_images import chunk, png

from mutate.anything import edited, extreme, mutate_bytes, pack, span

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Parts = list[tuple[bytes, bytes]]
"""Names and contents of the parts of a file."""


def mutate_picture(content: bytes, rng: Random) -> bytes:
    """Return a damaged or hostile version of a picture file."""
    if rng.random() < 0.15:
        return mutate_bytes(content, rng)
    if rng.random() < 0.08:
        return rng.choice((png_bomb, tiff_bomb))(rng)
    if content.startswith(SIGNATURE):
        return _png(content, rng)
    if content.startswith(b"\xff\xd8"):
        return _jpeg(content, rng)
    if content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff(content, rng)
    if content.startswith(b"RIFF"):
        return _webp(content, rng)
    return _header_words(content, rng)


# The chunks of PNG, with right sums.


def _png(content: bytes, rng: Random) -> bytes:
    chunks, at = [], len(SIGNATURE)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    edits = [_change_ihdr, _change_ihdr, _add_chunk, _add_chunk, _repack_pixels]
    edits += [_drop_part, _double_part, _swap_parts, _damage_part]
    edited(chunks, edits, rng)
    return SIGNATURE + b"".join(chunk(*one) for one in chunks)


def _change_ihdr(chunks: Parts, rng: Random) -> None:
    for index, (name, data) in enumerate(chunks):
        if name == b"IHDR":
            at, size = rng.choice(((0, 4), (4, 4), (8, 1), (9, 1), (12, 1)))
            number = extreme(rng, size)
            if size == 1 and rng.random() < 0.7:
                number = rng.choice((0, 1, 2, 3, 4, 6, 8, 16))
            changed = data[:at] + pack(">", size, number) + data[at + size :]
            chunks[index] = name, changed


def _add_chunk(chunks: Parts, rng: Random) -> None:
    text = b"x\0\0" + zlib.compress(bytes(rng.choice((10, 1 << 16, 1 << 26))))
    name, data = rng.choice(
        [
            (b"gAMA", rng.randbytes(rng.choice((0, 1, 4)))),
            (b"zTXt", text),
            (b"iCCP", text),
            (b"iTXt", b"x\0\1\0\0\0" + text[3:]),
            (b"PLTE", rng.randbytes(rng.choice((0, 1, 3, 768, 771)))),
            (b"tRNS", rng.randbytes(rng.choice((0, 1, 2, 6, 300)))),
            (b"eXIf", _exif(rng)),
            (b"acTL", struct.pack(">II", extreme(rng, 4), extreme(rng, 4))),
            (b"fcTL", rng.randbytes(26)),
            (b"pHYs", rng.randbytes(9)),
            (b"cHRM", rng.randbytes(32)),
            (b"sBIT", rng.randbytes(3)),
            (b"hIST", rng.randbytes(2)),
            (rng.randbytes(4), rng.randbytes(20)),
        ]
    )
    copies = rng.choice((1, 1, 1, 1000))
    at = rng.randrange(len(chunks) + 1)
    chunks[at:at] = [(name, data)] * (1 if len(data) > 1000 else copies)


def _repack_pixels(chunks: Parts, rng: Random) -> None:
    """Change pixels and filters, and compress them again."""
    pixels = b"".join(data for name, data in chunks if name == b"IDAT")
    try:
        rows = bytearray(zlib.decompress(pixels))
    except zlib.error:
        return
    packed = zlib.compress(mutate_bytes(bytes(rows), rng))
    chunks[:] = [one for one in chunks if one[0] != b"IDAT"]
    chunks.insert(max(1, len(chunks) - 1), (b"IDAT", packed))


# The parts of any format.


def _drop_part(parts: Parts, rng: Random) -> None:
    del parts[rng.randrange(len(parts) + 1) :][:1]


def _double_part(parts: Parts, rng: Random) -> None:
    if parts:
        part = rng.choice(parts)
        copies = 1 if len(part[1]) > 10_000 else rng.choice((1, 2, 300))
        parts[len(parts) - 1 : len(parts) - 1] = [part] * copies


def _swap_parts(parts: Parts, rng: Random) -> None:
    rng.shuffle(parts)


def _damage_part(parts: Parts, rng: Random) -> None:
    if parts:
        index = rng.randrange(len(parts))
        name, data = parts[index]
        parts[index] = name, mutate_bytes(data, rng)


# The segments of JPEG.


def _jpeg(content: bytes, rng: Random) -> bytes:
    segments, at = [], 2
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", content, at + 2)
        segments.append((content[at : at + 2], content[at + 4 : at + 2 + length]))
        at += 2 + length
    scan = content[at:]
    edits = [_change_frame, _change_frame, _drop_part, _double_part, _swap_parts]
    edits += [_damage_part, _damage_part, _add_exif]
    edited(segments, edits, rng)
    if rng.random() < 0.15:
        scan = scan[:4000] * rng.choice((2, 500))  # scans of a progressive picture
    joined = [name + pack(">", 2, len(data) + 2) + data for name, data in segments]
    return b"\xff\xd8" + b"".join(joined) + scan


def _change_frame(segments: Parts, rng: Random) -> None:
    """Change the bits, the size, or the sampling of a component."""
    for index, (name, data) in enumerate(segments):
        if name[1] in (0xC0, 0xC1, 0xC2) and len(data) > 8:
            at, size = rng.choice(((0, 1), (1, 2), (3, 2), (5, 1), (7, 1), (8, 1)))
            number = pack(">", size, extreme(rng, size))
            segments[index] = name, data[:at] + number + data[at + size :]
            if rng.random() < 0.3:
                marker = rng.choice((b"\xc0", b"\xc1", b"\xc2", b"\xc3", b"\xc9"))
                segments[index] = b"\xff" + marker, segments[index][1]


def _add_exif(segments: Parts, rng: Random) -> None:
    segments.insert(0, (b"\xff\xe1", b"Exif\0\0" + _exif(rng)))


def _exif(rng: Random) -> bytes:
    """Return Exif with odd entries, at times in the layout of a BigTIFF."""
    order, big = rng.choice("<>"), rng.random() < 0.3
    wide = 8 if big else 4
    head = (b"II" if order == "<" else b"MM") + pack(order, 2, 43 if big else 42)
    head += (pack(order, 2, 8) + pack(order, 2, 0)) * big
    head += pack(order, wide, 16 if big else 8)
    entries = b"".join(_entry(order, wide, rng) for _ in range(rng.choice((1, 5))))
    count = pack(order, 8 if big else 2, rng.choice((1, 5, extreme(rng, 1))))
    return head + count + entries + pack(order, wide, extreme(rng, 4))


# The tags of TIFF.

TAGS = [254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 284, 317]
TAGS += [320, 322, 323, 324, 325, 330, 338, 339, 347, 530, 34665, 34675, 34853]


def _tiff(content: bytes, rng: Random) -> bytes:
    order = "<" if content.startswith(b"II") else ">"
    # A directory: the number of its entries, and these: tag, type, count, value.
    big = content[2:4] in (b"+\0", b"\0+")
    at, head, wide = (8, 8, 8) if big else (4, 2, 4)
    start = _number(order, content[at : at + wide])
    if start + head > len(content):
        return mutate_bytes(content, rng)
    count = _number(order, content[start : start + head])
    entry = 4 + 2 * wide
    changed = bytearray(content)
    for _ in range(rng.choice((1, 2, 3))):
        at = start + head + entry * rng.randrange(max(1, count))
        value = 4 + wide
        fields = ((0, 2), (2, 2), (4, wide), (value, 2), (value, wide), (value, 2))
        field, size = rng.choice(fields)
        number = extreme(rng, size)
        if field == 0:
            number = rng.choice(TAGS)
        elif field == 2:
            number = rng.randrange(20)
        elif size == 2 and rng.random() < 0.5:
            number = rng.randrange(40)
        changed[at + field : at + field + size] = pack(order, size, number)
    if rng.random() < 0.15:  # the next directory: itself, or anywhere
        end = start + head + entry * count
        after = rng.choice((start, extreme(rng, 4)))
        changed[end : end + wide] = pack(order, wide, after)
    return bytes(changed)


def _number(order: str, content: bytes) -> int:
    return int.from_bytes(content, "big" if order == ">" else "little")


def _entry(order: str, wide: int, rng: Random) -> bytes:
    """Return an entry of a directory whose counts and values have `wide` bytes."""
    tag, kind = rng.choice(TAGS), rng.randrange(19)
    numbers = pack(order, wide, extreme(rng, wide)), pack(order, wide, extreme(rng, 4))
    return pack(order, 2, tag) + pack(order, 2, kind) + b"".join(numbers)


def tiff_bomb(rng: Random) -> bytes:
    """Return a small TIFF of many pixels, of a kind that few readers know."""
    side = rng.choice((3000, 12_000, 20_000, 60_000))
    bits, samples = rng.choice(((1, 1), (8, 3), (12, 3), (16, 4), (32, 1), (64, 3)))
    packed = zlib.compress(bytes(100_000))
    compression = rng.choice((1, 2, 4, 5, 7, 8, 32773, 32946, 34925, 50000))
    kind, layout = rng.choice((0, 1, 2, 3, 5, 6, 8)), rng.choice((1, 2, 3, 4))
    tags = {256: side, 257: side, 258: bits, 259: compression, 262: kind, 273: 400}
    tags |= {277: samples, 278: side, 279: len(packed), 339: layout}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries)
    return head.ljust(400, b"\0") + packed


def png_bomb(rng: Random) -> bytes:
    """Return a small, complete PNG of many pixels."""
    side = rng.choice((3000, 9000, 13_370, 20_000))
    bits, kind = rng.choice(((1, 0), (8, 0), (1, 3)))
    row = bytes(1 + (side * bits + 7) // 8)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    palette = [(b"PLTE", bytes(6))] if kind == 3 else []
    gamma = [(b"gAMA", b"x")] if rng.random() < 0.3 else []
    return png(side, side, *palette, *gamma, (b"IDAT", packed), bits=bits, kind=kind)


# WebP, BMP and PPM.


def _webp(content: bytes, rng: Random) -> bytes:
    chunks, at = [], 12
    while at + 8 <= len(content):
        (length,) = struct.unpack_from("<I", content, at + 4)
        chunks.append((content[at : at + 4], content[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    extended = b"VP8X" + pack("<", 4, 10) + rng.randbytes(4) + rng.randbytes(6)
    edits = [_drop_part, _double_part, _swap_parts, _damage_part, _damage_part]
    edited(chunks, edits, rng)
    body = b"".join(
        name + pack("<", 4, len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in chunks
    )
    if rng.random() < 0.3:
        body = extended + body
    if rng.random() < 0.2:
        exif = _exif(rng)
        body += b"EXIF" + pack("<", 4, len(exif)) + exif + b"\0" * (len(exif) % 2)
    size = len(body) + 4 if rng.random() < 0.7 else extreme(rng, 4)
    return b"RIFF" + pack("<", 4, size) + b"WEBP" + body


def _header_words(content: bytes, rng: Random) -> bytes:
    """Change a word of a BMP header, or a number of a PPM header."""
    if content[:1] == b"P" and rng.random() < 0.8:
        words = content.split(maxsplit=4)
        if len(words) > 3:
            words[rng.randrange(1, 4)] = str(rng.choice((extreme(rng, 8), -1))).encode()
        return b" ".join(words)
    at, size = rng.choice(
        ((2, 4), (10, 4), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))
    )
    number = pack("<", size, extreme(rng, size))
    if rng.random() < 0.3:
        return mutate_bytes(content, rng)
    return content[:at] + number + content[span(len(content), rng).start or at + size :]
